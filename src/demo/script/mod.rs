//! The scripted client: launches the bridge as a client would and plays a dialogue with it,
//! showing every message (`→` to the bridge, `←` from it) and how long each answer took.

mod client;
pub mod composio;
mod dialect;
mod screen;

use std::{io::Write, path::Path, time::Instant};

use serde_json::json;

use self::{
    client::{Client, Event},
    screen::{Screen, title},
};
use super::{
    Era, Options, Transport,
    child::{Child, Launch},
};
use crate::error::Error;

/// Calls made one after the other for the median.
const ROUNDS: usize = 100;

/// Plays the whole dialogue between `executable` and the sandbox at `url`, and writes it to `out`.
///
/// # Errors
/// The first step that did not go as the protocol says, by name, with what was seen instead.
pub fn play(
    executable: &Path,
    url: &str,
    options: Options,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let launch = Launch { words: vec![url.to_owned()], environment: Vec::new() };
    let child = Child::launch(executable, &launch)?;
    let mut client = Client::new(options.client, child, Screen(out), "sandbox");
    let (version, remote) = (options.client.version(), remote(options));
    client.screen.line(&format!("client, {version} ⇄ stdio ⇄ composio-bridge ⇄ {remote} ⇄ {url}"));
    for (title, step) in STEPS {
        client.screen.line(&format!("\n{title}"));
        step(&mut client).map_err(|failure| client.explain(title, failure))?;
    }
    Ok(())
}

/// The transport, and the versions that can be spoken over it.
fn remote(options: Options) -> String {
    let transport = match options.transport {
        Transport::Http => "Streamable HTTP",
        Transport::Sse => "HTTP+SSE",
    };
    let versions = match (options.transport, options.era) {
        (Transport::Sse, _) | (_, Era::Legacy) => "2025-11-25",
        (_, Era::Modern) => "2026-07-28",
        (_, Era::Dual) => "2025-11-25 or 2026-07-28",
    };
    format!("{transport}, {versions}")
}

type Step = fn(&mut Client<'_>) -> Result<(), String>;

/// Calls run side by side until a server asks something over HTTP+SSE, where a question does not
/// say which call it belongs to; from then on a client of 2026-07-28 has one after the other. So
/// the question comes after the calls at once.
const STEPS: &[(&str, Step)] = &[
    ("start", start),
    ("one call after the other", one_by_one),
    ("progress", progress),
    ("three calls at once", at_once),
    ("a question to the person", elicitation),
    ("a resource that changes", subscription),
    ("end", end),
];

fn start(client: &mut Client<'_>) -> Result<(), String> {
    client.dialect.open(client)?;
    let id = client.request("tools/list", json!({}), "")?;
    let answer = client.answer(id)?;
    let tools: Vec<&str> = answer.result["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    client.screen.received(&tools.join(", "), Some(answer.took));
    ensure(tools.contains(&"echo"), "the tools are not the sandbox's")
}

fn one_by_one(client: &mut Client<'_>) -> Result<(), String> {
    let id = client.call("echo", json!({ "text": "hello" }))?;
    let first = client.answer(id)?;
    client.screen.received(first.text(), Some(first.took));
    ensure(first.text() == "hello", "the text did not come back")?;
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let text = format!("hello {round}");
        let id = client.send_call("echo", json!({ "text": text }))?;
        let answer = client.answer(id)?;
        ensure(answer.text() == text, "an answer belongs to another call")?;
        times.push(answer.took);
    }
    times.sort_unstable();
    client.screen.note(&format!("{ROUNDS} more, median"), times[ROUNDS / 2]);
    Ok(())
}

fn progress(client: &mut Client<'_>) -> Result<(), String> {
    let mut params = json!({
        "name": "count",
        "arguments": { "steps": 5, "ms": 40 },
        "_meta": { "progressToken": "count" },
    });
    client.dialect.ask_for_logs(client, &mut params)?;
    let id = client.request("tools/call", params, "count {\"steps\":5}")?;
    let sent = Instant::now();
    let mut steps = Vec::new();
    let mut logged = false;
    let mut answered = false;
    // Progress comes with the call's own answer; in a session, the log message may not.
    while !(answered && logged) {
        match client.next()? {
            Event::Answer(answer) => {
                ensure(answer.id == id, "an answer has another request's id")?;
                client.screen.received(answer.text(), Some(answer.took));
                answered = true;
            }
            Event::Other(message, at) => {
                client.screen.received(&title(&message), Some(at - sent));
                match message["method"].as_str() {
                    Some("notifications/progress") if !answered => {
                        steps.push(message["params"]["progress"].as_f64());
                    }
                    Some("notifications/message") => logged = true,
                    _ => return Err(format!("an unexpected message: {message}")),
                }
            }
        }
    }
    let whole: Vec<_> = (1..=5).map(|step| Some(f64::from(step))).collect();
    ensure(steps == whole, "progress notifications were lost or came out of order")
}

fn at_once(client: &mut Client<'_>) -> Result<(), String> {
    let mut waiting = Vec::new();
    for ms in [300, 200, 100] {
        waiting.push(client.call("wait", json!({ "ms": ms }))?);
    }
    // The one that was sent last is done first, if none waits behind another.
    while let Some(id) = waiting.pop() {
        let answer = client.answer(id)?;
        client.screen.received(answer.text(), Some(answer.took));
    }
    Ok(())
}

fn elicitation(client: &mut Client<'_>) -> Result<(), String> {
    let id = client.call("ask", json!({}))?;
    let answer = client.dialect.answer_question(client, id)?;
    client.screen.received(answer.text(), Some(answer.took));
    ensure(answer.text() == "Hello, Ada!", "the answer did not arrive")
}

fn subscription(client: &mut Client<'_>) -> Result<(), String> {
    let uri = "sandbox://last-echo";
    let subscription = client.dialect.subscribe(client, uri)?;
    let id = client.call("echo", json!({ "text": "news" }))?;
    let sent = Instant::now();
    // The answer and the notification travel on two streams: either may be first.
    let (mut answered, mut notified) = (false, false);
    while !(answered && notified) {
        match client.next()? {
            Event::Answer(answer) => {
                ensure(answer.id == id, "an answer has another request's id")?;
                client.screen.received(answer.text(), Some(answer.took));
                answered = true;
            }
            Event::Other(message, at) => {
                let update = message["method"] == "notifications/resources/updated";
                client.screen.received(&title(&message), update.then(|| at - sent));
                notified |= update && subscription.covers(&message["params"], uri);
            }
        }
    }
    client.dialect.unsubscribe(client, subscription, uri)
}

fn end(client: &mut Client<'_>) -> Result<(), String> {
    client.screen.sent("(end of input)");
    let ending = client.child.finish()?;
    let noise = ending.stderr.lines().count();
    let told = match noise {
        0 => format!("{}, nothing on stderr", ending.status),
        _ => format!("{}, {noise} lines on stderr", ending.status),
    };
    client.screen.received(&told, Some(ending.took));
    for line in ending.stderr.lines() {
        client.screen.line(&format!("  ! {line}"));
    }
    ensure(ending.status.success(), "the bridge reported a failure")
}

fn ensure(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
