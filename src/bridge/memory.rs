//! What the remote answered the last time, for a start at which it is not there. Pure.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::message::member;
use crate::protocol::List;

/// One remembered thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remembered {
    /// The result of `initialize`.
    Initialize,
    /// The pages of a list.
    List(List),
}

impl Remembered {
    /// All of them.
    pub const ALL: [Remembered; 4] = [
        Remembered::Initialize,
        Remembered::List(List::Tools),
        Remembered::List(List::Prompts),
        Remembered::List(List::Resources),
    ];

    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Remembered::Initialize => "initialize",
            Remembered::List(list) => list.name(),
        }
    }
}

/// The results that were remembered.
#[derive(Debug, Default)]
pub struct Memory {
    /// The result of `initialize`.
    pub initialize: Option<String>,
    lists: HashMap<List, Pages>,
}

/// The results of a list, by the cursor that asked for them; the first page by the empty one.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Pages(BTreeMap<String, Box<RawValue>>);

impl Memory {
    /// Takes in one thing as the store has it; anything unreadable is as good as forgotten.
    pub fn restore(&mut self, what: Remembered, text: String) {
        match what {
            Remembered::Initialize => {
                self.initialize = Some(text).filter(|text| is_initialize_result(text));
            }
            Remembered::List(list) => {
                if let Ok(pages) = serde_json::from_str(&text) {
                    self.lists.insert(list, pages);
                }
            }
        }
    }

    /// The result that `cursor` was answered with.
    pub fn page(&self, list: List, cursor: &str) -> Option<&str> {
        self.lists.get(&list)?.0.get(cursor).map(|page| page.get())
    }

    /// Takes in a page; gives the text for the store if it is news. A first page forgets the
    /// others: their cursors are over.
    pub fn learn(&mut self, list: List, cursor: &str, result: &str) -> Option<String> {
        if self.page(list, cursor) == Some(result) {
            return None;
        }
        let page = RawValue::from_string(result.to_owned()).ok()?;
        let pages = self.lists.entry(list).or_default();
        if cursor.is_empty() {
            pages.0.clear();
        }
        pages.0.insert(cursor.to_owned(), page);
        serde_json::to_string(pages).ok()
    }
}

/// Whether a client could live with it.
fn is_initialize_result(text: &str) -> bool {
    ["protocolVersion", "capabilities", "serverInfo"]
        .iter()
        .all(|name| member(text, name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learned_can_be_restored_byte_for_byte() {
        let mut memory = Memory::default();
        let first = r#"{ "tools":[{"n":1.0}],"nextCursor":"p2"}"#;
        assert!(memory.learn(List::Tools, "", first).is_some());
        assert!(memory.learn(List::Tools, "", first).is_none(), "no news");
        let text = memory.learn(List::Tools, "p2", r#"{"tools":[]}"#).expect("news");

        let mut later = Memory::default();
        later.restore(Remembered::List(List::Tools), text);
        assert_eq!(later.page(List::Tools, ""), Some(first));
        assert_eq!(later.page(List::Tools, "p2"), Some(r#"{"tools":[]}"#));
        assert_eq!(later.page(List::Prompts, ""), None);
    }

    #[test]
    fn a_new_first_page_forgets_the_others_and_rubbish_is_forgotten() {
        let mut memory = Memory::default();
        memory.learn(List::Tools, "p2", "{}");
        memory.learn(List::Tools, "", "{}");
        assert_eq!(memory.page(List::Tools, "p2"), None);
        memory.restore(Remembered::List(List::Prompts), "not json".to_owned());
        memory.restore(Remembered::Initialize, "{}".to_owned());
        assert_eq!(memory.initialize, None);
        assert_eq!(memory.page(List::Prompts, ""), None);
    }
}
