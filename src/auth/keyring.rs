//! The secrets of sign-ins in the operating system's own store, with the cargo feature `keyring`:
//! the Keychain, the Credential Manager, or a Secret Service.
//!
//! The file keeps what is no secret, and a mark that changes with each writing. Where the store
//! cannot be reached, or does not take something so long, the file keeps everything as it does
//! without the feature. A store may ask the person to unlock it: nobody waits long for that.

use std::{
    path::Path,
    sync::{
        Mutex, PoisonError,
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use keyring_core::{Entry, Error, Result};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tracing::debug;

/// What the store is asked for under.
const SERVICE: &str = "composio-bridge";

/// The member of the file that says that secrets are in the store.
const MARK: &str = "keyring";

/// What is a secret.
const SECRETS: [&str; 4] = ["access_token", "id_token", "refresh_token", "client_secret"];

/// How long the store may take.
const LIMIT: Duration = Duration::from_secs(2);

/// How long a store that took longer, or was not there, is left alone.
const PAUSE: Duration = Duration::from_secs(30);

/// When the store could not be used last.
static FAILED: Mutex<Option<Instant>> = Mutex::new(None);

/// What was read or written last: the entry, its mark, its secrets. Whoever waits for somebody to
/// sign in reads often.
static KNOWN: Mutex<Option<(String, String, SecretString)>> = Mutex::new(None);

/// Moves the secrets of a sign-in to the store; all stay where that cannot be done.
pub fn keep(file: &Path, mut sign_in: Value) -> Value {
    if let Some(members) = sign_in.as_object_mut() {
        move_out(file, members);
    }
    sign_in
}

fn move_out(file: &Path, members: &mut Map<String, Value>) {
    let secrets: Map<String, Value> = SECRETS
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), members.get(*name)?.clone())))
        .collect();
    let text = SecretString::from(Value::Object(secrets).to_string());
    let name = name(file);
    let (entry, kept) = (name.clone(), text.clone());
    let set = move || open(&entry)?.set_secret(kept.expose_secret().as_bytes());
    if ask(set).is_none() {
        // What it has of before would never be used again.
        forget(file);
        return;
    }
    members.retain(|name, _| !SECRETS.contains(&name.as_str()));
    let mark = format!("{:016x}", fastrand::u64(..));
    members.insert(MARK.to_owned(), Value::from(mark.as_str()));
    *KNOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some((name, mark, text));
}

/// Adds the secrets that are in the store.
pub fn add(file: &Path, mut sign_in: Value) -> Value {
    if let Some(members) = sign_in.as_object_mut() {
        move_in(file, members);
    }
    sign_in
}

fn move_in(file: &Path, members: &mut Map<String, Value>) {
    let Some(Value::String(mark)) = members.remove(MARK) else { return };
    let name = name(file);
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let known = known.filter(|(entry, before, _)| (entry, before) == (&name, &mark));
    let text = known.map(|(_, _, text)| text).or_else(|| {
        let entry = name.clone();
        let text = String::from_utf8(ask(move || open(&entry)?.get_secret())?).ok()?;
        let text = SecretString::from(text);
        let known = Some((name, mark, text.clone()));
        *KNOWN.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Some(text)
    });
    let secrets: Option<Map<String, Value>> =
        text.and_then(|text| serde_json::from_str(text.expose_secret()).ok());
    members.extend(secrets.unwrap_or_default());
}

/// Takes the secrets out of the store.
pub fn forget(file: &Path) {
    let name = name(file);
    let _ = ask(move || open(&name)?.delete_credential());
}

/// Two state directories may hold files of the same name.
fn name(file: &Path) -> String {
    file.display().to_string()
}

fn open(name: &str) -> Result<Entry> {
    if keyring_core::get_default_store().is_none() && keyring::Entry::store_status().is_err() {
        return Err(Error::NoDefaultStore);
    }
    Entry::new(SERVICE, name)
}

/// Has the store do something; `None` where it does not, or not in time.
fn ask<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Option<T> {
    let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    if failed.is_some_and(|at| at.elapsed() < PAUSE) {
        return None;
    }
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(work()));
    match receiver.recv_timeout(LIMIT) {
        Ok(Ok(done)) => return Some(done),
        Ok(Err(Error::NoEntry)) => return None,
        // It is there, and wants something shorter.
        Ok(Err(error @ Error::TooLong(..))) => {
            debug!("the system's store for secrets does not take this: {error}");
            return None;
        }
        Ok(Err(error)) => debug!("the system's store for secrets cannot be used: {error}"),
        Err(RecvTimeoutError::Timeout) => debug!("the system's store for secrets does not answer"),
        Err(RecvTimeoutError::Disconnected) => debug!("the system's store for secrets failed"),
    }
    *failed = Some(Instant::now());
    None
}

/// There is one store in a process: its tests run one after the other.
#[cfg(test)]
pub(super) static ALONE: Mutex<()> = Mutex::new(());

#[cfg(test)]
mod tests {
    use keyring_core::mock;
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({"issuer": "https://as.example", "access_token": "SECRET-a"})
    }

    #[test]
    fn secrets_are_in_the_store_or_else_in_the_file() {
        let _alone = ALONE.lock().expect("nobody failed");
        keyring_core::set_default_store(mock::Store::new().expect("a store"));
        let (file, other) = (Path::new("/x/one.json"), Path::new("/y/one.json"));
        let kept = keep(file, sample());
        assert!(!kept.to_string().contains("SECRET"), "{kept}");
        assert_eq!(kept["issuer"], "https://as.example");
        let read = |file, from: &Value| add(file, from.clone());
        assert_eq!(read(file, &kept), sample());
        *KNOWN.lock().expect("ours") = None;
        assert_eq!(read(file, &kept), sample(), "from the store itself");
        assert_eq!(read(other, &kept).get("access_token"), None);
        assert_eq!(read(file, &sample()), sample(), "of a file that keeps everything");

        forget(file);
        *KNOWN.lock().expect("ours") = None;
        assert_eq!(read(file, &kept).get("access_token"), None);

        let entry = Entry::new(SERVICE, &name(file)).expect("an entry");
        let mock: &mock::Cred = entry.as_any().downcast_ref().expect("the mock's");
        mock.set_error(Error::NoStorageAccess("locked".into()));
        let kept = keep(file, sample());
        assert_eq!(kept, sample(), "the file keeps what the store does not take");
        assert_eq!(keep(other, sample()), sample(), "the store is left alone for a while");
        *FAILED.lock().expect("ours") = None;
        assert!(keep(other, sample()).get(MARK).is_some());
    }
}
