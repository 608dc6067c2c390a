//! How the dialogue is shown.

use std::{io::Write, time::Duration};

use serde_json::Value;

/// Characters of a message that are shown.
const WIDTH: usize = 60;

/// Where the dialogue is shown. A reader that goes away does not end it.
pub(super) struct Screen<'a>(pub(super) &'a mut dyn Write);

impl Screen<'_> {
    pub(super) fn line(&mut self, text: &str) {
        let _ = writeln!(self.0, "{text}");
    }

    pub(super) fn sent(&mut self, text: &str) {
        self.line(&format!("  → {}", shorten(text.trim_end())));
    }

    pub(super) fn received(&mut self, text: &str, took: Option<Duration>) {
        match took {
            Some(took) => self.timed("←", text, took),
            None => self.line(&format!("  ← {}", shorten(text))),
        }
    }

    pub(super) fn other(&mut self, message: &Value) {
        self.received(&title(message), None);
    }

    pub(super) fn note(&mut self, text: &str, took: Duration) {
        self.timed("·", text, took);
    }

    fn timed(&mut self, mark: &str, text: &str, took: Duration) {
        let ms = took.as_secs_f64() * 1e3;
        self.line(&format!("  {mark} {:<WIDTH$} {ms:>9.2} ms", shorten(text)));
    }
}

/// A notification or request in few words.
pub(super) fn title(message: &Value) -> String {
    let params = &message["params"];
    let detail = ["uri", "data", "message"].into_iter().find_map(|name| params[name].as_str());
    format!("{} {}", plain(&message["method"]), detail.unwrap_or(""))
}

pub(super) fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= WIDTH {
        return text.into();
    }
    let start: String = text.chars().take(WIDTH - 1).collect();
    format!("{start}…")
}
