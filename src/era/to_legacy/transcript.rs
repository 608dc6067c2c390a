//! Dialogues as text: what each side says, line by line, and what the translation makes of it.
//!
//! ```text
//! # a comment
//! client> {...}         the client says this
//! client< {...}         the client must be told this next, to the byte
//! core> {...}           the state machine says this
//! core($call)> {...}    the same, on the response stream of that request of ours
//! core< {...}           the state machine must be told this next
//! wait 30               so many milliseconds pass
//! close                 the client goes
//! reconnected           the state machine has its session again
//! warn some words       the next line for the log must have them in it
//! ```
//!
//! `$name` stands for a piece of a line. In what is expected, an unknown name takes whatever stands
//! there, up to what follows it in the line; from then on it stands for that.

use std::collections::{BTreeMap, VecDeque};

use super::{ToLegacy, Turn};
use crate::{
    era::promised::Promised,
    message::{Kind, Message},
    time::Now,
};

/// A dialogue under way.
pub(super) struct Dialogue {
    pub machine: ToLegacy,
    pub now: Now,
    names: BTreeMap<String, String>,
    said: VecDeque<Turn>,
    line: usize,
}

/// What a remote with everything answers `initialize` with.
pub(super) const ACME: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"logging":{},"tasks":{"requests":{"tools":{"call":{}}}}},"serverInfo":{"name":"acme","version":"3.1"}}"#;

impl Dialogue {
    pub(super) fn new() -> Self {
        let names = [
            ("J", r#""jsonrpc":"2.0""#),
            ("V", r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#),
            ("CAN", r#""io.modelcontextprotocol/clientCapabilities""#),
            ("INFO", r#""io.modelcontextprotocol/clientInfo""#),
            ("LEVEL", r#""io.modelcontextprotocol/logLevel""#),
            ("SUB", r#""io.modelcontextprotocol/subscriptionId""#),
            ("SERVER", r#""io.modelcontextprotocol/serverInfo""#),
            (
                "ACME",
                r#""_meta":{"io.modelcontextprotocol/serverInfo":{"name":"acme","version":"3.1"}}"#,
            ),
            (
                "DONE",
                r#""resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"acme","version":"3.1"}}"#,
            ),
            (
                "BRIDGE",
                concat!(
                    r#"{"name":"composio-bridge","version":""#,
                    env!("CARGO_PKG_VERSION"),
                    r#""}"#
                ),
            ),
        ];
        let now = Now { mono: 1000, ..Now::default() };
        let mut machine = ToLegacy::new([7; 32], "b-", 720_000);
        machine.listening(true, now, &mut Vec::new());
        Dialogue {
            machine,
            now,
            names: names.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
            said: VecDeque::new(),
            line: 0,
        }
    }

    /// With a session, as `server/discover` of a client of these capabilities opens it.
    pub(super) fn open(capabilities: &str, initialize_result: &str) -> Self {
        let mut dialogue = Dialogue::new();
        dialogue.name("R", initialize_result);
        dialogue.name("CAP", capabilities);
        dialogue.play(
            r#"
            client> {$J,"id":"open","method":"server/discover","params":{"_meta":{$V,$CAN:$CAP}}}
            core< {$J,"id":"$init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":$declared,"clientInfo":$BRIDGE}}
            core> {$J,"id":"$init","result":$R}
            core< {$J,"method":"notifications/initialized"}
            client< {$J,"id":"open","result":$discovered
            "#,
        );
        dialogue.names.retain(|name, _| !["init", "declared", "discovered"].contains(&&**name));
        dialogue
    }

    /// The client has been told something before.
    pub(super) fn promise(&mut self, promised: Promised) {
        self.machine.listens.promised = promised;
    }

    /// Gives a piece of text a name.
    pub(super) fn name(&mut self, name: &str, text: &str) {
        self.names.insert(name.to_owned(), text.to_owned());
    }

    /// What has a name.
    pub(super) fn named(&self, name: &str) -> String {
        self.names[name].clone()
    }

    /// Plays on, and nothing more must have been said at the end.
    pub(super) fn play(&mut self, text: &str) {
        self.play_some(text);
        assert!(self.said.is_empty(), "said too much at the end: {:#?}", self.said);
    }

    /// Plays on.
    pub(super) fn play_some(&mut self, text: &str) {
        for line in text.lines() {
            self.line += 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (who, what) = line.split_once(' ').unwrap_or((line, ""));
            match who {
                "client<" | "core<" | "warn" => self.expect(who, what),
                _ => self.step(who, what),
            }
        }
    }

    /// What has been said and not expected yet.
    pub(super) fn take(&mut self) -> Vec<Turn> {
        self.said.drain(..).collect()
    }

    fn step(&mut self, who: &str, what: &str) {
        assert!(self.said.is_empty(), "said too much before line {}: {:#?}", self.line, self.said);
        let what = self.expand(what);
        let mut turns = Vec::new();
        match who {
            "wait" => {
                self.now.mono += what.parse::<u64>().expect("milliseconds");
                if self.machine.next_deadline().is_some_and(|at| at <= self.now.mono) {
                    self.machine.tick(self.now, &mut turns);
                }
            }
            "close" => self.machine.close(self.now, &mut turns),
            "listening" => self.machine.listening(what == "true", self.now, &mut turns),
            "reconnected" => self.machine.reconnected(&mut turns),
            _ => self.hear(who, &what, &mut turns),
        }
        turns.iter().for_each(check);
        self.said.extend(turns);
    }

    /// One side says something.
    fn hear(&mut self, who: &str, what: &str, turns: &mut Vec<Turn>) {
        let message = Message::parse(what.to_owned().into())
            .unwrap_or_else(|why| panic!("line {}: {why}: {what}", self.line));
        match who.trim_end_matches('>').split_once('(') {
            None if who == "client>" => self.machine.on_local(message, self.now, turns),
            None if who == "core>" => self.machine.on_core(message, None, self.now, turns),
            Some(("core", request)) => {
                let id = format!("\"{}\"", self.expand(request.trim_end_matches(')')));
                self.machine.on_core(message, Some(&id), self.now, turns);
            }
            _ => panic!("line {}: what is `{who}`?", self.line),
        }
    }

    fn expect(&mut self, who: &str, what: &str) {
        let turn = self.said.pop_front();
        let said = match (&turn, who) {
            (Some(Turn::Local(bytes)), "client<") | (Some(Turn::Core(bytes)), "core<") => {
                String::from_utf8_lossy(bytes).into_owned()
            }
            (Some(Turn::Warn(text)), "warn") if text.contains(what) => return,
            _ => panic!("line {}: expected {who} {what}\nsaid: {turn:#?}", self.line),
        };
        if !self.fits(what, &said) {
            panic!("line {}:\nexpected {}\n    said {said}", self.line, self.expand(what));
        }
    }

    /// Whether `said` is what `pattern` says; takes in the names that were unknown.
    fn fits(&mut self, pattern: &str, said: &str) -> bool {
        let (mut pattern, mut said) = (pattern, said);
        while let Some((literal, rest)) = pattern.split_once('$') {
            let Some(after) = said.strip_prefix(literal) else { return false };
            let (name, rest) = split_name(rest);
            let value = match self.names.get(name) {
                Some(known) => known.clone(),
                None => {
                    // Up to what comes next in the pattern, or all there is.
                    let next = &rest[..rest.find('$').unwrap_or(rest.len())];
                    let end = after.find(next).filter(|_| !next.is_empty());
                    after[..end.unwrap_or(after.len())].to_owned()
                }
            };
            let Some(after) = after.strip_prefix(value.as_str()) else { return false };
            self.names.insert(name.to_owned(), value);
            (pattern, said) = (rest, after);
        }
        pattern == said
    }

    fn expand(&self, text: &str) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('$') {
            let (name, after) = split_name(after);
            expanded.push_str(literal);
            match self.names.get(name) {
                Some(value) => expanded.push_str(value),
                None => expanded.push_str(&format!("${name}")),
            }
            rest = after;
        }
        expanded + rest
    }
}

fn split_name(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    text.split_at(end)
}

/// What must hold of everything that is ever said: one message on one line, and never a request to
/// a modern client (T14).
pub(super) fn check(turn: &Turn) {
    let (Turn::Local(bytes) | Turn::Core(bytes)) = turn else { return };
    let text = String::from_utf8_lossy(bytes);
    assert!(!text.contains('\n'), "more than a line: {text}");
    let message = Message::parse(bytes.clone()).unwrap_or_else(|why| panic!("{why}: {text}"));
    let is_local = matches!(turn, Turn::Local(_));
    assert!(!is_local || message.kind() != Kind::Request, "a request to the client: {text}");
}

/// Plays a whole dialogue, from the first line on.
pub(super) fn play(text: &str) {
    Dialogue::new().play(text);
}
