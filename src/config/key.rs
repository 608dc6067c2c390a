//! Getting the API key from where it is kept.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use super::KeySource;
use crate::{
    composio::key::{self, Key},
    error::{Error, Kind},
};

/// A command that takes longer waits for somebody who is not there.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);
/// A first line that is longer is no key.
const LONGEST_KEY: u64 = 64 * 1024;

impl KeySource {
    /// The key itself. A command is run on a thread of its own, for 10 seconds at most, without
    /// stdin and with its stderr thrown away: that is the client's log, and could hold the key.
    ///
    /// # Errors
    /// The command cannot be run, fails, takes too long, or prints nothing that a header can
    /// carry, or a key that does not fit the endpoint. The message names the program and its exit status, never what it printed.
    pub async fn resolve(&self) -> Result<Key, Error> {
        let (words, org, project, place) = match self {
            KeySource::Value(key) => return Ok(key.clone()),
            KeySource::Command { words, org, project, place } => (words, org, project, place),
        };
        let (sender, receiver) = oneshot::channel();
        let of_thread = words.clone();
        thread::spawn(move || sender.send(run(&of_thread, COMMAND_LIMIT)));
        let printed = receiver.await.unwrap_or_else(|_| {
            Err(Error::new(Kind::Unexpected, "the thread of the API key command ended early"))
        })?;
        let taken = |error: Error| {
            let program = words.first().map_or("", String::as_str);
            error.because(format!("it was taken from the command {program}"))
        };
        let (org, project) = (org.as_deref(), project.as_deref());
        let key = Key::new(printed.expose_secret(), key::Kind::Unknown, org, project);
        let key = key.map_err(taken)?;
        key.kind().check(*place).map_err(taken)?;
        Ok(key)
    }

    /// What tells one key from another, before any command is run. Secret.
    pub fn identity(&self) -> String {
        match self {
            KeySource::Value(key) => {
                let values = key.headers().into_iter();
                let values =
                    values.map(|(_, value)| String::from_utf8_lossy(value.as_bytes()).into_owned());
                values.collect::<Vec<_>>().join("\n")
            }
            KeySource::Command { words, .. } => words.join(" "),
        }
    }
}

/// The first line of the file, and a warning if others may read it.
///
/// # Errors
/// The file cannot be read, or holds no key.
pub(super) fn from_file(path: &Path) -> Result<(SecretString, Option<String>), Error> {
    let failed =
        || Error::new(Kind::Config, format!("could not take the API key from {}", path.display()));
    let text = fs::read_to_string(path).map_err(|cause| failed().because(cause.to_string()))?;
    let key =
        usable(text.lines().next().unwrap_or_default()).map_err(|why| failed().because(why))?;
    Ok((key, others_may_read(path)))
}

/// Checks that a key can be sent, and wraps it.
///
/// # Errors
/// Why it cannot, without the key.
pub(super) fn usable(text: &str) -> Result<SecretString, &'static str> {
    let key = text.trim();
    if key.is_empty() {
        return Err("the first line is empty");
    }
    if HeaderValue::from_str(key).is_err() {
        return Err("the first line holds a control character");
    }
    Ok(SecretString::from(key))
}

/// A warning if the file's mode lets anybody but the owner read it.
#[cfg(unix)]
pub(super) fn others_may_read(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o044 != 0)
        .then(|| format!("others may read the credential in {0}; `chmod 600 {0}`", path.display()))
}

/// Access on this system is not a matter of modes.
#[cfg(not(unix))]
pub(super) fn others_may_read(_path: &Path) -> Option<String> {
    None
}

fn run(words: &[String], limit: Duration) -> Result<SecretString, Error> {
    let deadline = Instant::now() + limit;
    let (program, arguments) = words.split_first().ok_or_else(|| failed("an empty name"))?;
    let failed = |why: String| failed(program).because(why);
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|cause| failed(cause.to_string()))?;
    let line = first_line(&mut child, deadline);
    let Some((line, status)) = line.zip(end(&mut child, deadline)) else {
        // It may be gone by now, which is as good.
        let _ = child.kill();
        let _ = child.wait();
        return Err(failed(format!("it did not end within {} seconds", limit.as_secs_f32())));
    };
    if !status.success() {
        return Err(failed(format!("it ended with {status}")));
    }
    usable(line.expose_secret()).map_err(|why| failed(format!("{why} of what it printed")))
}

fn failed(program: &str) -> Error {
    Error::new(Kind::Config, format!("the API key command {program} gave no key"))
        .hint("run the command by hand; it must print the key, and nothing else, to stdout")
}

/// Reads on a further thread, as a read cannot be given a time limit.
fn first_line(child: &mut Child, deadline: Instant) -> Option<SecretString> {
    let mut output = BufReader::new(child.stdout.take()?.take(LONGEST_KEY));
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = Vec::new();
        // A line that cannot be read is empty, and reported as that.
        let _ = output.read_until(b'\n', &mut line);
        let sent = sender.send(SecretString::from(String::from_utf8_lossy(&line).into_owned()));
        // What follows is read too: a closed pipe would make the command fail.
        let _ = std::io::copy(&mut output.into_inner().into_inner(), &mut std::io::sink());
        sent
    });
    receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
}

fn end(child: &mut Child, deadline: Instant) -> Option<std::process::ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().ok()? {
            return Some(status);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> Result<String, String> {
        let words = ["sh", "-c", script].map(String::from);
        run(&words, limit).map(|key| key.expose_secret().to_owned()).map_err(|e| e.report())
    }

    #[test]
    fn the_first_line_is_the_key() {
        let long = Duration::from_secs(60);
        assert_eq!(sh("echo ' k3y '; echo more", long), Ok("k3y".into()));
        assert_eq!(sh("printf k3y; cat", long), Ok("k3y".into()), "stdin is empty, not ours");
        assert_eq!(sh("echo k3y; head -c 1000000 /dev/zero", long), Ok("k3y".into()));
    }

    #[test]
    fn a_failing_command_is_named_without_its_words() {
        let long = Duration::from_secs(60);
        let report = sh("echo SECRET; echo SECRET >&2; exit 7", long).expect_err("status 7");
        assert!(report.contains("sh gave no key") && report.contains("exit status: 7"), "{report}");
        assert!(!report.contains("SECRET"), "{report}");
        assert!(sh("true", long).expect_err("no output").contains("empty"));
        let started = Instant::now();
        let report = sh("echo SECRET; exec sleep 1000", Duration::from_millis(50));
        assert!(report.expect_err("too slow").contains("did not end within"));
        assert!(started.elapsed() < long, "the command was ended");
        assert!(run(&["/does/not/exist".into()], long).is_err());
    }

    #[tokio::test]
    async fn a_command_is_resolved_on_request() {
        let source = |key: &str| KeySource::Command {
            words: ["echo", key].map(String::from).to_vec(),
            org: Some("o".into()),
            project: Some("p".into()),
            place: key::Place::Platform,
        };
        let key = source("k3y").resolve().await.expect("echo prints it");
        assert_eq!(key.secret().expose_secret(), "k3y");
        assert!(!format!("{key:?}").contains("k3y"));
        assert_eq!(source("uak_1").resolve().await.expect("it fits").headers().len(), 3);
        let report = source("ck_SECRET").resolve().await.expect_err("it does not fit").report();
        assert!(report.contains("the command echo") && !report.contains("SECRET"), "{report}");
    }

    #[test]
    fn a_key_file_should_be_private_and_not_empty() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let write = |text: &str, mode| {
            fs::write(file.path(), text).expect("it can be written");
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).expect("ours");
            from_file(file.path())
        };
        let (key, warning) = write(" k3y \r\nmore\n", 0o600).expect("a key");
        assert_eq!((key.expose_secret(), warning), ("k3y", None));
        let (_, warning) = write("k3y", 0o644).expect("a key");
        assert!(warning.expect("it is readable").contains("chmod 600"));
        assert!(write("\nk3y", 0o600).is_err());
        assert!(from_file(Path::new("/does/not/exist")).is_err());
    }
}
