//! A modern client and a legacy remote (quadrant B), over both transports.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    bridge::{Bridge, Setup},
    http::{Request, event},
    json::{self, value},
    modern::{
        VERSION,
        client::{self, FULL},
    },
    net::Gate,
    server::{Call, Face, Server},
};

const BOTH: [Face; 2] = [Face::Http, Face::Sse];
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

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

/// Says something in the middle of a call, on the stream that will bring its answer. `first` for
/// the first thing said.
fn say(call: &mut Call, face: Face, first: bool, message: &str) {
    match face {
        Face::Http if first => _ = call.http().sse(&[]).event(message),
        Face::Http => _ = call.http().event(message),
        Face::Sse => call.on_stream(event(None, message.as_bytes())),
    }
}

/// Ends a call in which something was said.
fn finish(call: &mut Call, face: Face, result: &str) {
    let message = json::result(&call.id(), result);
    match face {
        Face::Http => call.http().event(message).end(),
        Face::Sse => call.message(message),
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
            say(call, face, n == 0, question);
        }
        held.wait();
        finish(call, face, r#"{"content":[{"type":"text","text":"done"}]}"#);
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

#[test]
fn t90_server_discover_is_answered_from_a_handshake() {
    for face in BOTH {
        let server = Server::start(face);
        let mut bridge = bridge_to(face, &server);
        let answer = bridge.discover();
        let result = &answer["result"];
        assert_eq!(result["resultType"], "complete", "{result}");
        let versions = result["supportedVersions"].as_array().expect("an array");
        assert!(versions.contains(&json!(VERSION)), "{result}");
        assert_eq!(result["capabilities"]["tools"]["listChanged"], true, "{result}");
        assert_eq!(result["capabilities"].get("tasks"), None, "{result}");
        assert_eq!(result["ttlMs"], 0, "{result}");
        assert_eq!(result["cacheScope"], "private", "{result}");
        assert_eq!(result["_meta"][SERVER_INFO], json!({"name": "scripted", "version": "1"}));
        assert_eq!(result.get("protocolVersion"), None, "{result}");
        assert_eq!(result.get("serverInfo"), None, "{result}");
        let initialize = server.await_request(|request| request.is_rpc("initialize"));
        server.await_request(|request| request.is_rpc("notifications/initialized"));
        let params = params_of(&initialize);
        assert_eq!(params["protocolVersion"], "2025-11-25", "{params}");
        assert_eq!(params["clientInfo"], json!({"name": "modern-client", "version": "9"}));
        assert_eq!(params["capabilities"].get("tasks"), None, "{params}");
        assert_eq!(params["capabilities"]["roots"].get("listChanged"), None, "{params}");
        bridge.finish();
    }
}

#[test]
fn t90_tasks_of_the_remote_are_not_offered_and_instructions_are() {
    let server = Server::start(Face::Http);
    server.on("initialize", |call| {
        call.answer(r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"tasks":{"list":{}},"extensions":{"io.modelcontextprotocol/tasks":{},"x/ui":{"v":1.0}}},"serverInfo":{"name":"s","version":"1"},"instructions":"Be kind."}"#);
    });
    server.stateless();
    let mut bridge = setup(Face::Http, &server).arg("--protocol=legacy").spawn();
    let answer = bridge.discover();
    let capabilities = &answer["result"]["capabilities"];
    assert_eq!(capabilities.get("tasks"), None, "{answer}");
    assert_eq!(capabilities["extensions"], json!({"x/ui": {"v": 1.0}}), "{answer}");
    assert_eq!(answer["result"]["instructions"], "Be kind.", "{answer}");
    bridge.finish();
}

#[test]
fn t90_changes_are_not_promised_where_nothing_can_bring_them() {
    let server = Server::start(Face::Http);
    server.stateless();
    let mut bridge = setup(Face::Http, &server).arg("--protocol=legacy").spawn();
    let answer = bridge.discover();
    let capabilities = &answer["result"]["capabilities"];
    for kind in ["tools", "prompts", "resources"] {
        assert!(capabilities[kind].is_object(), "{answer}");
        assert_ne!(capabilities[kind]["listChanged"], true, "{answer}");
    }
    assert_ne!(capabilities["resources"]["subscribe"], true, "{answer}");
    bridge.finish();
}

#[test]
fn a_client_without_a_name_is_introduced_by_one() {
    let server = Server::start(Face::Http);
    let mut bridge = bridge_to(Face::Http, &server);
    let meta = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}"#;
    bridge.result_of("1", json::request("1", "tools/list", meta));
    let params = params_of(&server.await_request(|request| request.is_rpc("initialize")));
    assert!(params["clientInfo"]["name"].is_string(), "{params}");
    assert!(params["clientInfo"]["version"].is_string(), "{params}");
    bridge.finish();
}

#[test]
fn t91_every_result_is_complete_and_the_cacheable_ones_say_for_how_long() {
    for face in BOTH {
        let server = Server::start(face);
        server.on("prompts/get", |call| call.answer(r#"{"messages":[]}"#));
        server.on("tools/list", |call| {
            call.answer(r#"{"tools":[{"name":"echo","inputSchema":{"type":"object","x-mcp-header":"kept"},"execution":{"taskSupport":"optional"}}],"nextCursor":"","ttlMs":"soon","cacheScope":7}"#);
        });
        let mut bridge = bridge_to(face, &server);
        for (method, members, cacheable) in [
            ("tools/list", "", true),
            ("prompts/list", "", true),
            ("resources/list", "", true),
            ("resources/templates/list", "", true),
            ("resources/read", r#""uri":"test://one""#, true),
            ("tools/call", r#""name":"echo","arguments":{}"#, false),
            ("prompts/get", r#""name":"greet""#, false),
            (
                "completion/complete",
                r#""ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"a","value":""}"#,
                false,
            ),
        ] {
            let result = bridge.result_of("1", client::request("1", method, members));
            assert_eq!(result["resultType"], "complete", "{method}: {result}");
            assert_eq!(result["_meta"][SERVER_INFO]["name"], "scripted", "{method}: {result}");
            if cacheable {
                assert!(result["ttlMs"].is_u64(), "{method}: {result}");
                assert_eq!(result["cacheScope"], "private", "{method}: {result}");
            } else {
                assert_eq!(result.get("ttlMs"), None, "{method}: {result}");
            }
            let sent = params_of(&server.await_request(|request| is(request, method)));
            assert_eq!(sent.get("_meta"), None, "nothing is left of it: {sent}");
        }
        let list = bridge.result_of("2", client::request("2", "tools/list", ""));
        assert_eq!(list["tools"][0].get("execution"), None, "{list}");
        assert_eq!(list["tools"][0]["inputSchema"]["x-mcp-header"], "kept", "{list}");
        assert_eq!(list["nextCursor"], "", "{list}");
        bridge.result_of("3", client::request("3", "tools/list", r#""cursor":"""#));
        let asked = server.await_nth(3, |request| is(request, "tools/list"));
        assert_eq!(params_of(&asked)["cursor"], "");
        bridge.finish();
    }
}

#[test]
fn what_is_not_of_the_era_passes_byte_for_byte_both_ways() {
    for face in BOTH {
        let server = Server::start(face);
        const RESULT: &str = r#"{"content":[{"type":"text","text":"\u0061","x":[1e400,1.0]}], "structuredContent":{"n":12345678901234567890123,"n":0.10},"_meta":{"x/y":1.50}}"#;
        server.on("tools/call", |call| call.answer(RESULT));
        let mut bridge = bridge_to(face, &server);
        let arguments = r#""arguments":{"a":1e400,"a":1.0,"\u0062":[ 1 ]}"#;
        let members = format!(r#""name":"echo",{arguments}"#);
        let more = r#""x/vendor":1.50,"traceparent":"00-1-2-01""#;
        bridge.send(client::request_as("1", "tools/call", &members, FULL, more));
        let answer = String::from_utf8(bridge.answer_bytes("1")).expect("UTF-8");
        for kept in [
            r#"[{"type":"text","text":"\u0061","x":[1e400,1.0]}]"#,
            r#"{"n":12345678901234567890123,"n":0.10}"#,
            r#""x/y":1.50"#,
        ] {
            assert!(answer.contains(kept), "{face:?}: {kept} is missing in {answer}");
        }
        let sent = server.await_request(is_call);
        let sent = String::from_utf8_lossy(&sent.body).into_owned();
        for kept in [arguments, r#""x/vendor":1.50"#, r#""traceparent":"00-1-2-01""#] {
            assert!(sent.contains(kept), "{face:?}: {kept} is missing in {sent}");
        }
        assert!(!sent.contains("io.modelcontextprotocol/"), "{face:?}: {sent}");
        bridge.finish();
    }
}

#[test]
fn t92_a_legacy_result_is_complete_whatever_it_says() {
    for face in BOTH {
        let server = Server::start(face);
        server.on("tools/call", |call| {
            call.answer(r#"{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"}},"content":[]}"#);
        });
        let mut bridge = bridge_to(face, &server);
        let result = bridge.result_of("1", client::call("1", "m"));
        assert_eq!(result["resultType"], "complete", "{face:?}: {result}");
        bridge.finish();
    }
}

#[test]
fn t93_a_question_of_the_server_is_a_round_and_the_call_goes_on() {
    for face in BOTH {
        let (server, gate) =
            asking(face, vec![json::request("\"s-1\"", "elicitation/create", FORM)]);
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "held"));
        let (key, question) = only_question(&asked);
        assert_eq!(question["method"], "elicitation/create", "{asked}");
        assert_eq!(question["params"]["message"], "Name?", "{asked}");
        assert_eq!(question["params"].get("elicitationId"), None, "{asked}");
        assert_eq!(question["params"]["_meta"].get("progressToken"), None, "{asked}");
        assert_eq!(question["params"]["_meta"]["x/kept"], 1.0, "{asked}");
        for envelope in ["jsonrpc", "id"] {
            assert_eq!(question.get(envelope), None, "{asked}");
        }
        assert_eq!(server.count(answers("\"s-1\"")), 0, "nobody has answered yet");
        let responses = format!(
            r#"{{"{key}":{{"action":"accept","content":{{"n":"Ada"}}}},"surplus":{{"action":"cancel"}}}}"#
        );
        bridge.send(retry("2", "held", &responses, &asked["requestState"]));
        let response = server.await_request(answers("\"s-1\""));
        let told = value(&response.body)["result"].take();
        assert_eq!(told, json!({"action": "accept", "content": {"n": "Ada"}}));
        gate.open();
        let answer = bridge.answer_to("2");
        assert_eq!(answer["result"]["content"][0]["text"], "done", "{answer}");
        assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
        assert_eq!(server.executions("held"), 1);
        assert_eq!(server.count(is_call), 1, "{face:?}: one call upstream");
        bridge.finish();
    }
}

#[test]
fn t93_two_questions_at_once_share_a_round_and_a_later_one_has_its_own() {
    for face in BOTH {
        let server = Server::start(face);
        let (second, last) = (Gate::new(), Gate::new());
        let gates = (second.clone(), last.clone());
        server.on("tools/call", move |call| {
            call.executed();
            say(call, face, true, &json::request("1", "elicitation/create", FORM));
            say(call, face, false, &json::request("\"1\"", "roots/list", "{}"));
            gates.0.wait();
            say(
                call,
                face,
                false,
                &json::request("2", "sampling/createMessage", r#"{"messages":[],"maxTokens":5}"#),
            );
            gates.1.wait();
            finish(call, face, r#"{"content":[{"type":"text","text":"done"}]}"#);
        });
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "held"));
        let mut responses = serde_json::Map::new();
        // On a slow machine the second question may come too late for the first round.
        let mut state = asked["requestState"].clone();
        let mut round = asked;
        let mut seen = 0;
        loop {
            for (key, question) in round["inputRequests"].as_object().expect("questions") {
                seen += 1;
                let answer = match question["method"].as_str() {
                    Some("roots/list") => json!({"roots": []}),
                    _ => json!({"action": "decline"}),
                };
                responses.insert(key.clone(), answer);
            }
            if seen == 2 {
                break;
            }
            let told = Value::from(std::mem::take(&mut responses)).to_string();
            let id = format!("\"late-{seen}\"");
            round = bridge.result_of(&id, retry(&id, "held", &told, &state));
            state = round["requestState"].clone();
        }
        bridge.send(retry("2", "held", &Value::from(responses).to_string(), &state));
        assert_eq!(value(&server.await_request(answers("1")).body)["result"]["action"], "decline");
        assert_eq!(
            value(&server.await_request(answers("\"1\"")).body)["result"]["roots"],
            json!([])
        );
        second.open();
        let asked = bridge.answer_to("2")["result"].take();
        let (key, question) = only_question(&asked);
        assert_eq!(question["method"], "sampling/createMessage", "{asked}");
        assert_ne!(asked["requestState"], state, "a new state each round");
        let sample = format!(
            r#"{{"{key}":{{"role":"assistant","content":{{"type":"text","text":"y"}},"model":"m"}}}}"#
        );
        bridge.send(retry("3", "held", &sample, &asked["requestState"]));
        server.await_request(answers("2"));
        last.open();
        assert_eq!(bridge.answer_to("3")["result"]["content"][0]["text"], "done");
        assert_eq!(server.count(is_call), 1, "{face:?}");
        bridge.finish();
    }
}

#[test]
fn t93_a_retry_that_answers_nothing_is_asked_again_under_a_new_state() {
    for face in BOTH {
        let (server, gate) = asking(face, vec![json::request("5", "elicitation/create", FORM)]);
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "held"));
        let again = bridge.result_of("2", retry("2", "held", "{}", &asked["requestState"]));
        let (key, _) = only_question(&again);
        assert_ne!(again["requestState"], asked["requestState"]);
        let stale = retry("\"stale\"", "held", "{}", &asked["requestState"]);
        is_refused_state(&mut bridge, "\"stale\"", stale);
        let told = format!(r#"{{"{key}":{{"action":"decline"}}}}"#);
        bridge.send(retry("3", "held", &told, &again["requestState"]));
        server.await_request(answers("5"));
        gate.open();
        assert_eq!(bridge.answer_to("3")["result"]["content"][0]["text"], "done");
        bridge.finish();
    }
}

#[test]
fn t93_a_result_that_comes_while_nobody_waits_is_kept_for_the_retry() {
    for face in BOTH {
        let (server, gate) = asking(face, vec![json::request("5", "elicitation/create", FORM)]);
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "held"));
        gate.open();
        // Whoever comes after it on the same way knows that it has passed.
        bridge.modern_call_works("\"after\"");
        let (key, _) = only_question(&asked);
        let told = format!(r#"{{"{key}":{{"action":"decline"}}}}"#);
        let result = bridge.result_of("2", retry("2", "held", &told, &asked["requestState"]));
        assert_eq!(result["content"][0]["text"], "done", "{face:?}: {result}");
        assert_eq!(server.executions("held"), 1);
        bridge.finish();
    }
}

#[track_caller]
fn is_refused_state(bridge: &mut Bridge, id: &str, request: String) {
    let error = bridge.error_of(id, request);
    assert_eq!(error["code"], -32602, "{error}");
    assert_eq!(error["data"]["reason"], "invalid_request_state", "{error}");
}

#[test]
fn t94_a_state_is_good_once_for_the_same_request_in_the_same_process() {
    for face in BOTH {
        let (server, gate) = asking(face, vec![json::request("5", "elicitation/create", FORM)]);
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "held"));
        let (key, state) = (only_question(&asked).0, &asked["requestState"]);
        let told = format!(r#"{{"{key}":{{"action":"decline"}}}}"#);
        is_refused_state(&mut bridge, "2", retry("2", "held", &told, &json!("made up")));
        let mut other = bridge_to(face, &server);
        is_refused_state(&mut other, "1", retry("1", "held", &told, state));
        other.end();
        bridge.send(retry("3", "held", &told, state));
        server.await_request(answers("5"));
        gate.open();
        assert!(bridge.answer_to("3").get("result").is_some());
        is_refused_state(&mut bridge, "4", retry("4", "held", &told, state));
        assert_eq!(server.count(is_call), 1, "{face:?}: the tool is not started again");
        bridge.end();
    }
}

#[test]
fn t94_a_state_for_other_arguments_or_another_tool_is_refused() {
    for face in BOTH {
        let (server, gate) = asking(face, vec![json::request("5", "elicitation/create", FORM)]);
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "held"));
        let (key, state) = (only_question(&asked).0, &asked["requestState"]);
        let told = format!(r#"{{"{key}":{{"action":"decline"}}}}"#);
        is_refused_state(&mut bridge, "2", retry("2", "other", &told, state));
        assert_eq!(server.count(answers("5")), 0, "no answer reaches the wrong question");
        assert_eq!(server.count(is_call), 1);
        gate.open();
        bridge.end();
    }
}

#[test]
fn t95_a_call_that_nobody_comes_back_for_is_called_off_in_the_end() {
    for face in BOTH {
        let (server, gate) = asking(face, vec![json::request("5", "elicitation/create", FORM)]);
        let mut bridge = setup(face, &server).arg("--input-timeout=0.7").spawn();
        let asked = bridge.result_of("1", client::call("1", "held"));
        let (key, state) = (only_question(&asked).0, &asked["requestState"]);
        let call = server.await_request(is_call);
        let answer = server.await_request(answers("5"));
        assert_eq!(value(&answer.body)["result"]["action"], "cancel", "{face:?}");
        assert!(answer.at - call.at >= Duration::from_millis(700), "{face:?}: not before its time");
        let cancelled = server.await_request(|request| request.is_rpc("notifications/cancelled"));
        assert_eq!(params_of(&cancelled)["requestId"].to_string(), call.rpc_id().expect("an id"));
        gate.open();
        let told = format!(r#"{{"{key}":{{"action":"decline"}}}}"#);
        is_refused_state(&mut bridge, "2", retry("2", "held", &told, state));
        assert_eq!(server.count(is_call), 1, "{face:?}: the tool is not started again");
        bridge.end();
    }
}

#[test]
fn t95_what_is_held_when_the_client_leaves_is_called_off() {
    for face in BOTH {
        let (server, gate) = asking(
            face,
            vec![
                json::request("5", "elicitation/create", FORM),
                json::request("6", "roots/list", "{}"),
            ],
        );
        let mut bridge = bridge_to(face, &server);
        bridge.result_of("1", client::call("1", "held"));
        let call = server.await_request(is_call);
        bridge.close_stdin();
        let answer = value(&server.await_request(answers("5")).body);
        assert_eq!(answer["result"]["action"], "cancel", "{face:?}: {answer}");
        let answer = value(&server.await_request(answers("6")).body);
        assert!(answer.get("error").is_some(), "{face:?}: {answer}");
        let cancelled = server.await_request(|request| request.is_rpc("notifications/cancelled"));
        assert_eq!(params_of(&cancelled)["requestId"].to_string(), call.rpc_id().expect("an id"));
        assert_eq!(bridge.await_exit(Duration::from_secs(5)).code(), Some(0));
        gate.open();
    }
}

#[test]
fn t96_a_question_that_the_request_does_not_cover_is_answered_at_once() {
    for (method, params, capabilities, code) in [
        ("elicitation/create", FORM, "{}", -32602),
        (
            "elicitation/create",
            r#"{"mode":"url","message":"?","url":"https://x.example/","elicitationId":"e"}"#,
            r#"{"elicitation":{"form":{}}}"#,
            -32602,
        ),
        (
            "sampling/createMessage",
            r#"{"messages":[],"maxTokens":1}"#,
            r#"{"elicitation":{}}"#,
            -32601,
        ),
        ("roots/list", "{}", r#"{"elicitation":{}}"#, -32601),
    ] {
        for face in BOTH {
            let (server, gate) = asking(face, vec![json::request("\"q\"", method, params)]);
            let mut bridge = bridge_to(face, &server);
            // A first request that covers everything: the session is opened with all of it.
            bridge.modern_call_works("0");
            let members = r#""name":"echo","arguments":{"marker":"held"}"#;
            bridge.send(client::request_as("1", "tools/call", members, capabilities, ""));
            let answer = value(&server.await_request(answers("\"q\"")).body);
            assert_eq!(answer["error"]["code"], code, "{face:?} {method}: {answer}");
            gate.open();
            let result = bridge.answer_to("1")["result"].take();
            assert_eq!(result["content"][0]["text"], "done", "{face:?}: {result}");
            bridge.finish();
        }
    }
}

#[test]
fn t96_a_ping_of_the_server_is_answered_here() {
    for face in BOTH {
        let (server, gate) = asking(face, vec![json::request("\"p\"", "ping", "{}")]);
        let mut bridge = bridge_to(face, &server);
        bridge.send(client::call("1", "held"));
        let answer = value(&server.await_request(answers("\"p\"")).body);
        assert_eq!(answer["result"], json!({}), "{face:?}: {answer}");
        gate.open();
        assert_eq!(bridge.answer_to("1")["result"]["content"][0]["text"], "done");
        bridge.finish();
    }
}

#[test]
fn t97_a_question_that_belongs_to_no_call_never_reaches_stdout() {
    for face in BOTH {
        let server = Server::start(face);
        let mut bridge = bridge_to(face, &server);
        bridge.discover();
        bridge.result_of("1", client::request("1", "tools/list", ""));
        server.push(json::request("\"alone\"", "elicitation/create", FORM));
        let answer = value(&server.await_request(answers("\"alone\"")).body);
        assert_eq!(answer["error"]["code"], -32602, "{face:?}: {answer}");
        // Roots may be asked for at once and answered later.
        server.push(json::request("\"roots\"", "roots/list", "{}"));
        bridge.result_of("2", client::request("2", "tools/list", ""));
        bridge.close_stdin();
        for line in bridge.rest() {
            assert_eq!(value(&line).get("method"), None, "{}", String::from_utf8_lossy(&line));
        }
    }
}

#[test]
fn t98_each_listen_gets_what_it_asked_for_under_its_own_id() {
    for face in BOTH {
        let server = Server::start(face);
        let mut bridge = bridge_to(face, &server);
        bridge.send(client::listen("7", r#"{"toolsListChanged":true}"#));
        let line = value(&bridge.next_line());
        assert_eq!(line["method"], ACKNOWLEDGED, "first of all: {line}");
        assert_eq!(line["params"]["notifications"], json!({"toolsListChanged": true}), "{line}");
        assert_eq!(line["params"]["_meta"][SUBSCRIPTION], 7, "{line}");
        bridge.send(client::listen(
            "\"7\"",
            r#"{"promptsListChanged":true,"resourceSubscriptions":["test://one"]}"#,
        ));
        let line = value(&bridge.next_line());
        assert_eq!(line["method"], ACKNOWLEDGED, "{line}");
        assert_eq!(line["params"]["_meta"][SUBSCRIPTION], "7", "{line}");
        assert_eq!(
            line["params"]["notifications"],
            json!({"promptsListChanged": true, "resourceSubscriptions": ["test://one"]}),
            "{line}"
        );
        let subscribed = server.await_request(|request| request.is_rpc("resources/subscribe"));
        assert_eq!(params_of(&subscribed)["uri"], "test://one");
        for (method, params, id) in [
            ("notifications/tools/list_changed", "{}", json!(7)),
            ("notifications/prompts/list_changed", "{}", json!("7")),
            ("notifications/resources/updated", r#"{"uri":"test://one"}"#, json!("7")),
            ("notifications/resources/updated", r#"{"uri":"test://one/part"}"#, json!("7")),
        ] {
            server.push(json::notification("notifications/resources/list_changed", "{}"));
            server.push(json::notification(method, params));
            let line = value(&bridge.next_line());
            assert_eq!(line["method"], method, "nobody asked for the other one: {line}");
            assert_eq!(line["params"]["_meta"][SUBSCRIPTION], id, "{line}");
        }
        bridge.send(client::cancel("\"7\""));
        let left = server.await_request(|request| request.is_rpc("resources/unsubscribe"));
        assert_eq!(params_of(&left)["uri"], "test://one");
        server.push(json::notification("notifications/prompts/list_changed", "{}"));
        server.push(json::notification("notifications/tools/list_changed", "{}"));
        let line = value(&bridge.next_line());
        assert_eq!(line["method"], "notifications/tools/list_changed", "{line}");
        bridge.finish();
    }
}

#[test]
fn t98_two_listens_of_one_kind_get_a_copy_each_and_share_a_subscription() {
    for face in BOTH {
        let server = Server::start(face);
        let mut bridge = bridge_to(face, &server);
        let filter = r#"{"toolsListChanged":true,"resourceSubscriptions":["test://one"]}"#;
        for id in ["1", "\"1\""] {
            bridge.send(client::listen(id, filter));
            assert_eq!(value(&bridge.next_line())["method"], ACKNOWLEDGED);
        }
        assert_eq!(server.count(|request| request.is_rpc("resources/subscribe")), 1);
        server.push(json::notification("notifications/tools/list_changed", "{}"));
        let mut ids: Vec<String> = (0..2)
            .map(|_| value(&bridge.next_line())["params"]["_meta"][SUBSCRIPTION].to_string())
            .collect();
        ids.sort();
        assert_eq!(ids, ["\"1\"", "1"]);
        bridge.send(client::cancel("1"));
        bridge.modern_call_works("2");
        assert_eq!(server.count(|request| request.is_rpc("resources/unsubscribe")), 0);
        bridge.send(client::cancel("\"1\""));
        server.await_request(|request| request.is_rpc("resources/unsubscribe"));
        bridge.finish();
    }
}

#[test]
fn t98_what_cannot_be_honoured_is_left_out_and_still_acknowledged() {
    let server = Server::start(Face::Http);
    server.on("resources/subscribe", |call| {
        if call.params["uri"] == "test://one" {
            return call.behave();
        }
        let error = json::error(&call.id(), -32602, "no such resource");
        call.message(error);
    });
    let mut bridge = bridge_to(Face::Http, &server);
    bridge.send(client::listen("1", r#"{"resourceSubscriptions":["test://bad","test://one"]}"#));
    let line = bridge.incoming(ACKNOWLEDGED);
    let honoured = &line["params"]["notifications"]["resourceSubscriptions"];
    assert_eq!(*honoured, json!(["test://one"]), "{line}");
    bridge.finish();

    let server = Server::start(Face::Http);
    server.stateless();
    let mut bridge = setup(Face::Http, &server).arg("--protocol=legacy").spawn();
    bridge.send(client::listen("1", r#"{"toolsListChanged":true}"#));
    let line = bridge.incoming(ACKNOWLEDGED);
    assert_ne!(line["params"]["notifications"]["toolsListChanged"], true, "{line}");
    bridge.end();
}

const URL_REQUIRED: &str = r#"{"jsonrpc":"2.0","id":{id},"error":{"code":-32042,"message":"Sign in first","data":{"elicitations":[{"mode":"url","elicitationId":"e-9","url":"https://login.example/","message":"Sign in"}]}}}"#;

fn signing_in(face: Face) -> Server {
    let server = Server::start(face);
    let seen = std::sync::atomic::AtomicUsize::new(0);
    server.on("tools/call", move |call| {
        if seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0 {
            return call.behave();
        }
        let message = URL_REQUIRED.replace("{id}", &call.id());
        call.message(message);
    });
    server
}

#[test]
fn t99_a_url_that_the_call_needs_is_a_round_and_the_retry_sends_the_call_anew() {
    for face in BOTH {
        let server = signing_in(face);
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "works"));
        let (key, question) = only_question(&asked);
        assert_eq!(question["method"], "elicitation/create", "{asked}");
        assert_eq!(question["params"]["mode"], "url", "{asked}");
        assert_eq!(question["params"]["url"], "https://login.example/", "{asked}");
        assert_eq!(question["params"]["message"], "Sign in", "{asked}");
        assert_eq!(question["params"].get("elicitationId"), None, "{asked}");
        let told = format!(r#"{{"{key}":{{"action":"accept"}}}}"#);
        let result = bridge.result_of("2", retry("2", "works", &told, &asked["requestState"]));
        assert_eq!(result["content"][0]["text"], "works", "{face:?}: {result}");
        assert_eq!(server.count(is_call), 2);
        bridge.finish();
    }
}

#[test]
fn t99_a_client_without_urls_is_told_which_capability_it_lacks() {
    for face in BOTH {
        let server = signing_in(face);
        let mut bridge = bridge_to(face, &server);
        let members = r#""name":"echo","arguments":{}"#;
        let request =
            client::request_as("1", "tools/call", members, r#"{"elicitation":{"form":{}}}"#, "");
        let error = bridge.error_of("1", request);
        assert_eq!(error["code"], -32021, "{error}");
        assert_eq!(error["data"]["requiredCapabilities"], json!({"elicitation": {"url": {}}}));
        bridge.finish();
    }
}

#[test]
fn t99_a_url_that_was_declined_is_a_failure_without_a_second_call() {
    for face in BOTH {
        let server = signing_in(face);
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "works"));
        let told = format!(r#"{{"{}":{{"action":"decline"}}}}"#, only_question(&asked).0);
        bridge.send(retry("2", "works", &told, &asked["requestState"]));
        let answer = bridge.answer_to("2");
        let failed = answer["result"]["isError"] == true || answer["error"]["code"] == -32603;
        assert!(failed, "{answer}");
        assert_eq!(server.count(is_call), 1, "{face:?}");
        bridge.finish();
    }
}

#[test]
fn t100_codes_that_mean_something_else_in_the_modern_era_are_replaced() {
    for face in BOTH {
        let server = Server::start(face);
        for (method, code) in [
            ("resources/read", -32002),
            ("x/private", -32022),
            ("x/url", -32042),
            ("x/plain", -32005),
            ("x/own", 17),
        ] {
            server.on(method, move |call| {
                let message = format!(
                    r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":{code},"message":"private","data":{{"v":1.0}}}}}}"#,
                    call.id()
                );
                call.message(message);
            });
        }
        let mut bridge = bridge_to(face, &server);
        // What a server says privately is not taken for proof of an era once it has shaken hands.
        bridge.modern_call_works("0");
        for (method, members, code) in [
            ("resources/read", r#""uri":"test://gone""#, -32602),
            ("x/private", "", -32603),
            ("x/url", "", -32603),
            ("x/plain", "", -32005),
            ("x/own", "", 17),
        ] {
            let error = bridge.error_of("1", client::request("1", method, members));
            assert_eq!(error["code"], code, "{face:?} {method}: {error}");
            let data = error["data"].to_string();
            if code == -32603 {
                assert!(data.contains("-320") && data.contains("1.0"), "the original: {error}");
            } else {
                assert_eq!(data, r#"{"v":1.0}"#, "{error}");
            }
        }
        bridge.finish();
    }
}

#[test]
fn t101_log_messages_come_only_to_who_asked_and_as_severe_as_asked() {
    for face in BOTH {
        let server = Server::start(face);
        let (log, end) = (Gate::new(), Gate::new());
        let gates = (log.clone(), end.clone());
        server.on("tools/call", move |call| {
            call.executed();
            let note = |level: &str| {
                let params =
                    format!(r#"{{"level":"{level}","data":"{level} of {}"}}"#, call.marker());
                json::notification("notifications/message", &params)
            };
            let (info, error) = (note("info"), note("error"));
            gates.0.wait();
            say(call, face, true, &info);
            say(call, face, false, &error);
            gates.1.wait();
            finish(call, face, r#"{"content":[]}"#);
        });
        let mut bridge = bridge_to(face, &server);
        let members =
            |marker: &str| format!(r#""name":"echo","arguments":{{"marker":"{marker}"}}"#);
        let level = r#""io.modelcontextprotocol/logLevel":"error""#;
        bridge.send(client::request_as("1", "tools/call", &members("asking"), FULL, level));
        server.await_execution("asking");
        let set = server.await_request(|request| request.is_rpc("logging/setLevel"));
        assert_eq!(params_of(&set)["level"], "error");
        assert!(set.ordinal < server.await_request(is_call).ordinal, "the level comes first");
        log.open();
        let line = value(&bridge.next_line());
        assert_eq!(line["params"]["data"], "error of asking", "{face:?}: {line}");
        end.open();
        assert_eq!(value(&bridge.next_line())["id"], 1);
        // Nobody asks any more.
        bridge.send(client::call("2", "silent"));
        assert_eq!(value(&bridge.next_line())["id"], 2, "{face:?}: no log message");
        bridge.finish();
    }
}

#[test]
fn a_cancelled_request_is_cancelled_upstream_under_its_own_id_and_not_answered() {
    for face in BOTH {
        let (server, gate) = asking(face, vec![json::notification("notifications/x", "{}")]);
        let mut bridge = bridge_to(face, &server);
        bridge.send(client::call("1", "held"));
        server.await_execution("held");
        bridge.send(client::cancel("1"));
        let cancelled = server.await_request(|request| request.is_rpc("notifications/cancelled"));
        let call = server.await_request(is_call);
        assert_eq!(params_of(&cancelled)["requestId"].to_string(), call.rpc_id().expect("an id"));
        gate.open();
        bridge.modern_call_works("2");
        bridge.close_stdin();
        assert!(!bridge.rest().iter().any(|line| value(line)["id"] == 1), "{face:?}");
    }
}

#[test]
fn progress_comes_under_the_clients_token() {
    for face in BOTH {
        let server = Server::start(face);
        server.on("tools/call", move |call| {
            call.executed();
            let token = call.params["_meta"]["progressToken"].to_string();
            let params = format!(r#"{{"progressToken":{token},"progress":1}}"#);
            say(call, face, true, &json::notification("notifications/progress", &params));
            finish(call, face, r#"{"content":[]}"#);
        });
        let mut bridge = bridge_to(face, &server);
        let members = r#""name":"echo","arguments":{}"#;
        bridge.send(client::request_as(
            "1",
            "tools/call",
            members,
            FULL,
            r#""progressToken":"mine""#,
        ));
        let line = value(&bridge.next_line());
        assert_eq!(line["params"]["progressToken"], "mine", "{face:?}: {line}");
        assert_eq!(value(&bridge.next_line())["id"], 1);
        bridge.finish();
    }
}

#[test]
fn legacy_methods_under_modern_metadata_are_unknown() {
    for face in BOTH {
        let server = Server::start(face);
        let mut bridge = bridge_to(face, &server);
        bridge.discover();
        let before = server.requests().len();
        for method in [
            "initialize",
            "ping",
            "logging/setLevel",
            "resources/subscribe",
            "resources/unsubscribe",
            "tasks/result",
            "tasks/list",
        ] {
            let error =
                bridge.error_of("1", client::request("1", method, r#""uri":"x","level":"info""#));
            assert_eq!(error["code"], -32601, "{method}: {error}");
        }
        let after = server.requests();
        let leaked: Vec<_> = after[before..].iter().filter_map(|request| request.rpc()).collect();
        let leaked: Vec<_> =
            leaked.iter().filter(|rpc| *rpc != "notifications/initialized").collect();
        assert!(leaked.is_empty(), "{leaked:?}");
        bridge.finish();
    }
}

#[test]
fn a_call_whose_way_breaks_is_never_repeated() {
    for face in BOTH {
        let server = Server::start(face);
        server.on("tools/call", |call| {
            if call.marker() == "works" {
                return call.behave();
            }
            call.executed();
            call.cut();
        });
        let mut bridge = bridge_to(face, &server);
        bridge.send(client::call("1", "once"));
        let error = bridge.answer_to("1")["error"].take();
        assert!([json!(-31001), json!(-31005)].contains(&error["code"]), "{face:?}: {error}");
        bridge.modern_call_works("2");
        assert_eq!(server.executions("once"), 1, "{face:?}");
        assert_eq!(server.count(is_call), 2, "{face:?}: the one that broke, the one that works");
        bridge.end();
    }
}

#[test]
fn a_held_call_whose_way_breaks_is_never_started_again() {
    for face in BOTH {
        let server = Server::start(face);
        let gate = Gate::new();
        let held = gate.clone();
        server.on("tools/call", move |call| {
            if call.marker() == "works" {
                return call.behave();
            }
            call.executed();
            say(call, face, true, &json::request("5", "elicitation/create", FORM));
            held.wait();
            call.cut();
        });
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "held"));
        gate.open();
        // A list is asked for again where the break takes it along.
        bridge.result_of("\"after\"", client::request("\"after\"", "tools/list", ""));
        let told = format!(r#"{{"{}":{{"action":"decline"}}}}"#, only_question(&asked).0);
        bridge.send(retry("2", "held", &told, &asked["requestState"]));
        let answer = bridge.answer_to("2");
        assert!(answer.get("error").is_some(), "{face:?}: {answer}");
        assert_eq!(server.executions("held"), 1, "{face:?}");
        bridge.end();
    }
}

#[test]
fn a_session_that_is_lost_is_opened_again_without_a_word() {
    let server = Server::start(Face::Http);
    let mut bridge = bridge_to(Face::Http, &server);
    bridge.modern_call_works("1");
    server.forget_sessions();
    bridge.modern_call_works("2");
    assert_eq!(server.executions("works"), 2);
    bridge.end();
}

#[test]
fn a_listen_goes_on_over_a_dropped_stream_and_the_gap_is_covered() {
    for face in BOTH {
        let server = Server::start(face);
        let mut bridge = bridge_to(face, &server);
        let filter = r#"{"toolsListChanged":true,"resourceSubscriptions":["test://one"]}"#;
        bridge.send(client::listen("7", filter));
        bridge.incoming(ACKNOWLEDGED);
        // A stream that brought something is known to be one, however soon it ends.
        server.push(json::notification("notifications/tools/list_changed", "{}"));
        bridge.incoming("notifications/tools/list_changed");
        let sessions = server.sessions_opened();
        server.forget_sessions();
        let changed = bridge.incoming("notifications/tools/list_changed");
        assert_eq!(changed["params"]["_meta"][SUBSCRIPTION], 7, "{face:?}: {changed}");
        server.await_session(sessions + 1);
        server.await_nth(2, |request| request.is_rpc("resources/subscribe"));
        server
            .push(json::notification("notifications/resources/updated", r#"{"uri":"test://one"}"#));
        let updated = bridge.incoming("notifications/resources/updated");
        assert_eq!(updated["params"]["_meta"][SUBSCRIPTION], 7, "{face:?}: {updated}");
        bridge.end();
    }
}

#[test]
fn the_session_is_opened_with_what_the_first_request_can_do() {
    for face in BOTH {
        let server = Server::start(face);
        let mut bridge = bridge_to(face, &server);
        bridge.send(client::request_as("\"d\"", "server/discover", "", "{}", ""));
        assert!(bridge.answer_to("\"d\"").get("result").is_some());
        bridge.modern_call_works("1");
        bridge.modern_call_works("2");
        let last = server.requests().iter().rfind(|request| request.is_rpc("initialize")).cloned();
        let capabilities = params_of(&last.expect("a handshake"))["capabilities"].take();
        assert!(capabilities["elicitation"].is_object(), "{face:?}: {capabilities}");
        assert!(capabilities["sampling"].is_object(), "{face:?}: {capabilities}");
        assert!(capabilities["roots"].is_object(), "{face:?}: {capabilities}");
        let handshakes = server.count(|request| request.is_rpc("initialize"));
        assert!(handshakes <= 2, "{face:?}: {handshakes} handshakes");
        if face == Face::Http && handshakes == 2 {
            let deleted = |request: &Request| {
                request.method == "DELETE" && request.header("mcp-session-id") == Some("session-1")
            };
            server.await_request(deleted);
        }
        bridge.finish();
    }
}

#[test]
fn a_tool_that_only_runs_as_a_task_is_run_as_one() {
    let server = Server::start(Face::Http);
    server.on("initialize", |call| {
        let session = [("mcp-session-id", "s-1"), ("content-type", "application/json")];
        let result = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"tasks":{"requests":{"tools":{"call":{}}},"cancel":{}}},"serverInfo":{"name":"tasked","version":"1"}}"#;
        let body = json::result(&call.id(), result);
        call.http().reply(200, &session, body);
    });
    server.stateless();
    server.on("tools/list", |call| {
        call.answer(r#"{"tools":[{"name":"long","inputSchema":{"type":"object"},"execution":{"taskSupport":"required"}}]}"#);
    });
    server.on("tools/call", |call| {
        if call.params.get("task").is_none() {
            let error = json::error(&call.id(), -32601, "a task is needed");
            return call.message(error);
        }
        call.executed();
        call.answer(r#"{"task":{"taskId":"t-1","status":"working","ttl":60000,"pollInterval":20,"createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z"}}"#);
    });
    let polls = std::sync::atomic::AtomicUsize::new(0);
    server.on("tasks/get", move |call| {
        let done = polls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0;
        let status = if done { "completed" } else { "working" };
        call.answer(&format!(r#"{{"taskId":"t-1","status":"{status}","ttl":60000,"pollInterval":20,"createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z"}}"#));
    });
    server.on("tasks/result", |call| {
        call.answer(r#"{"content":[{"type":"text","text":"after all"}],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t-1"}}}"#);
    });
    let mut bridge = bridge_to(Face::Http, &server);
    bridge.discover();
    bridge.result_of("1", client::request("1", "tools/list", ""));
    let result = bridge.result_of("2", client::tool("2", "long", r#"{"marker":"task"}"#));
    assert_eq!(result["content"][0]["text"], "after all", "{result}");
    assert_eq!(result["resultType"], "complete", "{result}");
    assert_eq!(server.executions("task"), 1);
    bridge.close_stdin();
}
