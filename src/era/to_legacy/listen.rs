//! `subscriptions/listen` over a legacy session (XB-30 to XB-34).

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    Own, Timer, ToLegacy, Turn,
    request::Params,
    result::{response, set_meta},
};
use crate::{
    era::{meta, promised::Promised},
    message::{
        Message, elements, member,
        object::{Object, quote},
        same_id, unquote,
    },
    time::{Millis, Now},
};

/// How long the acknowledgement waits for the server to take in subscriptions.
const SUBSCRIBE: Millis = 10_000;

/// The lists that may change, and the members of a filter that ask to be told.
const KINDS: [(&str, &str); 3] = [
    ("tools", "toolsListChanged"),
    ("prompts", "promptsListChanged"),
    ("resources", "resourcesListChanged"),
];

/// The listens of the client, and what they need of the server.
#[derive(Debug, Default)]
pub(super) struct Listens {
    all: BTreeMap<u64, Listen>,
    subscriptions: HashMap<String, Subscription>,
    /// What the client was told before there was a session.
    pub promised: Promised,
}

#[derive(Debug)]
struct Listen {
    /// The raw id of the request, which is the subscription's.
    id: String,
    /// Which lists.
    kinds: [bool; KINDS.len()],
    /// Which resources.
    uris: Vec<String>,
    is_acknowledged: bool,
    /// What it hears in the place of the acknowledgement, where it was acknowledged before.
    changed: Option<Vec<Bytes>>,
    /// What came before the acknowledgement, which must be the first.
    early: Vec<Bytes>,
}

/// A resource that the server tells about, for so many listens.
#[derive(Debug, Default)]
struct Subscription {
    listens: usize,
    is_active: bool,
}

impl Listens {
    pub(super) fn is_listen(&self, id: &str) -> bool {
        self.all.values().any(|listen| same_id(&listen.id, id))
    }

    fn is_pending(&self, listen: &Listen) -> bool {
        listen.uris.iter().any(|uri| self.subscriptions.get(uri).is_some_and(|one| !one.is_active))
    }
}

impl ToLegacy {
    /// Whether the server has a stream for what it says of its own accord has become known: its
    /// GET was answered, or HTTP+SSE is one such stream. Without (405) it can bring no changes:
    /// nothing is promised of them any more, and listens that were promised some end (XB-12,
    /// XB-34).
    pub fn listening(&mut self, is_listening: bool, now: Now, turns: &mut Vec<Turn>) {
        self.now = now;
        self.session.listening = Some(is_listening);
        if !is_listening && !self.listens.all.is_empty() {
            self.end_listens();
        }
        self.pump();
        turns.append(&mut self.turns);
    }

    /// The remote was away for a while, and the subscriptions stand again: what may have happened
    /// meanwhile is said to have happened (XB-34). Lists the state machine announces by itself.
    pub fn reconnected(&mut self, turns: &mut Vec<Turn>) {
        let mut uris: Vec<&String> = self.listens.subscriptions.keys().collect();
        uris.sort_unstable();
        let notices: Vec<String> = uris
            .into_iter()
            .map(|uri| {
                let uri = quote(uri);
                format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":{uri}}}}}"#
                )
            })
            .collect();
        for notice in notices {
            if let Ok(message) = Message::parse(notice.into()) {
                self.on_updated(&message);
            }
        }
        turns.append(&mut self.turns);
    }

    /// A listen begins. It is acknowledged when the server has taken in what it needs.
    pub(super) fn listen(&mut self, number: u64, message: &Message) {
        let params = Params::of(message);
        let filter = params.get("notifications").unwrap_or("{}");
        let can_listen = self.session.can_listen();
        let remote = self.session.remote.as_ref().filter(|_| can_listen);
        let kinds = KINDS.map(|(list, name)| {
            member(filter, name) == Some("true")
                && remote.is_some_and(|remote| remote.announces(list))
        });
        let has_subscribe = remote.is_some_and(|remote| remote.has_subscribe());
        let uris = if has_subscribe { uris(filter) } else { Vec::new() };
        for uri in &uris {
            self.subscribe(uri);
        }
        let id = message.id().unwrap_or("null").to_owned();
        let changed = self.listens.promised.keep(&id, filter);
        let early = Vec::new();
        let listen = Listen { id, kinds, uris, is_acknowledged: false, changed, early };
        self.listens.all.insert(number, listen);
        self.acknowledge_ready();
        if self.listens.all.get(&number).is_some_and(|listen| !listen.is_acknowledged) {
            self.after(SUBSCRIBE, Timer::Subscribed(number));
        }
    }

    fn subscribe(&mut self, uri: &str) {
        let known = self.listens.subscriptions.contains_key(uri);
        self.listens.subscriptions.entry(uri.to_owned()).or_default().listens += 1;
        if !known {
            let params = format!(r#"{{"uri":{}}}"#, quote(uri));
            self.ask(Own::Subscribe(uri.to_owned()), "resources/subscribe", &params);
        }
    }

    /// The server has answered a subscription. One that it refuses is left out.
    pub(super) fn on_subscribed(&mut self, uri: &str, is_active: bool) {
        let Some(one) = self.listens.subscriptions.get_mut(uri) else { return };
        one.is_active = is_active;
        if is_active && one.listens == 0 {
            self.unsubscribe(uri);
        } else if !is_active {
            self.listens.subscriptions.remove(uri);
            for listen in self.listens.all.values_mut() {
                listen.uris.retain(|known| known != uri);
            }
        }
        self.acknowledge_ready();
    }

    /// The server takes too long: what it has not taken in is left out.
    pub(super) fn on_subscribe_due(&mut self, number: u64) {
        let Some(listen) = self.listens.all.get_mut(&number) else { return };
        if listen.is_acknowledged {
            return;
        }
        let uris = std::mem::take(&mut listen.uris);
        let is_active =
            |uri: &String| self.listens.subscriptions.get(uri).is_some_and(|one| one.is_active);
        let (active, late): (Vec<String>, Vec<String>) = uris.into_iter().partition(is_active);
        if let Some(listen) = self.listens.all.get_mut(&number) {
            listen.uris = active;
        }
        self.release(late);
        self.acknowledge_ready();
    }

    /// A listen does not need these any more.
    fn release(&mut self, uris: Vec<String>) {
        for uri in uris {
            let Some(one) = self.listens.subscriptions.get_mut(&uri) else { continue };
            one.listens = one.listens.saturating_sub(1);
            // One without an answer yet is seen to when that comes.
            if one.listens == 0 && one.is_active {
                self.unsubscribe(&uri);
            }
        }
    }

    fn unsubscribe(&mut self, uri: &str) {
        self.listens.subscriptions.remove(uri);
        let params = format!(r#"{{"uri":{}}}"#, quote(uri));
        self.ask(Own::Ignored, "resources/unsubscribe", &params);
    }

    /// Acknowledges the listens that have all they need.
    fn acknowledge_ready(&mut self) {
        let is_ready =
            |listen: &Listen| !listen.is_acknowledged && !self.listens.is_pending(listen);
        let ready: Vec<u64> = self
            .listens
            .all
            .iter()
            .filter(|(_, listen)| is_ready(listen))
            .map(|(number, _)| *number)
            .collect();
        for number in ready {
            let Some(listen) = self.listens.all.get_mut(&number) else { continue };
            listen.is_acknowledged = true;
            let early = std::mem::take(&mut listen.early);
            let changed = listen.changed.take();
            let is_over = changed.is_some() && listen.is_empty();
            let first = changed.unwrap_or_else(|| vec![listen.acknowledgement()]);
            let over = is_over.then(|| self.listens.all.remove(&number)).flatten();
            first.into_iter().chain(early).for_each(|bytes| self.tell(bytes));
            // What was promised cannot be kept.
            if let Some(listen) = over {
                self.tell_end(&listen.id);
            }
        }
    }

    /// The client wants to hear no more (XB-33).
    pub(super) fn end_listen(&mut self, id: &str) {
        let number = self.listens.all.iter().find(|(_, listen)| same_id(&listen.id, id));
        let number = number.map(|(number, _)| *number);
        if let Some(listen) = number.and_then(|number| self.listens.all.remove(&number)) {
            self.release(listen.uris);
        }
    }

    /// Nothing can be brought: what was promised ends in good order, first with its result, then
    /// with the notification (MD-43). What was not promised yet never is.
    pub(super) fn end_listens(&mut self) {
        for (number, mut listen) in std::mem::take(&mut self.listens.all) {
            let is_empty = listen.is_empty();
            self.release(std::mem::take(&mut listen.uris));
            if listen.is_acknowledged && !is_empty {
                self.tell_end(&listen.id);
            } else {
                listen.kinds = [false; KINDS.len()];
                self.listens.all.insert(number, listen);
            }
        }
        self.acknowledge_ready();
    }

    /// Every listen ends in good order.
    pub(super) fn finish_listens(&mut self) {
        for listen in std::mem::take(&mut self.listens.all).into_values() {
            self.tell_end(&listen.id);
        }
        self.listens.subscriptions.clear();
    }

    fn tell_end(&mut self, id: &str) {
        let mut result = Object::default();
        result.set("resultType", r#""complete""#);
        result.set("_meta", subscription_meta(id));
        let remote = self.session.remote.as_ref();
        set_meta(&mut result, remote.and_then(|remote| remote.server_info.as_deref()));
        self.tell(response(id, result));
        let meta = subscription_meta(id);
        let text = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id},"_meta":{meta}}}}}"#
        );
        self.tell(text.into());
    }

    /// A list has changed: whoever asked for that is told (XB-31).
    pub(super) fn on_list_changed(&mut self, list: &str, message: &Message) {
        let Some(kind) = KINDS.iter().position(|(known, _)| *known == list) else { return };
        self.tell_listens(message, |listen| listen.kinds[kind]);
    }

    /// A resource has changed. The server may name a part of what was subscribed to (XB-32).
    pub(super) fn on_updated(&mut self, message: &Message) {
        let uri = message.param("uri").map(unquote).unwrap_or_default();
        let has = |matches: &dyn Fn(&str) -> bool, listen: &Listen| {
            listen.uris.iter().any(|known| matches(known))
        };
        let is_same = |known: &str| known == uri;
        let is_within = |known: &str| is_part(&uri, known);
        let any = |matches: &dyn Fn(&str) -> bool| {
            self.listens.all.values().any(|listen| has(matches, listen))
        };
        if any(&is_same) {
            self.tell_listens(message, |listen| has(&is_same, listen));
        } else if any(&is_within) {
            self.tell_listens(message, |listen| has(&is_within, listen));
        } else {
            self.tell_listens(message, |listen| !listen.uris.is_empty());
        }
    }

    fn tell_listens(&mut self, message: &Message, wants: impl Fn(&Listen) -> bool) {
        for listen in self.listens.all.values_mut().filter(|listen| wants(listen)) {
            let bytes = tagged(message, &listen.id);
            if listen.is_acknowledged {
                self.turns.push(super::Turn::Local(bytes));
            } else if !listen.early.contains(&bytes) {
                listen.early.push(bytes);
            }
        }
    }
}

impl Listen {
    /// Whether nothing is honoured of it.
    fn is_empty(&self) -> bool {
        self.uris.is_empty() && self.kinds == [false; KINDS.len()]
    }

    /// What is honoured of it (MD-40).
    fn acknowledgement(&self) -> Bytes {
        let mut honoured = Object::default();
        for ((_, name), _) in KINDS.iter().zip(self.kinds).filter(|(_, wanted)| *wanted) {
            honoured.set(name, "true");
        }
        if !self.uris.is_empty() {
            let uris: Vec<String> = self.uris.iter().map(|uri| quote(uri)).collect();
            honoured.set("resourceSubscriptions", format!("[{}]", uris.join(",")));
        }
        let meta = subscription_meta(&self.id);
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"notifications":{honoured},"_meta":{meta}}}}}"#
        )
        .into()
    }
}

/// The URIs that a filter names, each once.
fn uris(filter: &str) -> Vec<String> {
    let list = member(filter, "resourceSubscriptions");
    let list = list.and_then(|list| elements(list.as_bytes())).unwrap_or_default();
    let mut uris: Vec<String> = Vec::new();
    for uri in list.iter().map(|uri| RawValue::get(uri)).filter(|uri| uri.starts_with('"')) {
        let uri = unquote(uri);
        if !uris.iter().any(|known| *known == uri) {
            uris.push(uri.into_owned());
        }
    }
    uris
}

/// Whether `uri` names a part of what `whole` names.
fn is_part(uri: &str, whole: &str) -> bool {
    uri.strip_prefix(whole)
        .is_some_and(|rest| whole.ends_with('/') || rest.starts_with(['/', '?', '#']))
}

fn subscription_meta(id: &str) -> String {
    format!(r#"{{"{}":{id}}}"#, meta::SUBSCRIPTION_ID)
}

/// A notification of the server, as one for the listen of that raw id.
fn tagged(message: &Message, id: &str) -> Bytes {
    let mut params = message.params().and_then(Object::parse).unwrap_or_default();
    let old = params.remove("_meta").unwrap_or_default();
    let mut meta = Object::parse(&old).unwrap_or_default();
    meta.set(meta::SUBSCRIPTION_ID, id);
    params.set("_meta", meta.to_string());
    message.with_params(&params.to_string())
}
