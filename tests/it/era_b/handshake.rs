//! What a modern client learns of a legacy remote, and what the remote is told of the client.

use serde_json::json;

use super::{BOTH, SERVER_INFO, bridge_to, params_of, setup};
use crate::support::{
    http::Request,
    json,
    modern::{VERSION, client},
    server::{Face, Server},
};

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
