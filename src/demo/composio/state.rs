//! What the stand-in remembers, and one request as the operations see it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use super::{
    Failure, KeyKind, Seen,
    catalogue::{self, slug},
    reply::{Refusal, invalid, missing},
};

/// Everything that exists.
pub(super) struct State {
    /// The origin of every URL that is given out.
    pub(super) base: String,
    pub(super) keys: Vec<Key>,
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) servers: BTreeMap<String, Server>,
    pub(super) accounts: Vec<Account>,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) failures: Vec<Failure>,
    pub(super) seen: Vec<Seen>,
}

/// A key, and the project that it is for.
pub(super) struct Key {
    pub(super) text: String,
    pub(super) kind: KeyKind,
    pub(super) project: usize,
}

/// A session of Composio's.
pub(super) struct Session {
    pub(super) project: usize,
    pub(super) user: String,
    /// The blocks, as requests say them.
    pub(super) blocks: Value,
    /// Each configuration that it had, as answers say it; the last is the one that it has.
    pub(super) history: Vec<Value>,
    /// What the person has approved for the rest of the session.
    pub(super) approved: BTreeSet<String>,
}

/// An MCP server.
pub(super) struct Server {
    pub(super) project: usize,
    pub(super) name: String,
    pub(super) auth_configs: Vec<String>,
    /// Further apps, beside those of the auth configs.
    pub(super) toolkits: Vec<String>,
    pub(super) allowed_tools: Vec<String>,
    pub(super) managed: bool,
    pub(super) created_at: String,
    pub(super) updated_at: String,
    /// User id and time of making.
    pub(super) instances: Vec<(String, String)>,
}

/// A connected account, or one that waits for the person.
pub(super) struct Account {
    pub(super) id: String,
    pub(super) project: usize,
    pub(super) user: String,
    pub(super) toolkit: &'static str,
    /// What the person calls it; empty where that is nothing.
    pub(super) alias: String,
    pub(super) is_active: bool,
    /// The last part of the address that connects it.
    pub(super) token: String,
    pub(super) created_at: String,
}

impl State {
    /// A session of the caller's project.
    pub(super) fn session(&mut self, call: &Call) -> Result<&mut Session, Refusal> {
        let id = call.id(0);
        if !id.starts_with("trs_") {
            return Err(invalid(vec!["session_id: must start with trs_".into()]));
        }
        let found = self.sessions.get_mut(id).filter(|session| session.project == call.project);
        found.ok_or_else(|| missing("Session", id))
    }

    /// An MCP server of the caller's project.
    pub(super) fn server(&mut self, call: &Call, id: &str) -> Result<&mut Server, Refusal> {
        let found = self.servers.get_mut(id).filter(|server| server.project == call.project);
        found.ok_or_else(|| missing("MCP server", id))
    }

    /// The accounts of a user for an app, the connected ones.
    pub(super) fn connected(
        &self,
        project: usize,
        user: &str,
        toolkit: &str,
    ) -> impl Iterator<Item = &Account> {
        self.accounts.iter().filter(move |account| {
            account.is_active
                && (account.project, account.user.as_str(), account.toolkit)
                    == (project, user, toolkit)
        })
    }

    /// Makes an account, which is connected at once or waits for a visit of its link.
    pub(super) fn open_account(
        &mut self,
        project: usize,
        user: &str,
        toolkit: &'static Value,
        is_active: bool,
    ) -> &mut Account {
        let at = self.accounts.len();
        self.accounts.push(Account {
            id: new_id("ca_"),
            project,
            user: user.to_owned(),
            toolkit: slug(toolkit),
            alias: String::new(),
            is_active,
            token: new_id("lk_"),
            created_at: now(),
        });
        &mut self.accounts[at]
    }
}

impl Server {
    /// The apps that it serves.
    pub(super) fn serves(&self) -> Vec<&'static Value> {
        let configured = self.auth_configs.iter().filter_map(|id| catalogue::of_auth_config(id));
        let mut all: Vec<_> = configured.collect();
        for toolkit in self.toolkits.iter().filter_map(|slug| catalogue::toolkit(slug)) {
            if !all.iter().any(|known| slug(known) == slug(toolkit)) {
                all.push(toolkit);
            }
        }
        all
    }
}

/// One request, let in and with a sound body.
pub(super) struct Call {
    pub(super) project: usize,
    /// What stands in the path where the table has `{}`.
    pub(super) ids: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Value,
}

impl Call {
    /// A part of the path.
    pub(super) fn id(&self, index: usize) -> &str {
        self.ids.get(index).map(String::as_str).unwrap_or_default()
    }

    /// A parameter of the query.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The parts of a parameter that is a list with commas; none where it is not given.
    pub(super) fn list(&self, name: &str) -> Option<Vec<&str>> {
        self.query(name).map(|list| list.split(',').map(str::trim).collect())
    }

    /// A number from 1 to `most`.
    pub(super) fn number(&self, name: &str, usual: usize, most: usize) -> Result<usize, Refusal> {
        let Some(text) = self.query(name) else { return Ok(usual) };
        let number = text.parse().ok().filter(|number| (1..=most).contains(number));
        number.ok_or_else(|| invalid(vec![format!("{name}: must be between 1 and {most}")]))
    }
}

/// A new id: the prefix, and twelve letters and digits.
pub(super) fn new_id(prefix: &str) -> String {
    let random = std::iter::repeat_with(fastrand::alphanumeric).take(12);
    prefix.chars().chain(random).collect()
}

/// A new id in the form of a UUID.
pub(super) fn new_uuid() -> String {
    let random = fastrand::u128(..);
    let part = |shift: u32, digits: u32| (random >> shift) & ((1 << (digits * 4)) - 1);
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        part(96, 8),
        part(80, 4),
        part(64, 3),
        part(48, 3),
        part(0, 12)
    )
}

/// The time, as the API writes it.
pub(super) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    date(since.as_secs())
}

fn date(seconds: u64) -> String {
    // Days in eras of 400 years, which begin on 1 March: so the leap day is the last of its year.
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..=9 => (era * 400 + year, month + 3),
        _ => (era * 400 + year + 1, month - 9),
    };
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (1_735_689_600, "2025-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }

    #[test]
    fn ids_look_like_composios() {
        let uuid = new_uuid();
        assert_eq!((uuid.len(), uuid.matches('-').count()), (36, 4), "{uuid}");
        assert_eq!(new_id("trs_").len(), 16);
    }
}
