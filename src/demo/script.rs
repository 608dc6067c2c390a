//! The scripted client: launches the bridge as a client would and plays a dialogue with it,
//! showing every message (`→` to the bridge, `←` from it) and how long each answer took.

use std::{
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    Transport,
    child::{Child, Incoming},
};
use crate::error::{Error, Kind};

/// Calls made one after the other for the median.
const ROUNDS: usize = 100;

/// Characters of a message that are shown.
const WIDTH: usize = 60;

/// Plays the whole dialogue between `executable` and the sandbox at `url`, and writes it to `out`.
///
/// # Errors
/// The first step that did not go as the protocol says, by name, with what was seen instead.
pub fn play(
    executable: &Path,
    url: &str,
    transport: Transport,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let name = match transport {
        Transport::Http => "Streamable HTTP",
        Transport::Sse => "HTTP+SSE",
    };
    let screen = Screen(out);
    let mut client =
        Client { child: Child::launch(executable, url)?, screen, next_id: 0, sent: Vec::new() };
    client.screen.line(&format!("client ⇄ stdio ⇄ composio-bridge ⇄ {name} ⇄ {url}"));
    for (title, step) in STEPS {
        client.screen.line(&format!("\n{title}"));
        step(&mut client).map_err(|failure| client.explain(title, failure))?;
    }
    Ok(())
}

type Step = fn(&mut Client<'_>) -> Result<(), String>;

const STEPS: &[(&str, Step)] = &[
    ("start", start),
    ("one call after the other", one_by_one),
    ("progress", progress),
    ("a question to the person", elicitation),
    ("three calls at once", at_once),
    ("a resource that changes", subscription),
    ("end", end),
];

fn start(client: &mut Client<'_>) -> Result<(), String> {
    let launched = client.child.launched;
    let params = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": { "elicitation": {} },
        "clientInfo": { "name": "demo", "version": env!("CARGO_PKG_VERSION") },
    });
    let id = client.request("initialize", params, "")?;
    let answer = client.answer(id)?;
    let server = &answer.result["serverInfo"];
    let told = format!(
        "{} {}, protocol version {}",
        plain(&server["name"]),
        plain(&server["version"]),
        plain(&answer.result["protocolVersion"])
    );
    ensure(server["name"] == "sandbox", "the answer is not the sandbox's")?;
    client.screen.received(&told, Some(answer.at - launched));
    client.notify("notifications/initialized")?;
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
    let params = json!({
        "name": "count",
        "arguments": { "steps": 5, "ms": 40 },
        "_meta": { "progressToken": "count" },
    });
    let id = client.request("tools/call", params, "count {\"steps\":5}")?;
    let sent = Instant::now();
    let mut steps = Vec::new();
    let mut logged = false;
    let mut answered = false;
    // Progress comes with the call's own answer; the log message may take another stream.
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

fn elicitation(client: &mut Client<'_>) -> Result<(), String> {
    let id = client.call("ask", json!({}))?;
    let question = loop {
        match client.next()? {
            Event::Other(message, _) if message["method"] == "elicitation/create" => break message,
            Event::Other(message, _) => client.screen.other(&message),
            Event::Answer(answer) => return Err(format!("nothing was asked: {}", answer.text())),
        }
    };
    let asked = format!("elicitation/create {}", plain(&question["params"]["message"]));
    client.screen.received(&asked, None);
    client.screen.sent("accept {\"name\":\"Ada\"}");
    let reply = json!({ "action": "accept", "content": { "name": "Ada" } });
    client.send(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": reply }))?;
    let answer = client.answer(id)?;
    client.screen.received(answer.text(), Some(answer.took));
    ensure(answer.text() == "Hello, Ada!", "the answer did not arrive")
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

fn subscription(client: &mut Client<'_>) -> Result<(), String> {
    let uri = "sandbox://last-echo";
    let id = client.request("resources/subscribe", json!({ "uri": uri }), uri)?;
    let answer = client.answer(id)?;
    client.screen.received("{}", Some(answer.took));
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
                notified |= update;
            }
        }
    }
    Ok(())
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

/// The client's end of the dialogue.
struct Client<'a> {
    child: Child,
    screen: Screen<'a>,
    next_id: u64,
    /// Requests that have no answer yet, and when they were sent.
    sent: Vec<(u64, Instant)>,
}

/// What came from the bridge.
enum Event {
    Answer(Answer),
    Other(Value, Instant),
}

struct Answer {
    id: u64,
    result: Value,
    took: Duration,
    at: Instant,
}

impl Answer {
    /// The text of a tool's result.
    fn text(&self) -> &str {
        self.result["content"][0]["text"].as_str().unwrap_or("")
    }
}

impl Client<'_> {
    fn call(&mut self, tool: &str, arguments: Value) -> Result<u64, String> {
        self.screen.sent(&format!("tools/call {tool} {arguments}"));
        self.send_call(tool, arguments)
    }

    /// A tool call that is not shown.
    fn send_call(&mut self, tool: &str, arguments: Value) -> Result<u64, String> {
        self.send_request("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    fn request(&mut self, method: &str, params: Value, shown: &str) -> Result<u64, String> {
        self.screen.sent(&format!("{method} {shown}"));
        self.send_request(method, params)
    }

    fn send_request(&mut self, method: &str, params: Value) -> Result<u64, String> {
        self.next_id += 1;
        let id = self.next_id;
        self.sent.push((id, Instant::now()));
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        Ok(id)
    }

    fn notify(&mut self, method: &str) -> Result<(), String> {
        self.screen.sent(method);
        self.send(&json!({ "jsonrpc": "2.0", "method": method }))
    }

    fn send(&mut self, message: &Value) -> Result<(), String> {
        self.child.send(message)
    }

    /// The answer to request `id`, which must be the next to come; anything else that is no
    /// answer is shown.
    fn answer(&mut self, id: u64) -> Result<Answer, String> {
        loop {
            match self.next()? {
                Event::Answer(answer) if answer.id == id => return Ok(answer),
                Event::Answer(answer) => {
                    return Err(format!("request {} was answered before {id}", answer.id));
                }
                Event::Other(message, _) => self.screen.other(&message),
            }
        }
    }

    fn next(&mut self) -> Result<Event, String> {
        let Incoming { message, at } = self.child.receive()?;
        if message.get("method").is_some() {
            return Ok(Event::Other(message, at));
        }
        let id = message["id"].as_u64();
        let asked = self.sent.iter().position(|(sent, _)| Some(*sent) == id);
        let Some(asked) = asked else {
            return Err(format!("an answer to no request: {message}"));
        };
        let (id, sent) = self.sent.swap_remove(asked);
        let result = match message.get("result") {
            Some(result) => result.clone(),
            None => return Err(format!("an error: {}", message["error"])),
        };
        Ok(Event::Answer(Answer { id, result, took: at - sent, at }))
    }

    fn explain(&mut self, step: &str, failure: String) -> Error {
        let mut error =
            Error::new(Kind::Unexpected, format!("the demo failed at `{step}`")).because(failure);
        for line in self.child.kill().lines() {
            error = error.because(format!("the bridge wrote on stderr: {line}"));
        }
        error
    }
}

/// Where the dialogue is shown. A reader that goes away does not end it.
struct Screen<'a>(&'a mut dyn Write);

impl Screen<'_> {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.0, "{text}");
    }

    fn sent(&mut self, text: &str) {
        self.line(&format!("  → {}", shorten(text.trim_end())));
    }

    fn received(&mut self, text: &str, took: Option<Duration>) {
        match took {
            Some(took) => self.timed("←", text, took),
            None => self.line(&format!("  ← {}", shorten(text))),
        }
    }

    fn other(&mut self, message: &Value) {
        self.received(&title(message), None);
    }

    fn note(&mut self, text: &str, took: Duration) {
        self.timed("·", text, took);
    }

    fn timed(&mut self, mark: &str, text: &str, took: Duration) {
        let ms = took.as_secs_f64() * 1e3;
        self.line(&format!("  {mark} {:<WIDTH$} {ms:>9.2} ms", shorten(text)));
    }
}

/// A notification or request in few words.
fn title(message: &Value) -> String {
    let params = &message["params"];
    let detail = ["uri", "data", "message"].into_iter().find_map(|name| params[name].as_str());
    format!("{} {}", plain(&message["method"]), detail.unwrap_or(""))
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= WIDTH {
        return text.into();
    }
    let start: String = text.chars().take(WIDTH - 1).collect();
    format!("{start}…")
}

fn ensure(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
