//! Answering for a remote that is not there yet.

use serde_json::json;

use super::{Action, Own, State};
use crate::{
    bridge::{
        memory::Memory,
        pending::{Key, Stage},
    },
    error::{Error, Kind},
    message::{Message, member, replace_member, unquote},
    protocol::{List, Method, answer_version},
    time::Millis,
};

/// What the local client was told in the remote's place.
#[derive(Debug, Default)]
pub(super) struct Provisional {
    /// Whether that is how `initialize` was answered, and the remote has not been there since.
    open: bool,
    /// Until when lists that nobody knows are waited for.
    until: Millis,
    /// What was remembered.
    memory: Memory,
    /// The first pages that were given out, to compare later.
    served: Vec<(List, String)>,
}

impl Provisional {
    pub(super) fn is_open(&self) -> bool {
        self.open
    }
}

impl State {
    /// The remote has not answered `initialize` in time.
    pub(super) fn on_grace(&mut self) {
        // The grace of an earlier `initialize` is not that of this one.
        let is_over = self.now.mono >= self.local.since + self.settings.grace;
        if is_over && self.local.unanswered_initialize().is_some() {
            self.act(Action::Recall);
        }
    }

    pub(super) fn on_recalled(&mut self, memory: Memory) {
        let Some(initialize) = self.local.take_unanswered() else { return };
        let id = initialize.id().unwrap_or("null");
        let asked = initialize.param("protocolVersion").map(unquote).unwrap_or_default();
        let result = match &memory.initialize {
            // Another client may have asked the last time, for another version.
            Some(result) => {
                let version = format!("\"{}\"", answer_version(&asked));
                replace_member(result, "protocolVersion", &version)
            }
            None => self.provisional_result(&asked),
        };
        let result = self.with_sign_in_told(result);
        self.local.version =
            member(&result, "protocolVersion").map(|version| unquote(version).into_owned());
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        self.act(Action::Write(answer.into()));
        // All lists together have half of the time that `initialize` had: clients give up early, and
        // some ask for one after the other.
        let until = self.now.mono + self.settings.grace / 2;
        self.provisional = Provisional { open: true, until, memory, served: Vec::new() };
        let lists = self.requests.keys(|request| {
            matches!(request.stage, Stage::Held) && matches!(request.method, Method::List(_))
        });
        lists.into_iter().for_each(|key| self.serve_from_memory(key));
    }

    /// An `initialize` result that promises nothing but to tell when there is something.
    fn provisional_result(&self, asked: &str) -> String {
        let origin = &self.settings.origin;
        let unknown = || Error::new(Kind::Unreachable, format!("{origin} has not answered yet"));
        let why = self.link.failure().cloned().unwrap_or_else(unknown);
        let changes = json!({ "listChanged": true });
        json!({
            "protocolVersion": answer_version(asked),
            "capabilities": {
                "tools": changes, "prompts": changes, "resources": changes,
                "logging": {}, "completions": {},
            },
            "serverInfo": { "name": "composio-bridge", "version": env!("CARGO_PKG_VERSION") },
            "instructions": self.instructions(&why),
        })
        .to_string()
    }

    /// While the remote is not there, lists are answered as they were the last time. One that was
    /// never seen is waited for a little, and is empty then.
    pub(super) fn serve_from_memory(&mut self, key: Key) {
        if !self.provisional.open {
            return;
        }
        let Some(request) = self.requests.get(key) else { return };
        let Method::List(list) = request.method else { return };
        if let Some(page) = self.provisional.memory.page(list, &request.cursor) {
            let page = page.to_owned();
            return self.serve(key, list, page);
        }
        let deadline = self.provisional.until.max(self.now.mono);
        if let Some(request) = self.requests.get_mut(key) {
            request.deadline = Some(deadline);
        }
        self.watch_deadlines(deadline);
    }

    /// A list that nobody knows has been waited for long enough.
    pub(super) fn serve_empty_list(&mut self, key: Key) -> bool {
        let method = self.requests.get(key).map(|request| request.method);
        let Some(Method::List(list)) = method.filter(|_| self.provisional.open) else {
            return false;
        };
        self.serve(key, list, list.empty());
        true
    }

    fn serve(&mut self, key: Key, list: List, result: String) {
        let Some(request) = self.requests.remove(key) else { return };
        self.held.retain(|held| !matches!(held, super::Held::Request(held) if *held == key));
        let shown = match list {
            List::Tools => self.settings.filter.apply(&result),
            List::Prompts | List::Resources => None,
        };
        let shown = shown.as_ref().unwrap_or(&result);
        let id = request.id();
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{shown}}}"#);
        self.reply(crate::message::one_line(answer.into()), request.batch);
        if request.cursor.is_empty() {
            self.provisional.served.retain(|(known, _)| *known != list);
            self.provisional.served.push((list, result));
        }
    }

    /// The remote is there at last, or again: what was told in its place is compared with what it
    /// says.
    pub(super) fn catch_up(&mut self) {
        self.provisional.open = false;
        let lists: Vec<List> = self.provisional.served.iter().map(|(list, _)| *list).collect();
        for list in lists {
            self.ask(Own::Compare(list), &format!("{}/list", list.name()), "");
        }
    }

    /// The remote has answered what a list really holds: an error is as good as an empty one. No
    /// answer counts as a difference, and the client will see.
    pub(super) fn on_compared(&mut self, list: List, answer: Option<&Message>) {
        let Some(at) = self.provisional.served.iter().position(|(served, _)| *served == list)
        else {
            return;
        };
        let (_, served) = self.provisional.served.swap_remove(at);
        let result = answer.and_then(Message::result);
        if let Some(text) = result.and_then(|result| self.learned.learn(list, "", result)) {
            self.act(Action::Remember(crate::bridge::memory::Remembered::List(list), text));
        }
        let real = answer.map(|_| result.map_or_else(|| list.empty(), str::to_owned));
        if real != Some(served) {
            self.announce_change(list);
        }
    }
}
