//! XB-10 to XB-15, T90.

use super::super::{
    discover::Remote,
    transcript::{ACME, Dialogue, play},
};
use crate::message::member;

fn capabilities(version: &str, legacy: &str, can_listen: bool) -> String {
    let result = format!(r#"{{"protocolVersion":"{version}","capabilities":{legacy}}}"#);
    let remote = Remote::new(&result).expect("a legacy version");
    member(&remote.discover(can_listen), "capabilities").expect("capabilities").to_owned()
}

#[test]
fn t90_xb_10_xb_11_xb_13_discovery_is_answered_from_the_handshake() {
    play(
        r#"
        client> {$J,"id":"d","method":"server/discover","params":{"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":$BRIDGE}}
        core> {$J,"id":"$init","result":{"protocolVersion":"2025-06-18","serverInfo":{"name":"acme","n":1.0},"instructions":"Do \u00e9.","capabilities":{"tools":{"listChanged":true},"tasks":{"list":{}},"logging":{},"x":{"y": 1e400}},"_meta":{"v/k":1},"other":[ 1 ]}}
        core< {$J,"method":"notifications/initialized"}
        client< {$J,"id":"d","result":{"instructions":"Do \u00e9.","other":[ 1 ],"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"logging":{},"x":{"y": 1e400}},"ttlMs":0,"cacheScope":"private","_meta":{"v/k":1,$SERVER:{"name":"acme","n":1.0}}}}
        "#,
    );
}

#[test]
fn xb_10_what_the_capabilities_become() {
    for (version, legacy, expected) in [
        ("2025-11-25", r#"{"tasks":{}}"#, "{}"),
        (
            "2025-11-25",
            r#"{"extensions":{"io.modelcontextprotocol/tasks":{},"a/b":{}}}"#,
            r#"{"extensions":{"a/b":{}}}"#,
        ),
        ("2025-11-25", r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#, "{}"),
        ("2024-11-05", r#"{"prompts":{}}"#, r#"{"prompts":{},"completions":{}}"#),
        ("2024-11-05", r#"{"tools":{}}"#, r#"{"tools":{}}"#),
        ("2025-03-26", r#"{"prompts":{}}"#, r#"{"prompts":{}}"#),
    ] {
        assert_eq!(capabilities(version, legacy, true), expected, "{version} {legacy}");
    }
}

#[test]
fn xb_25_the_tasks_extension_is_neither_offered_nor_served() {
    let tasks = r#"{"tasks":{"list":{}},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
    assert_eq!(capabilities("2025-11-25", tasks, true), "{}");
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let mut dialogue = Dialogue::open("{}", ACME);
        dialogue.name("M", method);
        dialogue.play(
            r#"client> {$J,"id":1,"method":"$M","params":{"taskId":"t","_meta":{$V,$CAN:{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}}
            client< {$J,"id":1,"error":{"code":-32601,"message":"2026-07-28 has no `$M`","data":{"origin":"bridge","reason":"method-not-found"}}}"#,
        );
    }
}

#[test]
fn xb_14_mm_5_a_later_version_is_refused_before_anything_is_opened() {
    for method in ["server/discover", "tools/call", "ping"] {
        let mut dialogue = Dialogue::new();
        dialogue.name("M", method);
        dialogue.play(
            r#"client> {$J,"id":"a","method":"$M","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01",$CAN:{}}}}
            client< {$J,"id":"a","error":{"code":-32022,"data":{"requested":"2099-01-01","supported":["2026-07-28"]},"message":"$why"}}"#,
        );
    }
}

#[test]
fn xb_12_without_a_stream_no_changes_are_promised() {
    let legacy = r#"{"tools":{"listChanged":true,"x":1},"resources":{"subscribe":true,"listChanged":true},"prompts":{}}"#;
    assert_eq!(
        capabilities("2025-11-25", legacy, false),
        r#"{"tools":{"x":1},"resources":{},"prompts":{}}"#
    );
    let mut dialogue = Dialogue::open("{}", ACME);
    dialogue.play(
        r#"listening false
        client> {$J,"id":1,"method":"server/discover","params":{"_meta":{$V,$CAN:{}}}}
        client< {$J,"id":1,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"prompts":{},"resources":{},"logging":{}},"ttlMs":0,"cacheScope":"private",$ACME}}"#,
    );
}

#[test]
fn xb_12_discovery_waits_a_little_for_what_can_be_promised() {
    let promises = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"acme","version":"3.1"}}"#;
    for (known, capability) in [
        ("listening false", r#"{}"#),
        ("listening true", r#"{"listChanged":true}"#),
        ("wait 1500", r#"{"listChanged":true}"#),
    ] {
        let mut dialogue = Dialogue::new();
        dialogue.machine.session.listening = None;
        dialogue.name("R", promises);
        dialogue.name("TOLD", capability);
        dialogue.play(
            r#"client> {$J,"id":1,"method":"server/discover","params":{"_meta":{$V,$CAN:{}}}}
            core< {$J,"id":"$init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":$BRIDGE}}
            core> {$J,"id":"$init","result":$R}
            core< {$J,"method":"notifications/initialized"}"#,
        );
        dialogue.play(&format!(
            r#"{known}
            client< {{$J,"id":1,"result":{{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{{"tools":$TOLD}},"ttlMs":0,"cacheScope":"private",$ACME}}}}"#
        ));
    }
}

#[test]
fn xb_14_what_is_gone_from_the_protocol_does_not_reach_the_remote() {
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/result",
        "tasks/list",
        "tasks/get",
    ] {
        let mut dialogue = Dialogue::new();
        dialogue.name("M", method);
        dialogue.play(
            r#"client> {$J,"id":1,"method":"$M","params":{"_meta":{$V,$CAN:{}}}}
            client< {$J,"id":1,"error":{"code":-32601,"message":"2026-07-28 has no `$M`","data":{"origin":"bridge","reason":"method-not-found"}}}"#,
        );
    }
}

#[test]
fn xb_15_a_remote_that_comes_later_is_known_later() {
    let provisional = r#"{"protocolVersion":"2025-11-25","capabilities":{},"instructions":"not connected yet","serverInfo":{"name":"b","version":"1"}}"#;
    let mut dialogue = Dialogue::open("{}", provisional);
    dialogue.machine.learn_remote("{}");
    dialogue.machine.learn_remote(
        r#"{"protocolVersion":"2025-11-25","capabilities":{"x":{}},"serverInfo":{"name":"s","version":"2"}}"#,
    );
    dialogue.play(
        r#"client> {$J,"id":1,"method":"server/discover","params":{"_meta":{$V,$CAN:{}}}}
        client< {$J,"id":1,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"x":{}},"ttlMs":0,"cacheScope":"private","_meta":{$SERVER:{"name":"s","version":"2"}}}}"#,
    );
}
