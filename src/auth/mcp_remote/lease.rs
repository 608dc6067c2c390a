//! Who refreshes a sign-in: one process at a time, among the bridge's and mcp-remote's.
//!
//! mcp-remote has a file for it, `<hash>_refresh_in_progress.json`, that is created by who
//! refreshes and removed afterwards. A process that died leaves it behind, so that it counts for
//! [`LASTS`] at the most and only while the process lives.

use std::{fs, io, io::Write};

use secrecy::ExposeSecret;

use super::{
    files::{Place, modified, read},
    json,
};
use crate::message::object::{Object, quote};

/// How long a lease counts, in milliseconds.
pub const LASTS: u64 = 30_000;

/// How long mcp-remote waits before it looks again whether a lease has ended, in milliseconds.
pub const POLL: u64 = 200;

const FILE: &str = "refresh_in_progress.json";

/// What became of the wish for a lease.
#[derive(Debug)]
pub enum Taking {
    /// It is held until it is dropped.
    Held(Lease),
    /// Another process is refreshing. Look again after [`POLL`]: either the tokens are new then,
    /// or the lease can be had.
    Elsewhere,
    /// The directory cannot be written. mcp-remote then refreshes without a lease; tokens cannot
    /// be written back either.
    Impossible,
}

/// The right to refresh a sign-in; given back when it is dropped.
#[derive(Debug)]
pub struct Lease {
    place: Place,
    nonce: String,
}

/// What a lease file says.
#[derive(Debug, PartialEq, Eq)]
struct Holder {
    pid: i32,
    nonce: String,
    at: u64,
}

impl Lease {
    /// Takes the lease on the sign-in at `place`; `now` is in milliseconds since 1970.
    pub fn take(place: &Place, now: u64) -> Taking {
        let lease = Lease { place: place.clone(), nonce: nonce() };
        let mut created = lease.create(now);
        if created.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists) {
            let holder = holder(place);
            let is_live = match &holder {
                Some(holder) => holder.is_live(now, is_alive),
                // mcp-remote creates the file before it writes it.
                None => modified(&place.file(FILE)).is_some_and(|at| is_recent(at, now)),
            };
            if is_live {
                return Taking::Elsewhere;
            }
            tracing::debug!("removing {}, left behind", place.file(FILE).display());
            remove_of(place, holder.as_ref());
            created = lease.create(now);
        }
        match created {
            // Another may have taken what it took for left behind.
            Ok(()) if lease.is_ours() => Taking::Held(lease),
            Ok(()) => Taking::Elsewhere,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Taking::Elsewhere,
            Err(error) => {
                let file = place.file(FILE);
                tracing::debug!("could not create {}: {error}", file.display());
                Taking::Impossible
            }
        }
    }

    /// Creates the file, whole, unless there is one.
    fn create(&self, now: u64) -> io::Result<()> {
        // A temporary file is created with mode 0600.
        let mut temporary = tempfile::NamedTempFile::new_in(&self.place.directory)?;
        temporary.write_all(text(std::process::id(), &self.nonce, now).as_bytes())?;
        temporary.persist_noclobber(self.place.file(FILE))?;
        Ok(())
    }

    fn is_ours(&self) -> bool {
        holder(&self.place).is_some_and(|holder| holder.nonce == self.nonce)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.is_ours() {
            let _ = fs::remove_file(self.place.file(FILE));
        }
    }
}

impl Holder {
    fn parse(text: &str) -> Option<Self> {
        let object = Object::parse(text)?;
        let pid = i32::try_from(json::number(&object, "pid")?).ok()?;
        let nonce = json::string(&object, "nonce")?;
        Some(Holder { pid, nonce, at: json::number(&object, "at")? })
    }

    /// Whether it is at work still.
    fn is_live(&self, now: u64, is_alive: impl FnOnce(i32) -> bool) -> bool {
        is_recent(self.at, now) && is_alive(self.pid)
    }
}

fn is_recent(at: u64, now: u64) -> bool {
    now.saturating_sub(at) < LASTS
}

/// What a lease file says, as mcp-remote writes it.
fn text(pid: u32, nonce: &str, now: u64) -> String {
    let mut object = Object::default();
    object.set("pid", pid.to_string());
    object.set("nonce", quote(nonce));
    object.set("at", now.to_string());
    json::indented(&object)
}

fn holder(place: &Place) -> Option<Holder> {
    Holder::parse(read(&place.file(FILE))?.expose_secret())
}

/// Removes the lease file, if it still is this holder's.
fn remove_of(place: &Place, expected: Option<&Holder>) {
    if holder(place).as_ref() == expected {
        let _ = fs::remove_file(place.file(FILE));
    }
}

/// A UUID of version 4, as mcp-remote's are; it tells leases apart and is no secret.
fn nonce() -> String {
    let bits = fastrand::u128(..) & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Whether there is such a process, whoever's it is.
#[cfg(unix)]
fn is_alive(pid: i32) -> bool {
    use rustix::{
        io::Errno,
        process::{Pid, test_kill_process},
    };
    let Some(pid) = Pid::from_raw(pid) else { return false };
    matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM))
}

/// Nobody can tell without `unsafe`; a lease of a process that died is waited out.
#[cfg(not(unix))]
fn is_alive(_pid: i32) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, Place) {
        let home = tempfile::tempdir().expect("a directory");
        let place = Place { directory: home.path().to_owned(), hash: "0a".to_owned() };
        (home, place)
    }

    fn is_held(taking: &Taking) -> bool {
        matches!(taking, Taking::Held(_))
    }

    const NOW: u64 = 1_795_230_451_155;

    #[test]
    fn one_holds_it_until_it_is_dropped() {
        let (home, place) = place();
        let first = Lease::take(&place, NOW);
        assert!(is_held(&first));
        assert!(matches!(Lease::take(&place, NOW + LASTS - 1), Taking::Elsewhere));
        drop(first);
        assert_eq!(fs::read_dir(home.path()).expect("it exists").count(), 0);
        assert!(is_held(&Lease::take(&place, NOW)));
    }

    #[test]
    fn of_many_at_once_one_holds_it() {
        let (_home, place) = place();
        let takings: Vec<Taking> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| Lease::take(&place, NOW))).collect();
            threads.into_iter().map(|thread| thread.join().expect("it ends")).collect()
        });
        assert_eq!(takings.iter().filter(|taking| is_held(taking)).count(), 1, "{takings:?}");
    }

    #[test]
    fn what_was_left_behind_is_taken_and_not_given_back_by_its_old_holder() {
        let (_home, place) = place();
        let first = Lease::take(&place, NOW);
        let second = Lease::take(&place, NOW + LASTS);
        assert!(is_held(&second));
        drop(first);
        assert!(place.file(FILE).exists(), "the first gave back what the second holds");
        drop(second);
        assert!(!place.file(FILE).exists());
    }

    #[test]
    fn a_lease_of_nobody_is_taken_in_time() {
        for text in ["", "{}", r#"{"pid":-1,"nonce":"n","at":1}"#, r#"{"pid":1,"nonce":"","at":1}"#]
        {
            let (_home, place) = place();
            fs::write(place.file(FILE), text).expect("written");
            let at = modified(&place.file(FILE)).expect("a time");
            let taking = Lease::take(&place, at + LASTS - 1);
            assert!(matches!(taking, Taking::Elsewhere), "{text}: it may be being written");
            assert!(is_held(&Lease::take(&place, at + LASTS)), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_lease_of_a_process_that_died_is_taken() {
        let mut child = std::process::Command::new("true").spawn().expect("a process");
        let pid = child.id();
        child.wait().expect("it ends");
        let (_home, place) = place();
        fs::write(place.file(FILE), text(pid, "n", NOW)).expect("written");
        assert!(is_held(&Lease::take(&place, NOW)));
        fs::write(place.file(FILE), text(1, "n", NOW)).expect("written");
        assert!(matches!(Lease::take(&place, NOW), Taking::Elsewhere), "the first process lives");
    }

    #[test]
    fn without_a_directory_there_is_no_lease() {
        let (home, mut place) = place();
        place.directory = home.path().join("missing");
        assert!(matches!(Lease::take(&place, NOW), Taking::Impossible));
    }

    #[test]
    fn the_file_reads_as_mcp_remote_writes_it() {
        let nonce = nonce();
        assert_eq!(
            text(22918, &nonce, NOW),
            format!("{{\n  \"pid\": 22918,\n  \"nonce\": \"{nonce}\",\n  \"at\": {NOW}\n}}")
        );
        assert_eq!((nonce.len(), &nonce[14..15]), (36, "4"));
        assert!("89ab".contains(&nonce[19..20]), "{nonce}");
    }
}
