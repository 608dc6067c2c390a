//! What a remote may do.

use super::*;
use crate::remote::event::StreamEnd;

const WELCOME: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true},"logging":{}},"serverInfo":{"name":"s","version":"1"}}"#;
const DISCOVERED: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true}},"serverInfo":{"name":"s","version":"1"}}"#;
const WANTS_INPUT: &str = r#"{"resultType":"input_required","requestState":"rs","inputRequests":{"k":{"method":"elicitation/create","params":{"message":"m","requestedSchema":{"type":"object","properties":{}}}}}}"#;

impl Chaos {
    /// Something that was in the queue when its exchange was given up.
    pub(super) fn haunt(&mut self, which: u8, how: u16) {
        let Some(exchange) = self.ghosts.get(usize::from(which) % self.ghosts.len().max(1)) else {
            return;
        };
        let exchange = *exchange;
        let event = match how % 3 {
            0 => Event::Opened { exchange, session: None },
            1 => Event::Message { exchange, bytes: "{}".into() },
            _ => Event::Ended { exchange, end: cut() },
        };
        self.input(Input::Remote(event));
    }

    /// The remote does something on one of the exchanges that are open.
    pub(super) fn let_remote(&mut self, which: u8, how: u16, is_kind: bool) {
        let at = usize::from(which) % self.live.len().max(1);
        let Some((exchange, sent)) = self.live.iter().nth(at) else { return };
        let (exchange, sent) = (*exchange, sent.clone());
        if !is_kind {
            self.misbehave(exchange, &sent, how);
        } else if sent.is_get {
            if self.is_remote_modern {
                return self.end(exchange, status(405, ""));
            }
            self.event(Event::Opened { exchange, session: None });
            self.say_something(exchange, how);
        } else if sent.id.is_empty() || sent.method.is_empty() {
            self.end(exchange, End::Accepted(202));
        } else if sent.is_modern != self.is_remote_modern {
            self.refuse_era(exchange, &sent, how);
        } else {
            self.serve(exchange, &sent, how);
        }
    }

    /// A request of the era that the remote is not of.
    fn refuse_era(&mut self, exchange: ExchangeId, sent: &Sent, how: u16) {
        self.free.insert(exchange);
        let id = &sent.id;
        let code = ["-32022", "-32601", "-32602", "-32000", "-32020"][usize::from(how / 8) % 5];
        let error = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"server not initialized","data":{{"supported":["2026-07-28"]}}}}}}"#
        );
        match how % 8 {
            0..=3 => self.end(exchange, status(400, "")),
            4 => self.end(exchange, status(404, "")),
            5 => self.end(exchange, status(400, &error)),
            6 if sent.method != "tools/call" => {
                self.event(Event::Answer { exchange, bytes: error.into(), session: None });
            }
            _ => self.end(exchange, status(400, "Bad Request: Server not initialized")),
        }
    }

    fn serve(&mut self, exchange: ExchangeId, sent: &Sent, how: u16) {
        let id = &sent.id;
        let is_call = sent.tool.is_some();
        let result = match (sent.method.as_str(), sent.is_modern) {
            ("initialize", _) => WELCOME,
            ("server/discover", _) => DISCOVERED,
            ("subscriptions/listen", true) if !how.is_multiple_of(4) => {
                return self.acknowledge(exchange, id);
            }
            (_, true) if is_call && how.is_multiple_of(3) => {
                self.free.insert(exchange);
                WANTS_INPUT
            }
            (_, false) if is_call && how.is_multiple_of(5) => {
                self.event(Event::Opened { exchange, session: None });
                return self.say_something(exchange, how / 8);
            }
            (_, true) => r#"{"resultType":"complete","tools":[]}"#,
            (_, false) => "{}",
        };
        let session = (sent.method == "initialize" && how & 1 == 0)
            .then(|| format!("s{exchange}").as_str().into());
        let bytes = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        if how & 16 == 0 {
            return self.event(Event::Answer { exchange, bytes: bytes.into(), session });
        }
        self.event(Event::Opened { exchange, session });
        self.message(exchange, bytes);
        if how & 32 == 0 && self.live.contains_key(&exchange) {
            self.end(exchange, cut());
        }
    }

    fn acknowledge(&mut self, exchange: ExchangeId, id: &str) {
        self.event(Event::Opened { exchange, session: None });
        self.message(
            exchange,
            format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"notifications":{{"toolsListChanged":true}},"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
            ),
        );
    }

    fn say_something(&mut self, exchange: ExchangeId, how: u16) {
        let id = how % 3;
        let text = match how % 5 {
            0 => format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"roots/list"}}"#),
            1 => format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"elicitation/create","params":{{"message":"m","requestedSchema":{{"type":"object","properties":{{}}}}}}}}"#
            ),
            2 => format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
            ),
            3 => "no JSON".to_owned(),
            _ => r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#.to_owned(),
        };
        self.message(exchange, text);
    }

    fn misbehave(&mut self, exchange: ExchangeId, sent: &Sent, how: u16) {
        let id = &sent.id;
        let more = how / 16;
        let end = match how % 16 {
            0 => End::Unsent("refused".to_owned()),
            1 => End::Broken("reset".to_owned()),
            2 => End::Silent(std::time::Duration::from_secs(60)),
            3 => cut(),
            4 => End::Stream(StreamEnd {
                last_event_id: Some("e".into()),
                events: true,
                ..StreamEnd::default()
            }),
            5 => status(404, ""),
            6 => status(400, "no such session"),
            7 => status(429, ""),
            8 => status([401, 405, 406, 500, 502, 503][usize::from(more) % 6], ""),
            9 => End::Malformed("HTML".to_owned()),
            10 => End::Accepted(202),
            11 => return self.event(Event::Opened { exchange, session: None }),
            12 => return self.say_something(exchange, more),
            13 if !id.is_empty() => return self.refuse_era(exchange, sent, more),
            14 if !id.is_empty() => {
                self.free.insert(exchange);
                let code = [-32020, -32022, -32603, -32042][usize::from(more) % 4];
                let text = format!(
                    r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"m","data":{{"supported":["2026-07-28"],"elicitations":[{{"mode":"url","url":"https://a.b/","elicitationId":"e","message":"m"}}]}}}}}}"#
                );
                if more & 8 == 0 {
                    return self.message(exchange, text);
                }
                let bytes = text.into();
                return self.event(Event::Answer { exchange, bytes, session: None });
            }
            15 if !id.is_empty() => {
                let text = format!(r#"{{"jsonrpc":"2.0","id":{more},"result":{{}}}}"#);
                return self.event(Event::Answer { exchange, bytes: text.into(), session: None });
            }
            _ => End::TooLarge("too large".to_owned()),
        };
        let is_clients_fault = matches!(&end, End::Status(refused) if refused.status < 500);
        if matches!(end, End::Unsent(_)) || is_clients_fault {
            self.free.insert(exchange);
        }
        self.end(exchange, end);
    }
}

pub(super) fn cut() -> End {
    End::Stream(StreamEnd::default())
}

fn status(status: u16, body: &str) -> End {
    let body = Bytes::copy_from_slice(body.as_bytes());
    End::Status(Box::new(Refusal { status, body, ..Refusal::default() }))
}
