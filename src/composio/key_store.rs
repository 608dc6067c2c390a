//! The key that `composio-bridge key set` stored, readable by nobody else; and the files in which
//! Composio's own command line keeps its key, which are read only where that was asked for.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::key::{Ids, Key};
use crate::{
    config::environment::Environment,
    error::{Error, Kind},
    json::text,
    kept,
};

/// Where the key is stored.
#[derive(Debug, Clone)]
pub struct KeyStore {
    file: PathBuf,
}

impl KeyStore {
    /// The place in a state directory.
    pub fn below(state_dir: &Path) -> Self {
        KeyStore { file: state_dir.join("keys").join("composio.json") }
    }

    /// The stored key, and the ids that were stored with it.
    ///
    /// # Errors
    /// The file is there and cannot be read, or is none of ours.
    pub fn read(&self) -> Result<Option<(SecretString, Option<Ids>)>, Error> {
        let Some(stored) = read(&self.file)? else { return Ok(None) };
        let ids = text(&stored, "org_id").zip(text(&stored, "project_id"));
        let ids = ids.map(|(org, project)| Ids { org: org.into(), project: project.into() });
        match text(&stored, "key") {
            Some(key) => Ok(Some((key.into(), ids))),
            None => Err(unreadable(&self.file)
                .because("it holds no key")
                .hint("store the key again with `composio-bridge key set`")),
        }
    }

    /// Stores a key in the place of what was stored before, at once and readable by nobody else.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, key: &Key) -> Result<(), Error> {
        let mut stored = json!({ "key": key.secret().expose_secret() });
        if let Some(ids) = key.ids() {
            stored["org_id"] = Value::from(ids.org.as_str());
            stored["project_id"] = Value::from(ids.project.as_str());
        }
        kept::write_for_good(&self.file, &stored.to_string()).map_err(|cause| {
            let what = format!("could not store the key in {}", self.file.display());
            Error::new(Kind::Unexpected, what).because(cause.to_string()).hint(kept::ELSEWHERE)
        })
    }

    /// Forgets the stored key; says whether there was one.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(&self) -> Result<bool, Error> {
        kept::remove(&self.file).map_err(|cause| {
            Error::new(Kind::Unexpected, "could not remove the stored key")
                .because(cause.to_string())
        })
    }
}

/// The directory in which Composio's own command line keeps its files.
pub fn composio_cli(env: &Environment) -> PathBuf {
    let named = env.get("COMPOSIO_CACHE_DIR").unwrap_or("~/.composio");
    env.expand_home(Path::new(named))
}

/// The key in the files of Composio's own command line.
///
/// # Errors
/// There is none, or a file cannot be read.
pub fn key_of_composio_cli(directory: &Path) -> Result<SecretString, Error> {
    for name in ["user_data.json", "agent.json"] {
        let stored = read(&directory.join(name))?.unwrap_or_default();
        if let Some(key) = text(&stored, "api_key") {
            return Ok(key.into());
        }
    }
    Err(Error::new(Kind::Config, "Composio's command line has no key to use")
        .because(format!("looked in {} for user_data.json and agent.json", directory.display()))
        .hint("sign in with `composio login`, or leave out `--use-composio-cli-key`"))
}

/// The JSON in a file, or none where there is no file. What it holds is in no message.
fn read(file: &Path) -> Result<Option<Value>, Error> {
    match fs::read(file) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(unreadable(file).because("it is no JSON")),
        },
        Err(cause)
            if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(cause) => Err(unreadable(file).because(cause.to_string())),
    }
}

fn unreadable(file: &Path) -> Error {
    Error::new(Kind::Config, format!("could not take the key from {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::composio::key;

    fn key(text: &str, ids: Option<&str>) -> Key {
        Key::new(text, key::Kind::Unknown, ids, ids).expect("a good key")
    }

    #[test]
    fn a_key_comes_back_replaces_the_other_and_is_forgotten() {
        let home = tempfile::tempdir().expect("a directory");
        let store = KeyStore::below(&home.path().join("state"));
        let read = || {
            store.read().expect("readable").map(|(key, ids)| (key.expose_secret().to_owned(), ids))
        };
        assert_eq!((read(), store.remove()), (None, Ok(false)));
        store.write(&key("uak_1", Some("i"))).expect("stored");
        let ids = Ids { org: "i".into(), project: "i".into() };
        assert_eq!(read(), Some(("uak_1".into(), Some(ids))));
        store.write(&key("ak_2", None)).expect("stored");
        assert_eq!(read(), Some(("ak_2".into(), None)));
        assert_eq!((store.remove(), read()), (Ok(true), None));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().expect("a directory");
        let store = KeyStore::below(&home.path().join("state"));
        store.write(&key("ak_1", None)).expect("stored");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&store.file), 0o600);
        assert_eq!(mode(store.file.parent().expect("below")), 0o700);
        assert_eq!(mode(&home.path().join("state")), 0o700);
    }

    #[test]
    fn a_file_that_holds_no_key_is_named_and_not_shown() {
        let home = tempfile::tempdir().expect("a directory");
        let store = KeyStore::below(home.path());
        store.write(&key("ak_1", None)).expect("stored");
        for text in ["SECRET", "{}", r#"{"key":["SECRET"]}"#] {
            fs::write(&store.file, text).expect("written");
            let report = store.read().expect_err("no key").report();
            assert!(report.contains("composio.json") && !report.contains("SECRET"), "{report}");
        }
    }

    #[test]
    fn the_files_of_composios_command_line_are_found() {
        let home = tempfile::tempdir().expect("a directory");
        let report = key_of_composio_cli(home.path()).expect_err("nothing there").report();
        assert!(report.contains("composio login"), "{report}");
        let write = |name, text: &str| fs::write(home.path().join(name), text).expect("written");
        let found = || key_of_composio_cli(home.path()).expect("a key").expose_secret().to_owned();
        write("agent.json", r#"{"api_key":"ak_agent"}"#);
        assert_eq!(found(), "ak_agent");
        write("user_data.json", r#"{"api_key":"uak_1","base_url":"https://backend.composio.dev"}"#);
        assert_eq!(found(), "uak_1");
    }
}
