//! A modern client and a legacy remote (quadrant B), over both transports.

mod handshake;
mod listen;
mod losses;
mod questions;
mod results;
mod rounds;

use serde_json::Value;

use crate::support::{
    bridge::{Bridge, Setup},
    http::Request,
    json::value,
    modern::client,
    net::Gate,
    server::{Face, Server},
};

const BOTH: [Face; 2] = [Face::Http, Face::Sse];

const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

const FORM: &str = r#"{"mode":"form","message":"Name?","requestedSchema":{"type":"object","properties":{"n":{"type":"string","x":1.0}}},"elicitationId":"e-1","_meta":{"progressToken":"secret","x/kept":1.0}}"#;

fn bridge_to(face: Face, server: &Server) -> Bridge {
    setup(face, server).spawn()
}

fn setup(face: Face, server: &Server) -> Setup {
    Bridge::over(face, server)
}

fn params_of(request: &Request) -> Value {
    value(&request.body)["params"].take()
}

/// A request of the legacy kind: a modern client's first one is tried as it is before.
fn is(request: &Request, method: &str) -> bool {
    request.is_rpc(method) && request.header("mcp-method").is_none()
}

fn is_call(request: &Request) -> bool {
    is(request, "tools/call")
}

/// A message that answers a request of the server with this id (JSON).
fn answers(id: &str) -> impl Fn(&Request) -> bool {
    move |request| {
        let members = request.members();
        members.is_some_and(|all| all.raw("id") == Some(id) && all.raw("method").is_none())
    }
}

/// A server whose `tools/call` asks this (unless its marker is `works`) and ends, with the text
/// `done`, when the gate opens.
fn asking(face: Face, questions: Vec<String>) -> (Server, Gate) {
    let (server, gate) = (Server::start(face), Gate::new());
    let held = gate.clone();
    server.on("tools/call", move |call| {
        if call.marker() == "works" {
            return call.behave();
        }
        call.executed();
        for (n, question) in questions.iter().enumerate() {
            call.say(n == 0, question);
        }
        held.wait();
        call.finish(r#"{"content":[{"type":"text","text":"done"}]}"#);
    });
    (server, gate)
}

/// A retry of `client::call` with these answers (JSON) and this state.
fn retry(id: &str, marker: &str, responses: &str, state: &Value) -> String {
    let members = format!(
        r#""name":"echo","arguments":{{"marker":"{marker}"}},"inputResponses":{responses},"requestState":{state}"#
    );
    client::request(id, "tools/call", &members)
}

/// The one input request in this result: its key and what is asked.
#[track_caller]
fn only_question(result: &Value) -> (String, Value) {
    assert_eq!(result["resultType"], "input_required", "{result}");
    assert!(result["requestState"].is_string(), "{result}");
    let all = result["inputRequests"].as_object().expect("input requests");
    assert_eq!(all.len(), 1, "{result}");
    let (key, question) = all.iter().next().expect("one");
    (key.clone(), question.clone())
}
