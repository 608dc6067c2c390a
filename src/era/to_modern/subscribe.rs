//! What the server says of its own accord: listen streams in the place of the GET stream and of
//! `resources/subscribe` (spec digest 6A.3).

use bytes::Bytes;
use tracing::debug;

use super::{Purpose, Timer, ToModern, millis, resources::Resources, result::without_subscription};
use crate::{
    message::{self, Message, member},
    protocol::List,
    remote::{
        backoff::STREAM,
        event::{End, Event, ExchangeId},
    },
};

/// How many notifications wait for the client's stream.
const MAX_PENDING: usize = 64;

/// The listen streams.
#[derive(Debug, Default)]
pub(super) struct Listens {
    /// The exchange above that carries what the server says: the GET.
    carrier: Option<ExchangeId>,
    /// What was said while there was none.
    pending: Vec<Bytes>,
    lists: Lists,
    pub resources: Resources,
}

/// The listen for changed lists (XA-30).
#[derive(Debug, Default)]
struct Lists {
    stream: Option<ExchangeId>,
    was_open: bool,
    /// Those that the server was found not to announce.
    unannounced: Vec<List>,
    attempts: u32,
}

impl Listens {
    pub fn is_carrier(&self, exchange: ExchangeId) -> bool {
        self.carrier == Some(exchange)
    }

    pub fn has_carrier(&self) -> bool {
        self.carrier.is_some()
    }
}

/// How a listen ended.
pub(super) enum Over {
    /// By its result (MD-42).
    Graceful,
    /// By an error; the raw token.
    Error(String),
    /// Without an answer.
    End(End),
}

impl Over {
    /// Whether the server does not offer it at all (XA-35).
    pub fn is_final(&self) -> bool {
        match self {
            Over::Graceful => false,
            Over::Error(error) => {
                matches!(
                    member(error, "code"),
                    Some("-32601" | "-32602" | "-32020" | "-32021" | "-32022")
                )
            }
            Over::End(End::Status(refused)) => matches!(refused.status, 400 | 404 | 405 | 501),
            Over::End(End::Malformed(_) | End::Redirected(_) | End::NotModern(_)) => true,
            Over::End(_) => false,
        }
    }
}

impl ToModern {
    /// The layer above wants what the server says of its own accord (XA-30).
    pub(super) fn start_listening(&mut self, exchange: ExchangeId) {
        self.listens.carrier = Some(exchange);
        self.up(Event::Opened { exchange, session: None });
        for bytes in std::mem::take(&mut self.listens.pending) {
            self.say(exchange, bytes);
        }
        self.listen_to_lists();
        self.listen_to_resources();
    }

    /// The layer above wants none of it any more, or wants it on a new connection.
    pub(super) fn stop_listening(&mut self) {
        self.listens.carrier = None;
        if let Some(stream) = self.listens.lists.stream.take() {
            self.abort_below(stream);
        }
        self.rest_resources();
    }

    /// Tells the client something that belongs to no request.
    pub(super) fn tell(&mut self, bytes: Bytes) {
        match self.listens.carrier {
            Some(exchange) => self.say(exchange, bytes),
            None if self.listens.pending.len() < MAX_PENDING => {
                if !self.listens.pending.contains(&bytes) {
                    self.listens.pending.push(bytes);
                }
            }
            None => debug!("dropped a notification: nobody listens"),
        }
    }

    pub(super) fn listen_to_lists(&mut self) {
        let listens = &self.listens;
        let is_due = listens.carrier.is_some() && listens.lists.stream.is_none();
        if !is_due || self.server.lists.is_empty() {
            return;
        }
        let kinds: Vec<String> =
            self.server.lists.iter().map(|list| format!(r#""{}":true"#, flag(*list))).collect();
        self.listens.lists.stream = Some(self.listen(&kinds.join(",")));
    }

    pub(super) fn listen(&mut self, notifications: &str) -> ExchangeId {
        let members = format!(r#""notifications":{{{notifications}}},"#);
        self.ask(Purpose::Listen, "subscriptions/listen", &members).0
    }

    pub(super) fn on_listen_event(&mut self, event: Event) {
        let exchange = super::exchange_of(&event);
        let bytes = match event {
            Event::Opened { .. } | Event::Endpoint { .. } => return,
            Event::Message { bytes, .. } => bytes,
            Event::Answer { bytes, .. } => {
                self.below.remove(&exchange);
                bytes
            }
            Event::Ended { end, .. } => {
                self.below.remove(&exchange);
                return self.on_listen_over(exchange, Over::End(end));
            }
        };
        let Ok(message) = Message::parse(bytes) else { return };
        match message.kind() {
            message::Kind::Notification => self.on_told(exchange, &message),
            message::Kind::Request => {
                debug!("ignored a request of a modern server, which makes none");
            }
            message::Kind::Response => {
                if self.below.contains_key(&exchange) {
                    self.spend(exchange);
                }
                let over = match message.error() {
                    Some(error) => Over::Error(error.to_owned()),
                    None => Over::Graceful,
                };
                self.on_listen_over(exchange, over);
            }
        }
    }

    fn on_told(&mut self, exchange: ExchangeId, message: &Message) {
        let is_lists = self.listens.lists.stream == Some(exchange);
        match message.method().as_ref() {
            "notifications/subscriptions/acknowledged" if is_lists => {
                self.on_lists_acknowledged(message);
            }
            "notifications/subscriptions/acknowledged" => {
                self.on_resources_acknowledged(exchange, message);
            }
            "notifications/resources/updated" => self.on_updated(exchange, message),
            "notifications/tools/list_changed"
            | "notifications/prompts/list_changed"
            | "notifications/resources/list_changed" => self.tell(without_subscription(message)),
            _ => debug!("ignored a notification that was not asked for"),
        }
    }

    fn on_lists_acknowledged(&mut self, message: &Message) {
        let honoured = message.param("notifications").unwrap_or("{}");
        let is_honoured =
            |list: &&List| member(honoured, flag(**list)).is_some_and(|value| value == "true");
        let (kept, lost): (Vec<List>, Vec<List>) =
            self.server.lists.iter().partition(|list| is_honoured(list));
        self.listens.lists.attempts = 0;
        let was_open = std::mem::replace(&mut self.listens.lists.was_open, true);
        for list in lost {
            let (host, name) = (&self.host, list.name());
            // It was promised in `initialize` and cannot be taken back (XA-31).
            let text = format!("{host} does not tell of changed {name} after all");
            if !self.listens.lists.unannounced.contains(&list) {
                self.listens.lists.unannounced.push(list);
                self.warn(text);
            }
        }
        self.listens.lists.unannounced.retain(|list| !kept.contains(list));
        for list in kept.into_iter().filter(|_| was_open) {
            let name = list.name();
            let text =
                format!(r#"{{"jsonrpc":"2.0","method":"notifications/{name}/list_changed"}}"#);
            self.tell(text.into());
        }
    }

    fn on_listen_over(&mut self, exchange: ExchangeId, over: Over) {
        let listens = &mut self.listens;
        if listens.lists.stream == Some(exchange) {
            listens.lists.stream = None;
            if over.is_final() {
                let host = &self.host;
                return self.warn(format!("{host} does not tell of changed lists after all"));
            }
            let wait = millis(STREAM.delay(listens.lists.attempts, self.now.random));
            listens.lists.attempts += 1;
            self.after(wait, Timer::Lists);
        } else {
            self.on_resources_over(exchange, over);
        }
    }
}

/// The member of a listen's filter that stands for a list.
fn flag(list: List) -> &'static str {
    match list {
        List::Tools => "toolsListChanged",
        List::Prompts => "promptsListChanged",
        List::Resources => "resourcesListChanged",
    }
}
