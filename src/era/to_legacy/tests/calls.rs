//! XB-20 to XB-27, XB-35, XB-63, T91, T92, T94, T100.

use super::super::{
    result::{self, Added},
    transcript::{ACME, Dialogue},
};

/// A remote that is there, with this said to it and by it.
fn after_open(text: &str) {
    Dialogue::open("{}", ACME).play(text);
}

#[test]
fn xb_20_a_request_loses_what_is_modern_and_nothing_else() {
    for (name, modern, legacy) in [
        (
            "tools/call",
            r#"{"name":"a","arguments":{ "n" : 1.0,"big":1e400},"_meta":{$V,$CAN:{},$INFO:{"name":"h"},"v/k": 7 ,"traceparent":"00"},"x":[ 1]}"#,
            r#"{"name":"a","arguments":{ "n" : 1.0,"big":1e400},"x":[ 1],"_meta":{"v/k":7,"traceparent":"00"}}"#,
        ),
        ("tools/list", r#"{"_meta":{$V,$CAN:{}},"cursor":""}"#, r#"{"cursor":""}"#),
        ("vendor/x", r#"{"task":{},"_meta":{$CAN:{},$V}}"#, r#"{"task":{}}"#),
        ("tools/call", r#"{"name":"a","task":{"ttl":1},"_meta":{$V,$CAN:{}}}"#, r#"{"name":"a"}"#),
        ("vendor/x", r#"{"requestState":"s","inputResponses":{},"_meta":{$V,$CAN:{}}}"#, "{}"),
        (
            "completion/complete",
            r#"{"_meta":{$V,$CAN:{},"progressToken":9007199254740993}}"#,
            r#"{"_meta":{"progressToken":"$n"}}"#,
        ),
    ] {
        after_open(&format!(
            r#"client> {{$J,"id":1,"method":"{name}","params":{modern}}}
            core< {{$J,"id":"$n","method":"{name}","params":{legacy}}}"#
        ));
    }
}

#[test]
fn inv_2_the_answer_has_the_very_id_of_the_request() {
    for id in ["7", r#""7""#, "9007199254740993", r#""\u0061 \"b""#, "-0.0", r#""b-3""#] {
        after_open(&format!(
            r#"client> {{$J,"id":{id},"method":"vendor/x","params":{{"_meta":{{$V,$CAN:{{}}}}}}}}
            core< {{$J,"id":"$n","method":"vendor/x","params":{{}}}}
            core> {{$J,"id":"$n","result":{{}}}}
            client< {{$J,"id":{id},"result":{{$DONE}}}}
            # and only once
            core> {{$J,"id":"$n","result":{{}}}}"#
        ));
    }
}

#[test]
fn t91_t92_xb_21_xb_22_a_result_is_complete_and_lists_say_how_long_they_may_be_kept() {
    for (method, has_hints) in [
        ("tools/list", true),
        ("prompts/list", true),
        ("resources/list", true),
        ("resources/templates/list", true),
        ("resources/read", true),
        ("tools/call", false),
        ("prompts/get", false),
        ("completion/complete", false),
        ("vendor/x", false),
    ] {
        let hints = if has_hints { r#""ttlMs":0,"cacheScope":"private","# } else { "" };
        after_open(&format!(
            r#"client> {{$J,"id":1,"method":"{method}","params":{{"_meta":{{$V,$CAN:{{}}}}}}}}
            core< {{$J,"id":"$n","method":"{method}","params":{{}}}}
            core> {{$J,"id":"$n","result":{{"resultType":"input_required","a": 1.0}}}}
            client< {{$J,"id":1,"result":{{"resultType":"complete","a":1.0,{hints}$ACME}}}}"#
        ));
    }
}

#[test]
fn xb_22_hints_of_a_legacy_remote_are_kept_where_they_mean_something() {
    for (result, expected) in [
        ("{}", r#""ttlMs":0,"cacheScope":"private"}"#),
        (r#"{"ttlMs":5,"cacheScope":"public"}"#, r#""ttlMs":5,"cacheScope":"private","#),
        (r#"{"ttlMs":-5}"#, r#""ttlMs":0,"#),
        (r#"{"ttlMs":"5"}"#, r#""ttlMs":0,"#),
        (r#"{"ttlMs":1.5}"#, r#""ttlMs":0,"#),
    ] {
        let added = Added { server_info: None, hints: true };
        let text = result::complete(result, added).expect("an object").to_string();
        assert!(text.contains(expected), "{result}: {text}");
    }
}

#[test]
fn xb_21_a_large_result_is_only_added_to_and_is_the_same_as_a_small_one() {
    let added = Added { server_info: Some(r#"{"name":"s"}"#), hints: true };
    let complete = |text: &str| result::complete(text, added).expect("an object").to_string();
    let text = "x".repeat(10_000);
    for (result, expected) in [
        (
            format!(r#" {{"a": "{text}" }} "#),
            format!(
                r#"{{"a": "{text}" ,"resultType":"complete","ttlMs":0,"cacheScope":"private","_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"s"}}}}}}"#
            ),
        ),
        (
            format!(r#"{{"a":"{text}","resultType":7}}"#),
            format!(
                r#"{{"a":"{text}","resultType":"complete","ttlMs":0,"cacheScope":"private","_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"s"}}}}}}"#
            ),
        ),
        (
            format!(r#"{{"a":"{text}","_\u006deta":{{"k":1}}}}"#),
            format!(
                r#"{{"a":"{text}","resultType":"complete","ttlMs":0,"cacheScope":"private","_meta":{{"k":1,"io.modelcontextprotocol/serverInfo":{{"name":"s"}}}}}}"#
            ),
        ),
    ] {
        assert_eq!(complete(&result), expected);
    }
    let empty = format!("{{{}}}", " ".repeat(10_000));
    assert!(complete(&empty).trim_start_matches(['{', ' ']).starts_with(r#""resultType""#));
    assert!(result::complete(&format!("[\"{text}\"]"), added).is_none());
}

#[test]
fn xb_21_the_server_names_itself_and_tasks_are_not_mentioned() {
    after_open(
        r#"client> {$J,"id":1,"method":"tools/call","params":{"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$n","method":"tools/call","params":{}}
        core> {$J,"id":"$n","result":{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"},"v/k":1}}}
        client< {$J,"id":1,"result":{"content":[],"resultType":"complete","_meta":{"v/k":1,$SERVER:{"name":"acme","version":"3.1"}}}}"#,
    );
}

#[test]
fn a_result_that_is_no_object_is_an_error() {
    after_open(
        r#"client> {$J,"id":1,"method":"vendor/x","params":{"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$n","method":"vendor/x","params":{}}
        core> {$J,"id":"$n","result":[1]}
        client< {$J,"id":1,"error":{"code":-31003,"message":"could not use the answer to `vendor/x`: the result is not a JSON object","data":{"origin":"bridge","reason":"protocol"}}}
        # nothing said is as good as nothing in it
        client> {$J,"id":2,"method":"vendor/x","params":{"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$m","method":"vendor/x","params":{}}
        core> {$J,"id":"$m","result":null}
        client< {$J,"id":2,"result":{$DONE}}"#,
    );
}

#[test]
fn xb_23_tools_lose_execution_and_keep_every_other_byte() {
    after_open(
        r#"client> {$J,"id":1,"method":"tools/list","params":{"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$n","method":"tools/list","params":{}}
        core> {$J,"id":"$n","result":{"tools":[ {"name":"a","inputSchema":{ "items":[1.0]},"execution":{"taskSupport":"optional"}}, {"name": "b","x-mcp-header":1}],"nextCursor":"" }}
        client< {$J,"id":1,"result":{"tools":[{"name":"a","inputSchema":{ "items":[1.0]}},{"name": "b","x-mcp-header":1}],"nextCursor":"","resultType":"complete","ttlMs":0,"cacheScope":"private",$ACME}}
        client> {$J,"id":2,"method":"tools/list","params":{"_meta":{$V,$CAN:{}},"cursor":""}}
        core< {$J,"id":"$m","method":"tools/list","params":{"cursor":""}}
        core> {$J,"id":"$m","result":{"tools":[],"execution":1}}
        client< {$J,"id":2,"result":{"tools":[],"execution":1,"resultType":"complete","ttlMs":0,"cacheScope":"private",$ACME}}"#,
    );
}

#[test]
fn xb_26_cursors_pass_as_they_are_both_ways() {
    for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
        for cursor in [r#""""#, r#""a\u0062\/c ""#, r#""9007199254740993""#] {
            let mut dialogue = Dialogue::open("{}", ACME);
            dialogue.name("M", method);
            dialogue.name("C", cursor);
            dialogue.play(
                r#"client> {$J,"id":1,"method":"$M","params":{"cursor":$C,"_meta":{$V,$CAN:{}}}}
                core< {$J,"id":"$n","method":"$M","params":{"cursor":$C}}
                core> {$J,"id":"$n","result":{"nextCursor":$C}}
                client< {$J,"id":1,"result":{"nextCursor":$C,"resultType":"complete","ttlMs":0,"cacheScope":"private",$ACME}}"#,
            );
        }
    }
}

#[test]
fn t100_xb_27_errors_mean_the_same_in_both_eras() {
    for (legacy, modern) in [
        (
            r#"{"code":-32002,"message":"no","data":{"uri":"a:b"}}"#,
            r#"{"code":-32602,"message":"no","data":{"uri":"a:b"}}"#,
        ),
        (
            r#"{"code":-32022,"message":"own","data":1}"#,
            r#"{"code":-32603,"message":"own","data":{"original":{"code":-32022,"message":"own","data":1}}}"#,
        ),
        (
            r#"{"code":-32042,"message":"go"}"#,
            r#"{"code":-32603,"message":"go","data":{"original":{"code":-32042,"message":"go"}}}"#,
        ),
        (
            r#"{"code":-32099}"#,
            r#"{"code":-32603,"message":"the remote reported an error","data":{"original":{"code":-32099}}}"#,
        ),
        (r#"{"code":-32000,"message":"x"}"#, r#"{"code":-32000,"message":"x"}"#),
        (r#"{"code":-32019,"message":"x"}"#, r#"{"code":-32019,"message":"x"}"#),
        (r#"{"code":-32100,"message":"x"}"#, r#"{"code":-32100,"message":"x"}"#),
        (r#"{"code":-32601, "message":"x"}"#, r#"{"code":-32601, "message":"x"}"#),
        (r#"{"code":-31000,"message":"x"}"#, r#"{"code":-31000,"message":"x"}"#),
        (r#""odd""#, r#""odd""#),
    ] {
        after_open(&format!(
            r#"client> {{$J,"id":1,"method":"vendor/x","params":{{"_meta":{{$V,$CAN:{{}}}}}}}}
            core< {{$J,"id":"$n","method":"vendor/x","params":{{}}}}
            core> {{$J,"id":"$n","error":{legacy}}}
            client< {{$J,"id":1,"error":{modern}}}"#
        ));
    }
}

#[test]
fn xb_47_progress_has_the_token_of_the_client_and_ends_with_the_request() {
    after_open(
        r#"client> {$J,"id":1,"method":"vendor/x","params":{"_meta":{$V,$CAN:{},"progressToken":7}}}
        core< {$J,"id":"$n","method":"vendor/x","params":{"_meta":{"progressToken":"$n"}}}
        core> {$J,"method":"notifications/progress","params":{"progressToken":"$n","progress": 0.50}}
        client< {$J,"method":"notifications/progress","params":{"progressToken":7,"progress": 0.50}}
        core> {$J,"method":"notifications/progress","params":{"progressToken":"other","progress":1}}
        core> {$J,"method":"notifications/progress","params":{"progressToken":7,"progress":1}}
        core> {$J,"method":"notifications/progress"}
        core> {$J,"id":"$n","result":{}}
        client< {$J,"id":1,"result":{$DONE}}
        core> {$J,"method":"notifications/progress","params":{"progressToken":"$n","progress":1}}"#,
    );
}

#[test]
fn xb_35_what_nobody_knows_goes_with_its_request_only() {
    after_open(
        r#"client> {$J,"id":1,"method":"vendor/x","params":{"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$n","method":"vendor/x","params":{}}
        core($n)> {$J,"method":"notifications/vendor", "params":[ 1]}
        client< {$J,"method":"notifications/vendor", "params":[ 1]}
        core> {$J,"method":"notifications/vendor"}
        core(b-999)> {$J,"method":"notifications/vendor"}
        core($n)> {$J,"method":"notifications/elicitation/complete","params":{"elicitationId":"e"}}
        core($n)> {$J,"method":"notifications/tasks/status","params":{"taskId":"t"}}"#,
    );
}

#[test]
fn xb_63_a_cancelled_request_is_cancelled_at_the_remote_and_has_no_answer() {
    after_open(
        r#"client> {$J,"id":1,"method":"tools/call","params":{"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$n","method":"tools/call","params":{}}
        client> {$J,"method":"notifications/cancelled","params":{"requestId":"1"}}
        client> {$J,"method":"notifications/cancelled","params":{"requestId":2}}
        client> {$J,"method":"notifications/cancelled"}
        client> {$J,"method":"notifications/cancelled","params":{"requestId":1,"reason":"no \"more\""}}
        core< {$J,"method":"notifications/cancelled","params":{"requestId":"$n","reason":"no \"more\""}}
        core> {$J,"id":"$n","result":{}}
        client> {$J,"method":"notifications/cancelled","params":{"requestId":1}}"#,
    );
}

#[test]
fn xb_63_what_still_waits_is_just_forgotten() {
    let mut dialogue = Dialogue::new();
    dialogue.name("R", ACME);
    dialogue.play(
        r#"client> {$J,"id":1,"method":"tools/list","params":{"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":$BRIDGE}}
        client> {$J,"method":"notifications/cancelled","params":{"requestId":1}}
        core> {$J,"id":"$i","result":$R}
        core< {$J,"method":"notifications/initialized"}"#,
    );
}

#[test]
fn notifications_of_the_client_pass_unless_they_are_gone() {
    let mut dialogue = Dialogue::new();
    dialogue.play(r#"client> {$J,"method":"notifications/vendor"}"#);
    after_open(
        r#"client> {$J,"method":"notifications/initialized"}
        client> {$J,"method":"notifications/roots/list_changed"}
        client> {$J,"method":"notifications/progress","params":{"progressToken":1,"progress":1}}
        client> {$J,"method":"notifications/vendor","params":{"a": 1.0,"_meta":{$V,$CAN:{}}}}
        core< {$J,"method":"notifications/vendor","params":{"a":1.0}}
        client> {$J,"method":"notifications/vendor"}
        core< {$J,"method":"notifications/vendor"}
        client> {$J,"id":4,"result":{}}"#,
    );
}
