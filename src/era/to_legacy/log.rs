//! Log messages: a level for each request toward the client, one for the session toward the
//! server (XB-60 to XB-62).

use super::{Own, Timer, ToLegacy};
use crate::{
    message::{Message, unquote},
    time::Millis,
};

/// How long a request waits for the server to take in the level.
const LEVEL: Millis = 5_000;

/// A severity (26:log), the least severe first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Level(usize);

const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

impl Level {
    /// The one that the raw `token` names.
    pub(super) fn of(token: &str) -> Option<Self> {
        let name = unquote(token);
        LEVELS.iter().position(|known| *known == name).filter(|_| token.starts_with('"')).map(Level)
    }

    fn name(self) -> &'static str {
        LEVELS[self.0]
    }
}

/// What the server was told.
#[derive(Debug, Default)]
pub(super) struct Log {
    current: Option<Level>,
    /// The level of the request of that number, which has no answer yet.
    asked: Option<(u64, Level)>,
}

impl ToLegacy {
    /// Whether the server sends all that a waiting request wants to read. If not, it is told.
    pub(super) fn has_level_for(&mut self, index: usize) -> bool {
        let level = self.waiting.get(index).and_then(|waiting| waiting.call.level);
        self.raise_level(level)
    }

    /// Has the server send what a request of that level wants; whether it does already. The level
    /// of the session is that of the most curious request (XB-60).
    pub(super) fn raise_level(&mut self, level: Option<Level>) -> bool {
        let Some(level) = level else { return true };
        if !self.session.remote.as_ref().is_some_and(|remote| remote.has_logging) {
            return true;
        }
        let running = self.calls.values().filter(|call| !call.is_held);
        let needed = running.filter_map(|call| call.level).fold(level, Level::min);
        if let Some((_, asked)) = self.log.asked {
            return asked <= needed && self.log.current.is_some_and(|current| current <= needed);
        }
        let is_enough = self.log.current.is_some_and(|current| current <= needed);
        if self.log.current != Some(needed) {
            let params = format!(r#"{{"level":"{}"}}"#, needed.name());
            let number = self.ask(Own::Level, "logging/setLevel", &params);
            self.log.asked = Some((number, needed));
            self.after(LEVEL, Timer::Level(number));
        }
        is_enough
    }

    /// The server has taken in the level, or refused, or says nothing: no request waits for it any
    /// longer.
    pub(super) fn on_level_set(&mut self, number: u64) {
        if let Some((_, level)) = self.log.asked.take_if(|(asked, _)| *asked == number) {
            self.log.current = Some(level);
            self.pump();
        }
    }

    /// A log message goes to the client if the request that it belongs to wants it; without one,
    /// if any running request does (XB-61).
    pub(super) fn on_log_message(&mut self, message: &Message, during: Option<&str>) {
        let Some(severity) = message.param("level").and_then(Level::of) else { return };
        let wants = |level: Option<Level>| level.is_some_and(|level| severity >= level);
        let is_wanted = match during {
            Some(id) => self
                .own_number(id)
                .and_then(|number| self.call_of(number))
                .and_then(|number| self.calls.get(&number))
                .is_some_and(|call| !call.is_held && wants(call.level)),
            None => self.calls.values().any(|call| !call.is_held && wants(call.level)),
        };
        if is_wanted {
            self.tell(message.bytes().clone());
        }
    }
}
