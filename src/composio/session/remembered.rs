//! The sessions that were made here: a file for each, readable by nobody else, so that the same
//! configuration leads to the same session again.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    error::{Error, Kind},
    json::text,
    kept::{self, digest, now},
};

/// A session that was made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Its id.
    pub id: String,
    /// Its MCP endpoint.
    pub url: String,
    /// Its user.
    pub user: String,
    /// A digest of the key and the API that it was made with.
    pub owner: String,
    /// A digest of the configuration that was asked for.
    pub wish: String,
    /// When it was made, in seconds since 1970.
    pub made_at: u64,
}

/// Where they are kept.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
}

/// The right to make a session, which one process has at a time.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Remembered {
    /// The session in an answer of the API, made as `owner` for a wish; `None` where the answer holds
    /// none.
    pub fn of(answer: &Value, owner: &str, body: &Value) -> Option<Self> {
        let config = answer.get("config").unwrap_or(body);
        Some(Remembered {
            id: text(answer, "session_id")?.to_owned(),
            url: text(answer.get("mcp")?, "url")?.to_owned(),
            user: text(config, "user_id").or(text(body, "user_id"))?.to_owned(),
            owner: owner.to_owned(),
            wish: wish(body),
            made_at: now(),
        })
    }

    fn to_json(&self) -> Value {
        json!({
            "session_id": self.id,
            "url": self.url,
            "user_id": self.user,
            "owner": self.owner,
            "wish": self.wish,
            "made_at": self.made_at,
        })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let owned = |name| text(value, name).map(String::from);
        Some(Remembered {
            id: owned("session_id")?,
            url: owned("url")?,
            user: owned("user_id")?,
            owner: owned("owner")?,
            wish: owned("wish")?,
            made_at: value.get("made_at").and_then(Value::as_u64).unwrap_or_default(),
        })
    }
}

/// The digest of what is asked for. The members of an object have no order.
fn wish(body: &Value) -> String {
    digest(&body.to_string())
}

impl Store {
    /// The place in a state directory.
    pub fn below(state_dir: &Path) -> Self {
        Store { directory: state_dir.join("composio-sessions") }
    }

    /// All sessions, the oldest first.
    pub fn all(&self) -> Vec<Remembered> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let read = |path: PathBuf| {
            let bytes = fs::read(path).ok()?;
            Remembered::from_json(&serde_json::from_slice(&bytes).ok()?)
        };
        let files = entries.map(|entry| entry.path());
        let files = files.filter(|path| path.extension().is_some_and(|end| end == "json"));
        let mut all: Vec<Remembered> = files.filter_map(read).collect();
        all.sort_by(|one, other| (one.made_at, &one.id).cmp(&(other.made_at, &other.id)));
        all
    }

    /// The newest session that was made as `owner` for the same wish.
    pub fn find(&self, owner: &str, body: &Value) -> Option<Remembered> {
        let wish = wish(body);
        self.all().into_iter().rfind(|one| one.owner == owner && one.wish == wish)
    }

    /// Remembers a session, at once and readable by nobody else.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&self, session: &Remembered) -> Result<(), Error> {
        let written = kept::write_for_good(&self.file(&session.id), &session.to_json().to_string());
        written.map_err(|cause| self.failed("remember the session", &cause))
    }

    /// Forgets a session; says whether it was remembered.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn forget(&self, id: &str) -> Result<bool, Error> {
        kept::remove(&self.file(id)).map_err(|cause| self.failed("forget the session", &cause))
    }

    /// Waits until no other process makes a session. Blocks.
    ///
    /// # Errors
    /// The lock's file cannot be made.
    pub fn lock(&self) -> Result<Lock, Error> {
        let file = kept::lock(&self.directory.join("lock"));
        let file = file.map_err(|cause| self.failed("remember the session", &cause))?;
        Ok(Lock { _file: file })
    }

    fn failed(&self, what: &str, cause: &io::Error) -> Error {
        let what = format!("could not {what} in {}", self.directory.display());
        Error::new(Kind::Unexpected, what).because(cause.to_string()).hint(kept::ELSEWHERE)
    }

    /// An id is data, and no name for a file.
    fn file(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{}.json", digest(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str, owner: &str, body: &Value) -> Remembered {
        let answer = json!({"session_id": id, "mcp": {"type": "http", "url": "https://h/mcp"}});
        Remembered::of(&answer, owner, body).expect("it is a session")
    }

    #[test]
    fn the_same_wish_of_the_same_key_finds_its_session() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::below(home.path());
        let body: Value =
            serde_json::from_str(r#"{"user_id":"u","search":{"enable":false}}"#).expect("JSON");
        let same: Value =
            serde_json::from_str(r#"{"search":{"enable":false},"user_id":"u"}"#).expect("JSON");
        assert_eq!((store.all().len(), store.find("me", &body)), (0, None));
        store.keep(&session("trs_1", "me", &body)).expect("kept");
        let mut newer = session("trs_2", "me", &body);
        newer.made_at += 1;
        store.keep(&newer).expect("kept");
        assert_eq!(store.find("me", &same), Some(newer));
        assert_eq!(store.find("you", &body), None);
        assert_eq!(store.find("me", &json!({"user_id": "u"})), None);
        assert_eq!((store.forget("trs_2"), store.forget("trs_2")), (Ok(true), Ok(false)));
        assert_eq!(store.find("me", &body).map(|found| found.id), Some("trs_1".into()));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::below(&home.path().join("state"));
        let one = session("trs_1/../..", "me", &json!({"user_id": "u"}));
        drop(store.lock().expect("nobody has it"));
        store.keep(&one).expect("kept");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&store.file(&one.id)), mode(&store.directory)), (0o600, 0o700));
        assert_eq!(mode(&store.directory.join("lock")), 0o600);
        assert_eq!(fs::read_dir(&store.directory).expect("there").count(), 2);
    }

    #[test]
    fn what_is_no_session_is_not_remembered() {
        let body = json!({"user_id": "u"});
        for answer in
            [json!({}), json!(null), json!({"session_id": "trs_1"}), json!({"mcp": {"url": "u"}})]
        {
            assert_eq!(Remembered::of(&answer, "me", &body), None, "{answer}");
        }
    }
}
