//! XB-1 to XB-6, T90.

use super::super::{
    Turn,
    transcript::{ACME, Dialogue, play},
};
use crate::era::to_legacy::capabilities::declared;

/// A call, as a client without capabilities makes it.
const CALL: &str =
    r#"client> {$J,"id":1,"method":"tools/call","params":{"name":"a","_meta":{$V,$CAN:{}}}}"#;

#[test]
fn xb_1_the_first_request_opens_the_session_and_others_wait_in_order() {
    play(
        r#"
        client> {$J,"id":1,"method":"tools/list","params":{"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":$BRIDGE}}
        client> {$J,"id":2,"method":"prompts/list","params":{"_meta":{$V,$CAN:{}}}}
        client> {$J,"id":3,"method":"vendor/x","params":{"_meta":{$V,$CAN:{}}}}
        core> {$J,"id":"$init","result":{"protocolVersion":"2024-11-05","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}
        core< {$J,"method":"notifications/initialized"}
        core< {$J,"id":"$a","method":"tools/list","params":{}}
        core< {$J,"id":"$b","method":"prompts/list","params":{}}
        core< {$J,"id":"$c","method":"vendor/x","params":{}}
        "#,
    );
}

#[test]
fn xb_1_all_four_versions_are_taken_and_no_other() {
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", ""] {
        let mut dialogue = Dialogue::new();
        dialogue.name("R", &ACME.replace("2025-11-25", version));
        dialogue.play(&format!(
            r#"{CALL}
            core< {{$J,"id":"$init","method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{{}},"clientInfo":$BRIDGE}}}}"#
        ));
        if version < "2026" && !version.is_empty() {
            dialogue.play(
                r#"core> {$J,"id":"$init","result":$R}
                core< {$J,"method":"notifications/initialized"}
                core< {$J,"id":"$call","method":"tools/call","params":{"name":"a"}}"#,
            );
            continue;
        }
        dialogue.name("BAD", version);
        dialogue.play(
            r#"core> {$J,"id":"$init","result":$R}
            client< {$J,"id":1,"error":{"code":-31003,"message":"could not open a session on the remote: it speaks the unknown protocol version `$BAD`; the bridge speaks 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05","data":{"origin":"bridge","reason":"protocol"}}}"#,
        );
    }
}

#[test]
fn xb_1_a_failed_handshake_answers_all_that_waited_and_the_next_request_tries_again() {
    play(
        r#"
        client> {$J,"id":"a","method":"server/discover","params":{"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":$BRIDGE}}
        client> {$J,"id":2,"method":"tools/list","params":{"_meta":{$V,$CAN:{}}}}
        core> {$J,"id":"$init","error":{"code":-31002,"message":"no key","data":{"origin":"bridge","httpStatus":401}}}
        client< {$J,"id":"a","error":{"code":-31002,"message":"no key","data":{"origin":"bridge","httpStatus":401}}}
        client< {$J,"id":2,"error":{"code":-31002,"message":"no key","data":{"origin":"bridge","httpStatus":401}}}
        client> {$J,"id":3,"method":"tools/list","params":{"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$again","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":$BRIDGE}}
        # the answer of the first comes late, and is no answer of the second
        core> {$J,"id":"$init","error":{"code":-1,"message":"late"}}
        "#,
    );
}

#[test]
fn xb_2_the_client_is_told_about_as_it_tells_itself() {
    play(
        r#"
        client> {$J,"id":1,"method":"tools/list","params":{"_meta":{$V,$CAN:{},$INFO:{"name":"host", "version":"9","x":1.0}}}}
        core< {$J,"id":"$init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"host", "version":"9","x":1.0}}}
        "#,
    );
}

#[test]
fn xb_3_a_session_that_only_discovery_opened_is_opened_anew_for_other_capabilities() {
    for (first, second, is_new) in [
        ("{}", "{}", false),
        ("{}", "{ }", false),
        (r#"{"roots":{}}"#, r#"{"roots":{"listChanged":true}}"#, false),
        ("{}", r#"{"elicitation":{}}"#, true),
        (r#"{"elicitation":{}}"#, "{}", true),
    ] {
        let mut dialogue = Dialogue::open(first, ACME);
        dialogue.name("C2", second);
        dialogue.name("D2", &declared(second));
        let expected = if is_new {
            r#"core< {$J,"id":"$n","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":$D2,"clientInfo":$BRIDGE}}"#
        } else {
            r#"core< {$J,"id":"$n","method":"tools/list","params":{}}"#
        };
        dialogue.play(&format!(
            r#"
            # discovery settles nothing
            client> {{$J,"id":0,"method":"server/discover","params":{{"_meta":{{$V,$CAN:$C2}}}}}}
            client< {{$J,"id":0,"result":$discovered
            client> {{$J,"id":1,"method":"tools/list","params":{{"_meta":{{$V,$CAN:$C2}}}}}}
            {expected}
            "#
        ));
    }
}

#[test]
fn xb_3_the_first_call_settles_what_the_session_can_do() {
    let mut dialogue = Dialogue::open("{}", ACME);
    dialogue.play(
        r#"
        client> {$J,"id":1,"method":"tools/list","params":{"_meta":{$V,$CAN:{"elicitation":{}}}}}
        core< {$J,"id":"$again","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":$BRIDGE}}
        core> {$J,"id":"$again","result":$R}
        core< {$J,"method":"notifications/initialized"}
        core< {$J,"id":"$a","method":"tools/list","params":{}}
        # with fewer or with more there is no other session: what runs in it would be lost
        client> {$J,"id":2,"method":"tools/list","params":{"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$b","method":"tools/list","params":{}}
        client> {$J,"id":3,"method":"tools/list","params":{"_meta":{$V,$CAN:{"sampling":{}}}}}
        core< {$J,"id":"$c","method":"tools/list","params":{}}
        "#,
    );
}

#[test]
fn xb_4_only_what_can_be_carried_is_declared() {
    for (client, expected) in [
        ("{}", "{}"),
        (r#"{"roots":{"listChanged":true}}"#, r#"{"roots":{}}"#),
        (r#"{"sampling":{"tools":{}}}"#, r#"{"sampling":{"tools":{}}}"#),
        (
            r#"{"elicitation":{"url":{},"form":{ "x":1.0}}}"#,
            r#"{"elicitation":{"url":{},"form":{ "x":1.0}}}"#,
        ),
        (r#"{"tasks":{"list":{}},"experimental":{"a":{}}}"#, r#"{"experimental":{"a":{}}}"#),
        (
            r#"{"extensions":{"io.modelcontextprotocol/tasks":{},"x/y":{"z":1}}}"#,
            r#"{"extensions":{"x/y":{"z":1}}}"#,
        ),
        (r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#, "{}"),
        (r#"{"roots":null,"sampling":null}"#, "{}"),
        ("[]", "{}"),
    ] {
        assert_eq!(declared(client), expected, "{client}");
    }
}

/// A loss: what the server keeps for a session is seen by all that a client does in one process.
#[test]
fn xb_5_conversations_of_one_process_share_its_session() {
    Dialogue::open("{}", ACME).play(
        r#"
        client> {$J,"id":1,"method":"tools/call","params":{"name":"login","_meta":{$V,$CAN:{},$INFO:{"name":"first","version":"1"},"x/conversation":1}}}
        core< {$J,"id":"$a","method":"tools/call","params":{"name":"login","_meta":{"x/conversation":1}}}
        client> {$J,"id":2,"method":"tools/list","params":{"_meta":{$V,$CAN:{},$INFO:{"name":"second","version":"2"},"x/conversation":2}}}
        core< {$J,"id":"$b","method":"tools/list","params":{"_meta":{"x/conversation":2}}}
        "#,
    );
}

#[test]
fn what_did_not_reach_a_remote_that_turns_out_modern_is_given_back() {
    let mut dialogue = Dialogue::new();
    dialogue.play(&format!(
        r#"{CALL}
        core< {{$J,"id":"$init","method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{{}},"clientInfo":$BRIDGE}}}}
        client> {{$J,"id":2,"method":"server/discover","params":{{"_meta":{{$V,$CAN:{{}}}}}}}}"#
    ));
    let unsent = dialogue.machine.take_unsent(&mut Vec::new());
    let ids: Vec<_> = unsent.iter().map(|message| message.id()).collect();
    assert_eq!(ids, [Some("1"), Some("2")]);
    assert!(unsent[0].bytes().starts_with(
        br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"io"#
    ));
    assert!(dialogue.machine.take_unsent(&mut Vec::new()).is_empty());
    // Nothing of it is left, and a late answer finds nobody.
    dialogue.play(r#"core> {$J,"id":"$init","error":{"code":-1,"message":"x"}}"#);
    assert_eq!(dialogue.take(), Vec::<Turn>::new());
}
