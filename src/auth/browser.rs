//! Opens a page in the person's browser (SEC-3, SEC-4).
//!
//! The URL comes from a server, so it is held to what a sign-in page can be before a program is
//! given it; the program gets it as one argument, exactly as it was checked, and no shell is
//! between. Which programs are tried, and in which order, `plan` decides.

mod plan;
#[cfg(test)]
mod tests;

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::Url;

use self::plan::{Opener, System};
use crate::{
    config::environment::Environment,
    error::{Error, Kind, is_unfit},
    origin::is_loopback,
};

/// A program that still runs after this time has opened the page: it is the browser itself.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often it is looked at until then.
const LOOK: Duration = Duration::from_millis(10);

/// Reads the URL of a page to open. Use this rather than `Url::parse` for text from a server: a
/// parser drops line breaks and tabs without a word.
///
/// # Errors
/// As [`check`], or it is no URL, or it holds characters that cannot be seen.
pub fn parse(text: &str) -> Result<Url, Error> {
    if text.chars().any(is_unfit) {
        return Err(refused("it holds characters that cannot be seen"));
    }
    let url = Url::parse(text).map_err(|cause| refused(&cause.to_string()))?;
    check(&url)?;
    Ok(url)
}

/// Whether a page may be opened: https, or http on this machine; no user name, no password, no
/// control characters (SEC-3). No message repeats the URL.
///
/// # Errors
/// What is wrong with it.
pub fn check(url: &Url) -> Result<(), Error> {
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(url) => {}
        "http" => return Err(refused("http:// to another machine is not encrypted")),
        _ => return Err(refused("it does not begin with https://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it holds a user name or a password"));
    }
    if !url.as_str().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refused("it holds characters that do not belong in a URL"));
    }
    Ok(())
}

fn refused(cause: &str) -> Error {
    Error::new(Kind::Protocol, "the address of the sign-in page cannot be opened").because(cause)
}

/// Opens the page, and returns once a program has taken it: one that ended well, or still runs
/// after half a second. After such a one no other is tried, so that a page opens once.
///
/// # Errors
/// The URL is not one to open ([`check`]; nothing was started), or no program took it. The caller
/// shows the URL before it calls this, so the hint is to copy it.
pub async fn open(url: &Url, environment: &Environment) -> Result<(), Error> {
    check(url)?;
    let system = System::of(environment);
    first_that_works(&plan::openers(system, environment, url.as_str())).await
}

async fn first_that_works(openers: &[Opener]) -> Result<(), Error> {
    let mut failure = Error::new(Kind::Unexpected, "could not open a browser")
        .hint("copy the URL into a browser yourself");
    for opener in openers {
        match start(opener).await {
            Ok(()) => return Ok(()),
            Err(cause) => failure = failure.because(format!("`{}`: {cause}", opener.program)),
        }
    }
    Err(failure)
}

/// Starts one program and looks at it until it has ended or [`PATIENCE`] is over.
async fn start(opener: &Opener) -> Result<(), String> {
    let mut child = command(opener).spawn().map_err(|cause| cause.to_string())?;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(status.to_string()),
            Ok(None) if tokio::time::Instant::now() < deadline => tokio::time::sleep(LOOK).await,
            // It runs, or nobody can say: a second one could open the page twice.
            Ok(None) | Err(_) => break,
        }
    }
    reap(child);
    Ok(())
}

fn command(opener: &Opener) -> Command {
    let mut command = Command::new(&opener.program);
    command
        .args(&opener.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    detach(&mut command);
    command
}

/// A browser that was started by us outlives Ctrl-C at our terminal.
#[cfg(unix)]
fn detach(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// A browser that was started by us outlives Ctrl-C at our console.
#[cfg(windows)]
fn detach(command: &mut Command) {
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    std::os::windows::process::CommandExt::creation_flags(command, CREATE_NEW_PROCESS_GROUP);
}

/// Leaves no zombie behind, however long the browser runs. Where there is no thread to be had, one
/// zombie until this process ends does no harm.
fn reap(mut child: Child) {
    let waiting = std::thread::Builder::new().name("browser".into()).stack_size(16 * 1024);
    let _ = waiting.spawn(move || child.wait());
}
