//! `initialize`, answered with what `server/discover` says (spec digest 6A.1).

use tracing::debug;

use super::{
    Purpose, Reply, ToModern,
    client::Client,
    result::{initialize_result, legacy_error},
};
use crate::{
    era::detect::{Outcome, Verdict, of_discover, of_request},
    error::Kind,
    message::{Message, member, object::quote},
    protocol::{LEGACY_VERSIONS, List, MODERN_VERSIONS},
    remote::{
        event::{End, Event, ExchangeId, Post},
        refusal,
    },
};

/// What a server without `server/discover` is taken to offer.
const UNDISCOVERED: &str = r#"{"capabilities":{"tools":{},"prompts":{},"resources":{}}}"#;

/// An `initialize` that has no answer yet.
#[derive(Debug)]
pub(super) struct Handshake {
    /// Its exchange above.
    pub exchange: ExchangeId,
    id: String,
    below: ExchangeId,
}

/// What the server has declared, as far as the bridge answers for it.
#[derive(Debug, Default)]
pub(super) struct Server {
    /// It completes arguments.
    pub completions: bool,
    /// It logs.
    pub logging: bool,
    /// It tells of changed resources.
    pub subscribe: bool,
    /// The lists whose changes it announces.
    pub lists: Vec<List>,
}

impl Server {
    fn new(discovered: &str) -> Self {
        let all = member(discovered, "capabilities").unwrap_or("{}");
        let has = |name| member(all, name).is_some();
        let says = |name, what| member(all, name).and_then(|one| member(one, what)) == Some("true");
        Server {
            completions: has("completions"),
            logging: has("logging"),
            subscribe: says("resources", "subscribe"),
            lists: List::ALL.into_iter().filter(|list| says(list.name(), "listChanged")).collect(),
        }
    }
}

impl ToModern {
    /// The client begins, or the layer above begins anew for it (XA-1, XA-4).
    pub(super) fn on_initialize(&mut self, post: &Post, message: &Message) {
        if let Some(earlier) = &self.handshake {
            let exchange = earlier.exchange;
            self.stop_handshake();
            let end = End::Unsent("another `initialize` came after this one".to_owned());
            self.up(Event::Ended { exchange, end });
        }
        self.strand_calls();
        self.is_confirmed = false;
        self.client = Some(Client::new(message));
        self.listens.resources.forget_subscriptions();
        self.close_resources();
        let (below, _) = self.ask(Purpose::Discover, "server/discover", "");
        let id = message.id().unwrap_or("null").to_owned();
        self.handshake = Some(Handshake { exchange: post.exchange, id, below });
    }

    /// Nobody waits for the answer to `initialize` any more.
    pub(super) fn stop_handshake(&mut self) {
        if let Some(handshake) = self.handshake.take() {
            self.abort_below(handshake.below);
        }
    }

    pub(super) fn on_discovered(&mut self, reply: Reply) {
        let verdict = match &reply {
            Reply::Answer(answer) => of_discover(Outcome::Answer(answer), MODERN_VERSIONS[0]),
            Reply::End(end) => of_discover(Outcome::End(end), MODERN_VERSIONS[0]),
        };
        match (verdict, reply) {
            (Verdict::Modern, Reply::Answer(answer)) => {
                self.welcome(answer.result().unwrap_or("{}"));
            }
            (Verdict::AskForTools, _) => {
                debug!("the remote does not know server/discover: asking for its tools");
                let (below, _) = self.ask(Purpose::Tools, "tools/list", "");
                if let Some(handshake) = &mut self.handshake {
                    handshake.below = below;
                }
            }
            (Verdict::Incompatible(versions), _) => self.refuse_versions(&versions),
            (Verdict::Legacy(why), _) => self.end_handshake(End::NotModern(why)),
            // It wants to be asked once more, and the layer below has done so already; or it is
            // modern and refuses all the same.
            (Verdict::Again | Verdict::Modern, reply) => match reply {
                Reply::End(End::Status(refused)) => match refusal::json_rpc_error(&refused) {
                    Some(error) => self.pass_refusal(&error),
                    None => self.end_handshake(End::Status(refused)),
                },
                Reply::End(end) => self.end_handshake(end),
                Reply::Answer(answer) => self.pass_refusal(&answer),
            },
            (Verdict::Unknown, Reply::End(end)) => self.end_handshake(end),
            (Verdict::Unknown, Reply::Answer(_)) => {
                let why = "it does not know `server/discover`".to_owned();
                self.end_handshake(End::NotModern(why));
            }
        }
    }

    /// Whether a server that does not know `server/discover` is modern all the same (4.7).
    pub(super) fn on_tools_listed(&mut self, reply: Reply) {
        let (verdict, is_not_found) = match &reply {
            Reply::Answer(answer) => (of_request(Outcome::Answer(answer)), false),
            Reply::End(end) => (of_request(Outcome::End(end)), is_not_found(end)),
        };
        match (verdict, reply) {
            (Verdict::Modern | Verdict::Again, _) if !is_not_found => self.welcome(UNDISCOVERED),
            (Verdict::Incompatible(versions), _) => self.refuse_versions(&versions),
            (Verdict::Unknown, Reply::End(end)) => self.end_handshake(end),
            _ => {
                let why = "it does not know `server/discover`, nor answer `tools/list` as a server of 2026-07-28 does";
                self.end_handshake(End::NotModern(why.to_owned()));
            }
        }
    }

    fn welcome(&mut self, discovered: &str) {
        self.server = Server::new(discovered);
        let (Some(handshake), Some(client)) = (self.handshake.take(), &self.client) else { return };
        let result = initialize_result(discovered, client, &self.host);
        let id = handshake.id;
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        self.answer(handshake.exchange, answer.into());
    }

    /// No version in common (XA-5); the shape of the error is that of 1125:lc.
    fn refuse_versions(&mut self, versions: &[String]) {
        let theirs = versions.join(", ");
        let ours: Vec<&str> = MODERN_VERSIONS.into_iter().chain(LEGACY_VERSIONS).collect();
        let message = quote(&format!(
            "no protocol version in common: {} speaks {theirs}, this bridge {}",
            self.host,
            ours.join(", ")
        ));
        let supported: Vec<String> = versions.iter().map(|version| quote(version)).collect();
        let asked = self.client.as_ref().map(|client| quote(&client.asked)).unwrap_or_default();
        let error = format!(
            r#"{{"code":{},"message":{message},"data":{{"supported":[{}],"requested":{asked}}}}}"#,
            Kind::InvalidParams.code(),
            supported.join(",")
        );
        self.refuse_handshake(&error);
    }

    /// The server is modern, and refuses to say what it is.
    fn pass_refusal(&mut self, answer: &Message) {
        let attempted = format!("could not ask {} what it offers", self.host);
        let error = legacy_error(answer.error().unwrap_or("null"), None, &attempted);
        self.refuse_handshake(&error);
    }

    fn refuse_handshake(&mut self, error: &str) {
        if let Some(handshake) = self.handshake.take() {
            let id = handshake.id;
            let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#);
            self.answer(handshake.exchange, answer.into());
        }
    }

    fn end_handshake(&mut self, end: End) {
        if let Some(handshake) = self.handshake.take() {
            self.up(Event::Ended { exchange: handshake.exchange, end });
        }
    }
}

/// Whether it says that the method does not exist, which is no proof of anything here.
fn is_not_found(end: &End) -> bool {
    let End::Status(refused) = end else { return false };
    let error = refusal::json_rpc_error(refused);
    error.as_ref().and_then(Message::error).and_then(|error| member(error, "code"))
        == Some("-32601")
}
