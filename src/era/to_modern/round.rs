//! One round of input that a server asks for (26:mrtr).

use super::{
    client::{Client, only},
    downgrade,
};
use crate::{
    message::{
        member,
        object::{Object, quote},
        unquote,
    },
    time::Millis,
};

/// What a client may be asked (MD-30).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// `elicitation/create`.
    Elicitation,
    /// `sampling/createMessage`.
    Sampling,
    /// `roots/list`.
    Roots,
}

impl Input {
    /// Its method.
    pub fn method(self) -> &'static str {
        match self {
            Input::Elicitation => "elicitation/create",
            Input::Sampling => "sampling/createMessage",
            Input::Roots => "roots/list",
        }
    }

    /// The client's answer as the bare type that the server wants (MD-35, XA-43); `None` where it
    /// is no such thing.
    pub fn bare(self, result: &str) -> Option<String> {
        let (names, needed): (&[&str], _) = match self {
            Input::Elicitation => (&["action", "content"], "action"),
            Input::Sampling => (&["role", "content", "model", "stopReason", "_meta"], "content"),
            Input::Roots => (&["roots"], "roots"),
        };
        member(result, needed).map(|_| only(result, names))
    }
}

/// How far a question is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not asked yet.
    Waiting,
    /// Asked under this id.
    Asked(String),
    /// Answered with this bare result.
    Answered(String),
}

/// One thing the client is asked.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name in `inputRequests`.
    pub key: String,
    /// Its kind.
    pub input: Input,
    /// The parameters for the client; `roots/list` has none.
    pub params: Option<String>,
    /// The URL that a person is to visit.
    pub url: Option<String>,
    /// It is not asked before.
    pub not_before: Millis,
    /// How far it is.
    pub stage: Stage,
}

/// What a server asks in one round.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// `requestState`, the raw token.
    pub state: Option<String>,
    /// The questions.
    pub entries: Vec<Entry>,
}

impl Round {
    /// Reads an InputRequiredResult, or a task that wants input (XA-40).
    ///
    /// # Errors
    /// What the server may not ask of this client.
    pub fn read(result: &Object<'_>, client: &Client) -> Result<Self, String> {
        let state = result.get("requestState").filter(|state| *state != "null");
        let mut entries = Vec::new();
        if let Some(requests) = result.get("inputRequests").filter(|it| *it != "null") {
            let all = Object::parse(requests).ok_or("`inputRequests` is not an object")?;
            for (key, request) in all.iter() {
                entries.push(Entry::read(&key, request, client)?);
            }
        }
        Ok(Round { state: state.map(str::to_owned), entries })
    }

    /// The question asked under this id.
    pub fn asked(&mut self, id: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| matches!(&entry.stage, Stage::Asked(as_) if as_ == id))
    }

    /// The ids of all questions that have no answer yet.
    pub fn open_ids(&self) -> Vec<String> {
        let id = |entry: &Entry| match &entry.stage {
            Stage::Asked(id) => Some(id.clone()),
            Stage::Waiting | Stage::Answered(_) => None,
        };
        self.entries.iter().filter_map(id).collect()
    }

    /// `inputResponses`, once everything is answered (MD-31).
    pub fn responses(&self) -> Option<String> {
        let mut all = Vec::new();
        for entry in &self.entries {
            let Stage::Answered(answer) = &entry.stage else { return None };
            all.push(format!("{}:{answer}", quote(&entry.key)));
        }
        Some(format!("{{{}}}", all.join(",")))
    }

    /// The questions to ask now: forms one after another, everything else at once (XA-41). Also
    /// when the next one is due that has to wait.
    pub fn due(&self, now: Millis) -> (Vec<usize>, Option<Millis>) {
        let is_elicitation = |entry: &Entry| entry.input == Input::Elicitation;
        let mut is_shown = self
            .entries
            .iter()
            .any(|entry| is_elicitation(entry) && matches!(entry.stage, Stage::Asked(_)));
        let (mut due, mut later) = (Vec::new(), None);
        for (index, entry) in self.entries.iter().enumerate() {
            if entry.stage != Stage::Waiting || is_elicitation(entry) && is_shown {
                continue;
            }
            is_shown |= is_elicitation(entry);
            if entry.not_before > now {
                later = Some(entry.not_before);
            } else {
                due.push(index);
            }
        }
        (due, later)
    }
}

impl Entry {
    fn new(key: &str, input: Input, params: Option<String>) -> Self {
        let stage = Stage::Waiting;
        Entry { key: key.to_owned(), input, params, url: None, not_before: 0, stage }
    }

    fn read(key: &str, request: &str, client: &Client) -> Result<Self, String> {
        let method = member(request, "method").map(unquote).unwrap_or_default();
        let params = member(request, "params").unwrap_or("{}");
        match method.as_ref() {
            "elicitation/create" => Entry::elicitation(key, params, client),
            "sampling/createMessage" if client.sampling => Entry::sampling(key, params, client),
            "roots/list" if client.roots => Ok(Entry::new(key, Input::Roots, None)),
            "roots/list" | "sampling/createMessage" => {
                Err(format!("it asks for `{method}`, which the client did not offer"))
            }
            _ => Err("it asks for what no client can be asked".to_owned()),
        }
    }

    fn sampling(key: &str, params: &str, client: &Client) -> Result<Self, String> {
        let wants = |name| member(params, name).is_some();
        if (wants("tools") || wants("toolChoice")) && !client.sampling_tools {
            return Err(
                "it asks for a sample with tools, which the client did not offer".to_owned()
            );
        }
        let params =
            if client.is_latest() { params.to_owned() } else { downgrade::sampling(params)? };
        Ok(Entry::new(key, Input::Sampling, Some(params)))
    }

    fn elicitation(key: &str, params: &str, client: &Client) -> Result<Self, String> {
        let entry = |params| Entry::new(key, Input::Elicitation, params);
        let mode = member(params, "mode").map(unquote).unwrap_or("form".into());
        match mode.as_ref() {
            "form" if client.form && client.is_latest() => Ok(entry(Some(params.to_owned()))),
            "form" if client.form => Ok(match downgrade::form(params) {
                Some(params) => entry(Some(params)),
                None => Entry { stage: Stage::Answered(CANCEL.to_owned()), ..entry(None) },
            }),
            "url" if client.url => {
                let url = member(params, "url").map(unquote).ok_or("it names no URL to visit")?;
                Ok(Entry { url: Some(url.into_owned()), ..entry(Some(params.to_owned())) })
            }
            "form" | "url" => {
                Err(format!("it asks for input by {mode}, which the client did not offer"))
            }
            _ => Err("it asks for input in an unknown mode".to_owned()),
        }
    }
}

/// What an elicitation comes to that the client refused or cannot show (XA-44, XA-47).
pub(super) const CANCEL: &str = r#"{"action":"cancel"}"#;
