//! XB-40 to XB-44, T14, T96, T97.

use super::{
    super::transcript::{ACME, Dialogue},
    ALL, in_a_call, in_a_call_of,
};

#[test]
fn xb_40_a_client_is_asked_only_what_it_offers() {
    let ask = |capabilities: &str, method: &str, params: &str, refusal: Option<(i32, &str)>| {
        let mut dialogue = in_a_call_of(capabilities);
        dialogue.name("Q", &format!(r#""method":"{method}","params":{params}"#));
        dialogue.play(match refusal {
            None => r#"core($call)> {$J,"id":1,$Q}"#,
            Some(_) => "",
        });
        if let Some((code, why)) = refusal {
            dialogue.play(&format!(
                r#"core($call)> {{$J,"id":1,$Q}}
                core< {{$J,"id":1,"error":{{"code":{code},"message":"{why}"}}}}
                wait 60"#
            ));
        } else {
            dialogue.play(
                r#"wait 30
                client< {$J,"id":1,"result":{"resultType":"input_required","inputRequests":{"$key":{$Q}},"requestState":"$state",$ACME}}"#,
            );
        }
    };
    let no_mode = Some((-32602, "the client offers no elicitation in this mode"));
    ask("{}", "elicitation/create", "{}", Some((-32602, "the client offers no elicitation")));
    ask(r#"{"elicitation":{}}"#, "elicitation/create", "{}", None);
    ask(r#"{"elicitation":{}}"#, "elicitation/create", r#"{"mode":"form"}"#, None);
    ask(r#"{"elicitation":{}}"#, "elicitation/create", r#"{"mode":"url"}"#, no_mode);
    ask(r#"{"elicitation":{"url":{}}}"#, "elicitation/create", r#"{"mode":"url"}"#, None);
    ask(r#"{"elicitation":{"url":{}}}"#, "elicitation/create", "{}", no_mode);
    ask("{}", "sampling/createMessage", "{}", Some((-32601, "the client offers no sampling")));
    ask(r#"{"sampling":{}}"#, "sampling/createMessage", "{}", None);
    ask(r#"{"sampling":{"tools":{}}}"#, "sampling/createMessage", r#"{"tools":[]}"#, None);
    ask(
        r#"{"sampling":{}}"#,
        "sampling/createMessage",
        r#"{"tools":[]}"#,
        Some((-32602, "the client offers no sampling with tools")),
    );
    ask("{}", "roots/list", "{}", Some((-32601, "the client offers no roots")));
    ask(r#"{"roots":{}}"#, "roots/list", "{}", None);
}

#[test]
fn t14_xb_40_a_ping_is_answered_here_and_other_requests_are_unknown() {
    in_a_call().play(
        r#"
        core> {$J,"id":"p","method":"ping"}
        core< {$J,"id":"p","result":{}}
        core($call)> {$J,"id":7,"method":"tasks/get","params":{"taskId":"t"}}
        core< {$J,"id":7,"error":{"code":-32601,"message":"the client has no such method"}}
        "#,
    );
}

#[test]
fn xb_40_other_requests_than_the_three_are_never_held() {
    Dialogue::open(ALL, ACME).play(
        r#"
        client> {$J,"id":1,"method":"tools/list","params":{"_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$n","method":"tools/list","params":{}}
        core($n)> {$J,"id":1,"method":"roots/list"}
        core< {$J,"id":1,"error":{"code":-32602,"message":"no call runs that the client could be asked about"}}
        core> {$J,"id":2,"method":"elicitation/create","params":{}}
        core< {$J,"id":2,"error":{"code":-32602,"message":"no call runs that the client could be asked about"}}
        "#,
    );
    for (method, name) in [("prompts/get", "name"), ("resources/read", "uri")] {
        let mut dialogue = Dialogue::open(ALL, ACME);
        dialogue.name("M", method);
        dialogue.name("N", name);
        dialogue.play(
            r#"
            client> {$J,"id":1,"method":"$M","params":{"$N":"a","_meta":{$V,$CAN:$CAP}}}
            core< {$J,"id":"$n","method":"$M","params":{"$N":"a"}}
            core($n)> {$J,"id":1,"method":"roots/list"}
            wait 30
            client< {$J,"id":1,"result":{"resultType":"input_required","inputRequests":{"$key":{"method":"roots/list"}},"requestState":"$state",$ACME}}
            "#,
        );
    }
}

#[test]
fn xb_41_a_question_belongs_to_the_call_on_whose_stream_it_came() {
    in_a_call().play(
        r#"
        client> {$J,"id":2,"method":"tools/call","params":{"name":"b","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$other","method":"tools/call","params":{"name":"b"}}
        core($other)> {$J,"id":1,"method":"roots/list"}
        wait 30
        client< {$J,"id":2,"result":{"resultType":"input_required","inputRequests":{"$key":{"method":"roots/list"}},"requestState":"$state",$ACME}}
        "#,
    );
}

#[test]
fn xb_41_without_a_stream_the_oldest_call_that_can_be_asked_is_and_then_one_runs_at_a_time() {
    Dialogue::open("{}", ACME).play(
        r#"
        client> {$J,"id":1,"method":"tools/call","params":{"name":"a","_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$a","method":"tools/call","params":{"name":"a"}}
        client> {$J,"id":2,"method":"tools/call","params":{"name":"b","_meta":{$V,$CAN:{"elicitation":{}}}}}
        core< {$J,"id":"$b","method":"tools/call","params":{"name":"b"}}
        client> {$J,"id":3,"method":"tools/call","params":{"name":"c","_meta":{$V,$CAN:{"elicitation":{}}}}}
        core< {$J,"id":"$c","method":"tools/call","params":{"name":"c"}}
        # roots are the same for every call: that proves nothing
        core> {$J,"id":8,"method":"roots/list"}
        core< {$J,"id":8,"error":{"code":-32601,"message":"the client offers no roots"}}
        core> {$J,"id":9,"method":"elicitation/create","params":{}}
        warn without saying for which of 3 calls
        wait 30
        client< {$J,"id":2,"result":{"resultType":"input_required","inputRequests":{"$key":{"method":"elicitation/create","params":{}}},"requestState":"$state",$ACME}}
        # c still runs, and keeps d waiting, but not what nobody can be asked about
        client> {$J,"id":4,"method":"tools/call","params":{"name":"d","_meta":{$V,$CAN:{"elicitation":{}}}}}
        client> {$J,"id":5,"method":"tools/call","params":{"name":"e","_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$e","method":"tools/call","params":{"name":"e"}}
        client> {$J,"id":6,"method":"tools/list","params":{"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$f","method":"tools/list","params":{}}
        # the next question is about the one that runs, and no warning comes again
        core> {$J,"id":10,"method":"elicitation/create","params":{"n":1}}
        wait 30
        client< {$J,"id":3,"result":{"resultType":"input_required","inputRequests":{"$key2":{"method":"elicitation/create","params":{"n":1}}},"requestState":"$state2",$ACME}}
        # a held call lets the next one run
        core< {$J,"id":"$d","method":"tools/call","params":{"name":"d"}}
        client> {$J,"id":7,"method":"tools/call","params":{"name":"g","_meta":{$V,$CAN:{"elicitation":{}}}}}
        wait 9999
        wait 1
        core< {$J,"id":"$g","method":"tools/call","params":{"name":"g"}}
        client> {$J,"id":8,"method":"tools/call","params":{"name":"h","_meta":{$V,$CAN:{"elicitation":{}}}}}
        core> {$J,"id":"$g","result":{}}
        client< {$J,"id":7,"result":{$DONE}}
        core> {$J,"id":"$d","result":{}}
        client< {$J,"id":4,"result":{$DONE}}
        core< {$J,"id":"$h","method":"tools/call","params":{"name":"h"}}
        "#,
    );
}

#[test]
fn xb_42_questions_that_come_together_share_a_round_and_later_ones_have_their_own() {
    in_a_call().play(
        r#"
        core($call)> {$J,"id":1,"method":"roots/list"}
        wait 29
        core($call)> {$J,"id":2,"method":"sampling/createMessage","params":{"n":1}}
        wait 1
        client< {$J,"id":1,"result":{"resultType":"input_required","inputRequests":{"$a":{"method":"roots/list"},"$b":{"method":"sampling/createMessage","params":{"n":1}}},"requestState":"$state",$ACME}}
        core($call)> {$J,"id":3,"method":"roots/list"}
        client> {$J,"id":2,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]},"inputResponses":{"$a":{"roots":[]},"$b":{"role": "x"},"extra":{}},"requestState":"$state","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":1,"result":{"roots":[]}}
        core< {$J,"id":2,"result":{"role": "x"}}
        client< {$J,"id":2,"result":{"resultType":"input_required","inputRequests":{"$c":{"method":"roots/list"}},"requestState":"$state2",$ACME}}
        client> {$J,"id":3,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]},"inputResponses":{"$c":{"roots":[1]}},"requestState":"$state2","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":3,"result":{"roots":[1]}}
        core> {$J,"id":"$call","result":{"content":[]}}
        client< {$J,"id":3,"result":{"content":[],$DONE}}
        "#,
    );
}

#[test]
fn xb_43_a_question_loses_what_only_a_legacy_client_understands() {
    in_a_call().play(
        r#"
        core($call)> {$J,"id":1,"method":"elicitation/create","params":{"mode":"url","url":"https://x","elicitationId":"e","task":{},"message": "m","_meta":{"progressToken":1,"io.modelcontextprotocol/related-task":{"taskId":"t"}}}}
        core($call)> {$J,"id":2,"method":"sampling/createMessage","params":{"max": 1.0,"_meta":{"v/k":1,"progressToken":2}}}
        wait 30
        client< {$J,"id":1,"result":{"resultType":"input_required","inputRequests":{"$a":{"method":"elicitation/create","params":{"mode":"url","url":"https://x","message":"m"}},"$b":{"method":"sampling/createMessage","params":{"max":1.0,"_meta":{"v/k":1}}}},"requestState":"$state",$ACME}}
        "#,
    );
}

#[test]
fn t97_xb_44_roots_asked_for_without_a_call_wait_for_one() {
    Dialogue::open(ALL, ACME).play(
        r#"
        core> {$J,"id":1,"method":"roots/list"}
        core> {$J,"id":2,"method":"roots/list"}
        core> {$J,"method":"notifications/cancelled","params":{"requestId":2}}
        client> {$J,"id":1,"method":"tools/list","params":{"_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$n","method":"tools/list","params":{}}
        client> {$J,"id":2,"method":"tools/call","params":{"name":"a","_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$m","method":"tools/call","params":{"name":"a"}}
        client> {$J,"id":3,"method":"tools/call","params":{"name":"a","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$call","method":"tools/call","params":{"name":"a"}}
        wait 30
        client< {$J,"id":3,"result":{"resultType":"input_required","inputRequests":{"$key":{"method":"roots/list"}},"requestState":"$state",$ACME}}
        "#,
    );
    Dialogue::open(ALL, ACME).play(
        r#"
        core> {$J,"id":1,"method":"roots/list"}
        wait 4999
        wait 1
        core< {$J,"id":1,"result":{"roots":[]}}
        "#,
    );
    Dialogue::open("{}", ACME).play(
        r#"
        core> {$J,"id":1,"method":"roots/list"}
        core< {$J,"id":1,"error":{"code":-32601,"message":"the client offers no roots"}}
        "#,
    );
}

#[test]
fn t96_a_question_to_a_client_that_offers_nothing_is_refused_at_once() {
    in_a_call_of("{}").play(
        r#"
        core($call)> {$J,"id":"s","method":"elicitation/create","params":{"message":"?"}}
        core< {$J,"id":"s","error":{"code":-32602,"message":"the client offers no elicitation"}}
        core> {$J,"id":"$call","result":{}}
        client< {$J,"id":1,"result":{$DONE}}
        "#,
    );
}

#[test]
fn a_question_about_a_cancelled_call_is_refused() {
    in_a_call().play(
        r#"
        core($call)> {$J,"id":1,"method":"sampling/createMessage","params":{}}
        client> {$J,"method":"notifications/cancelled","params":{"requestId":1}}
        core< {$J,"id":1,"error":{"code":-32603,"message":"the client did not answer"}}
        core< {$J,"method":"notifications/cancelled","params":{"requestId":"$call"}}
        wait 30
        core($call)> {$J,"id":2,"method":"roots/list"}
        core< {$J,"id":2,"error":{"code":-32602,"message":"no call runs that the client could be asked about"}}
        "#,
    );
}

#[test]
fn xb_44_roots_asked_for_while_the_session_opens_wait_for_a_call_too() {
    Dialogue::new().play(
        r#"
        client> {$J,"id":1,"method":"tools/call","params":{"name":"a","_meta":{$V,$CAN:{"roots":{}}}}}
        core< {$J,"id":"$init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{}},"clientInfo":$BRIDGE}}
        core($init)> {$J,"id":1,"method":"roots/list"}
        core($init)> {$J,"id":"$init","result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"acme","version":"3.1"}}}
        core< {$J,"method":"notifications/initialized"}
        core< {$J,"id":"$call","method":"tools/call","params":{"name":"a"}}
        wait 30
        client< {$J,"id":1,"result":{"resultType":"input_required","inputRequests":{"$key":{"method":"roots/list"}},"requestState":"$state",$ACME}}
        "#,
    );
}
