//! XB-40 to XB-53, T93 to T97, T99, T14.

use super::super::transcript::{ACME, Dialogue};

/// A client that can be asked for everything.
const ALL: &str = r#"{"roots":{},"sampling":{},"elicitation":{"form":{},"url":{}}}"#;

/// With a call of that client under way, `$call`.
fn in_a_call() -> Dialogue {
    in_a_call_of(ALL)
}

fn in_a_call_of(capabilities: &str) -> Dialogue {
    let mut dialogue = Dialogue::open(capabilities, ACME);
    dialogue.play(
        r#"
        client> {$J,"id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]},"_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$call","method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]}}}
        "#,
    );
    dialogue
}

/// The same, with a question asked and the call held under `$state`; its key is `$key`.
fn held() -> Dialogue {
    let mut dialogue = in_a_call();
    dialogue.play(
        r#"
        core($call)> {$J,"id":"s1","method":"elicitation/create","params":{"message":"Name?","requestedSchema":{"type":"object"}}}
        wait 30
        client< {$J,"id":1,"result":{"resultType":"input_required","inputRequests":{"$key":{"method":"elicitation/create","params":{"message":"Name?","requestedSchema":{"type":"object"}}}},"requestState":"$state",$ACME}}
        "#,
    );
    dialogue
}

/// What a `requestState` that is not good any more, or never was, is answered with.
const INVALID: &str = r#""error":{"code":-32602,"message":"could not go on with `tools/call`: its `requestState` is unknown, used, expired or of another request; make the call again without `requestState` and `inputResponses`","data":{"origin":"bridge","reason":"invalid_request_state"}}}"#;

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
fn t93_xb_45_xb_47_the_answer_goes_to_the_server_and_the_result_to_the_retry() {
    held().play(
        r#"
        # the members may come in another order, and white space means nothing
        client> {$J,"id":"2","method":"tools/call","params":{"_meta":{$V,$CAN:$CAP,"progressToken":"late"},"requestState":"$state","inputResponses":{"$key":{"action":"accept","content":{ "n":1.0}}},"arguments":{"y":[ 2 ],"x":1},"name":"a"}}
        core< {$J,"id":"s1","result":{"action":"accept","content":{ "n":1.0}}}
        core> {$J,"method":"notifications/progress","params":{"progressToken":"$call","progress":1}}
        client< {$J,"method":"notifications/progress","params":{"progressToken":"late","progress":1}}
        core> {$J,"id":"$call","result":{"content":[]}}
        client< {$J,"id":"2","result":{"content":[],$DONE}}
        "#,
    );
}

#[test]
fn t94_xb_45_xb_46_a_state_is_good_once_and_for_its_own_call_only() {
    for (params, why) in [
        (r#""name":"b","arguments":{"x":1,"y":[2]},"requestState":"$state""#, "another tool"),
        (r#""name":"a","arguments":{"x":2,"y":[2]},"requestState":"$state""#, "other arguments"),
        (r#""name":"a","arguments":{"x":1,"y":[2]},"more":1,"requestState":"$state""#, "more"),
        (r#""name":"a","arguments":{"x":1,"y":[2]},"requestState":"$stateX""#, "a longer state"),
        (r#""name":"a","arguments":{"x":1,"y":[2]},"requestState":"$state0""#, "an odd state"),
        (r#""name":"a","arguments":{"x":1,"y":[2]},"requestState":"$state00""#, "a longer one"),
        (r#""name":"a","arguments":{"x":1,"y":[2]},"requestState":"1.1""#, "no tag"),
        (r#""name":"a","arguments":{"x":1,"y":[2]},"requestState":"1.1.""#, "an empty tag"),
        (r#""name":"a","arguments":{"x":1,"y":[2]},"requestState":7"#, "no text"),
        (r#""name":"a","arguments":{"x":1,"y":[2]},"inputResponses":{}"#, "no state"),
    ] {
        let mut dialogue = held();
        let params = params.replace("$state", "$state|").replace('|', "");
        let params = params.replace("$stateX", "$state.X");
        let params = params.replace("$state00", "$state.00").replace("$state0", "$state.0");
        dialogue.name("INVALID", INVALID);
        dialogue.name("P", why);
        dialogue.play(&format!(
            r#"
            client> {{$J,"id":2,"method":"tools/call","params":{{{params},"_meta":{{$V,$CAN:$CAP}}}}}}
            client< {{$J,"id":2,$INVALID
            # what is wrong spoils nothing: the right one is good still, once
            client> {{$J,"id":3,"method":"tools/call","params":{{"name":"a","arguments":{{"x":1,"y":[2]}},"inputResponses":{{"$key":{{"action":"decline"}}}},"requestState":"$state","_meta":{{$V,$CAN:$CAP}}}}}}
            core< {{$J,"id":"s1","result":{{"action":"decline"}}}}
            client> {{$J,"id":4,"method":"tools/call","params":{{"name":"a","arguments":{{"x":1,"y":[2]}},"inputResponses":{{"$key":{{"action":"decline"}}}},"requestState":"$state","_meta":{{$V,$CAN:$CAP}}}}}}
            client< {{$J,"id":4,$INVALID
            "#
        ));
    }
}

#[test]
fn t94_a_state_of_another_process_is_not_known() {
    let mut other = held();
    let mut dialogue = Dialogue::open(ALL, ACME);
    dialogue.name("INVALID", INVALID);
    dialogue.name("state", &other.named("state"));
    dialogue.play(
        r#"
        client> {$J,"id":2,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]},"inputResponses":{},"requestState":"$state","_meta":{$V,$CAN:$CAP}}}
        client< {$J,"id":2,$INVALID
        "#,
    );
    other.machine.seal = crate::era::to_legacy::seal::Seal::new(&[8; 32]);
    other.name("INVALID", INVALID);
    other.play(
        r#"
        client> {$J,"id":2,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]},"inputResponses":{},"requestState":"$state","_meta":{$V,$CAN:$CAP}}}
        client< {$J,"id":2,$INVALID
        "#,
    );
}

#[test]
fn xb_47_what_was_not_answered_is_asked_again() {
    held().play(
        r#"
        client> {$J,"id":2,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]},"inputResponses":{"$key":"accept"},"requestState":"$state","_meta":{$V,$CAN:$CAP}}}
        client< {$J,"id":2,"result":{"resultType":"input_required","inputRequests":{"$key":{"method":"elicitation/create","params":{"message":"Name?","requestedSchema":{"type":"object"}}}},"requestState":"$next",$ACME}}
        client> {$J,"id":3,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]},"inputResponses":{"$key":{"action":"cancel"}},"requestState":"$next","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"s1","result":{"action":"cancel"}}
        "#,
    );
}

#[test]
fn xb_47_between_rounds_nothing_of_the_call_reaches_the_client() {
    held().play(
        r#"
        core($call)> {$J,"method":"notifications/progress","params":{"progressToken":"$call","progress":1}}
        core($call)> {$J,"method":"notifications/message","params":{"level":"emergency","data":1}}
        core($call)> {$J,"method":"notifications/vendor"}
        # L1 has its answer: there is nothing left to cancel (XB-52)
        client> {$J,"method":"notifications/cancelled","params":{"requestId":1}}
        "#,
    );
}

#[test]
fn t99_xb_48_a_url_to_open_first_is_an_input_round_and_then_the_call_is_made_again() {
    let failed = r#"
        core> {$J,"id":"$call","error":{"code":-32042,"message":"Sign in","data":{"elicitations":[{"mode":"url","url":"https://x","elicitationId":"e","message":"m"},{"url":"https://y"}]}}}
        client< {$J,"id":1,"result":{"resultType":"input_required","inputRequests":{"$a":{"method":"elicitation/create","params":{"mode":"url","url":"https://x","message":"m"}},"$b":{"method":"elicitation/create","params":{"url":"https://y","mode":"url"}}},"requestState":"$state",$ACME}}
        "#;
    let mut dialogue = in_a_call();
    dialogue.play(failed);
    dialogue.play(
        r#"
        client> {$J,"id":2,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]},"inputResponses":{"$a":{"action":"accept"}},"requestState":"$state","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$again","method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]}}}
        core> {$J,"id":"$again","result":{"content":[]}}
        client< {$J,"id":2,"result":{"content":[],$DONE}}
        "#,
    );
    for action in ["decline", "cancel"] {
        let mut dialogue = in_a_call();
        dialogue.play(failed);
        dialogue.name("ACT", action);
        dialogue.play(
            r#"
            client> {$J,"id":2,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]},"inputResponses":{"$a":{"action":"accept"},"$b":{"action":"$ACT"}},"requestState":"$state","_meta":{$V,$CAN:$CAP}}}
            client< {$J,"id":2,"result":{"content":[{"type":"text","text":"Sign in"}],"isError":true,$DONE}}
            "#,
        );
    }
    let mut expired = in_a_call();
    expired.play(failed);
    // The call is over: nobody is to be told.
    expired.play("wait 720000");
}

#[test]
fn t99_xb_48_a_client_without_urls_is_told_what_it_lacks() {
    in_a_call_of(r#"{"elicitation":{}}"#).play(
        r#"
        core> {$J,"id":"$call","error":{"code":-32042,"message":"Sign in","data":{"elicitations":[{"mode":"url"}]}}}
        client< {$J,"id":1,"error":{"code":-32021,"message":"Sign in","data":{"requiredCapabilities":{"elicitation":{"url":{}}}}}}
        "#,
    );
    in_a_call().play(
        r#"
        core> {$J,"id":"$call","error":{"code":-32042,"message":"Sign in"}}
        client< {$J,"id":1,"error":{"code":-32603,"message":"Sign in","data":{"original":{"code":-32042,"message":"Sign in"}}}}
        "#,
    );
    let mut prompt = Dialogue::open(ALL, ACME);
    prompt.play(
        r#"
        client> {$J,"id":1,"method":"prompts/get","params":{"name":"a","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$n","method":"prompts/get","params":{"name":"a"}}
        core> {$J,"id":"$n","error":{"code":-32042,"message":"go","data":{"elicitations":[{"url":"u"}]}}}
        client< {$J,"id":1,"result":{"resultType":"input_required","inputRequests":{"$a":{"method":"elicitation/create","params":{"url":"u","mode":"url"}}},"requestState":"$state",$ACME}}
        client> {$J,"id":2,"method":"prompts/get","params":{"name":"a","inputResponses":{"$a":{"action":"decline"}},"requestState":"$state","_meta":{$V,$CAN:$CAP}}}
        client< {$J,"id":2,"error":{"code":-32603,"message":"go","data":{"original":{"code":-32042,"message":"go","data":{"elicitations":[{"url":"u"}]}}}}}
        "#,
    );
}

#[test]
fn xb_49_a_result_that_comes_while_the_call_is_held_is_for_the_retry() {
    for (answer, expected) in [
        (r#""result":{"content":[]}"#, r#""result":{"content":[],$DONE}"#),
        (
            r#""error":{"code":-31005,"message":"lost"}"#,
            r#""error":{"code":-31005,"message":"lost"}"#,
        ),
    ] {
        held().play(&format!(
            r#"
            core> {{$J,"method":"notifications/cancelled","params":{{"requestId":"s1"}}}}
            core> {{$J,"id":"$call",{answer}}}
            client> {{$J,"id":2,"method":"tools/call","params":{{"name":"a","arguments":{{"x":1,"y":[2]}},"inputResponses":{{"$key":{{"action":"accept"}}}},"requestState":"$state","_meta":{{$V,$CAN:$CAP}}}}}}
            client< {{$J,"id":2,{expected}}}
            "#
        ));
    }
}

#[test]
fn xb_49_what_the_server_takes_back_is_not_asked() {
    in_a_call().play(
        r#"
        core($call)> {$J,"id":1,"method":"roots/list"}
        core> {$J,"method":"notifications/cancelled","params":{"requestId":1}}
        wait 30
        core($call)> {$J,"id":2,"method":"roots/list"}
        wait 30
        client< {$J,"id":1,"result":{"resultType":"input_required","inputRequests":{"$key":{"method":"roots/list"}},"requestState":"$state",$ACME}}
        core> {$J,"method":"notifications/cancelled","params":{"requestId":2}}
        client> {$J,"id":2,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]},"inputResponses":{"$key":{"roots":[]}},"requestState":"$state","_meta":{$V,$CAN:$CAP}}}
        core> {$J,"id":"$call","result":{}}
        client< {$J,"id":2,"result":{$DONE}}
        "#,
    );
}

#[test]
fn xb_49_a_call_that_ends_before_its_round_needs_none() {
    in_a_call().play(
        r#"
        core($call)> {$J,"id":1,"method":"elicitation/create","params":{}}
        core> {$J,"id":"$call","result":{}}
        core< {$J,"id":1,"result":{"action":"cancel"}}
        client< {$J,"id":1,"result":{$DONE}}
        wait 30
        "#,
    );
}

#[test]
fn t95_xb_50_a_client_that_does_not_come_back_holds_nothing_for_ever() {
    let mut dialogue = held();
    dialogue.name("INVALID", INVALID);
    dialogue.play(
        r#"
        core($call)> {$J,"id":"s2","method":"sampling/createMessage","params":{}}
        core($call)> {$J,"id":"s3","method":"roots/list"}
        wait 719999
        wait 1
        core< {$J,"id":"s1","result":{"action":"cancel"}}
        core< {$J,"id":"s2","error":{"code":-32603,"message":"the client did not answer"}}
        core< {$J,"id":"s3","error":{"code":-32603,"message":"the client did not answer"}}
        core< {$J,"method":"notifications/cancelled","params":{"requestId":"$call","reason":"the client did not come back with its input"}}
        client> {$J,"id":2,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]},"inputResponses":{},"requestState":"$state","_meta":{$V,$CAN:$CAP}}}
        client< {$J,"id":2,$INVALID
        "#,
    );
    assert!(dialogue.machine.calls.is_empty());
    assert_eq!(dialogue.machine.next_deadline(), None);
}

#[test]
fn xb_50_the_limit_begins_anew_with_each_round() {
    held().play(
        r#"
        wait 700000
        client> {$J,"id":2,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]},"inputResponses":{"$key":{"action":"cancel"}},"requestState":"$state","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"s1","result":{"action":"cancel"}}
        core($call)> {$J,"id":"s2","method":"roots/list"}
        wait 30
        client< {$J,"id":2,"result":{"resultType":"input_required","inputRequests":{"$k":{"method":"roots/list"}},"requestState":"$next",$ACME}}
        # the end of the first round's time is nothing to the second
        wait 100000
        "#,
    );
}

#[test]
fn xb_50_so_many_calls_may_be_held_and_no_more() {
    let mut dialogue = Dialogue::open(ALL, ACME);
    for number in 0..257 {
        dialogue.name("N", &number.to_string());
        dialogue.play(
            r#"
            client> {$J,"id":$N,"method":"tools/call","params":{"name":"a","_meta":{$V,$CAN:$CAP}}}
            core< {$J,"id":"$call$N","method":"tools/call","params":{"name":"a"}}
            "#
            .replace("$call$N", &format!("$call{number}"))
            .as_str(),
        );
        dialogue.play(&format!(r#"core($call{number})> {{$J,"id":$N,"method":"roots/list"}}"#));
        let end = r#"
            wait 30
            client< {$J,"id":$N,"result":{"resultType":"input_required","inputRequests":{"$key":{"method":"roots/list"}},"requestState":"$state",$ACME}}
            "#;
        let end = end.replace("$key", &format!("$key{number}"));
        dialogue.play_some(&end.replace("$state", &format!("$state{number}")));
        if number < 256 {
            dialogue.play("");
        }
    }
    assert_eq!(dialogue.machine.calls.len(), 256);
    dialogue.play(
        r#"core< {$J,"id":0,"error":{"code":-32603,"message":"the client did not answer"}}
        core< {$J,"method":"notifications/cancelled","params":{"requestId":"$call0","reason":"the client did not come back with its input"}}"#,
    );
}

#[test]
fn xb_50_the_end_of_the_client_is_the_end_of_what_it_was_asked() {
    let mut dialogue = held();
    dialogue.play(
        r#"
        client> {$J,"id":5,"method":"tools/call","params":{"name":"b","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$plain","method":"tools/call","params":{"name":"b"}}
        client> {$J,"id":6,"method":"prompts/get","params":{"name":"b","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$asked","method":"prompts/get","params":{"name":"b"}}
        core($asked)> {$J,"id":"s2","method":"elicitation/create","params":{}}
        close
        core< {$J,"id":"s1","result":{"action":"cancel"}}
        core< {$J,"method":"notifications/cancelled","params":{"requestId":"$call","reason":"the client did not come back with its input"}}
        core< {$J,"id":"s2","result":{"action":"cancel"}}
        core< {$J,"method":"notifications/cancelled","params":{"requestId":"$asked","reason":"the client did not come back with its input"}}
        "#,
    );
    assert_eq!(dialogue.machine.next_deadline(), None);
    Dialogue::open(ALL, ACME).play(
        r#"
        core> {$J,"id":1,"method":"roots/list"}
        close
        core< {$J,"id":1,"result":{"roots":[]}}
        "#,
    );
}

#[test]
fn xb_52_the_second_round_is_cancelled_at_the_remote_under_the_id_of_the_first() {
    held().play(
        r#"
        client> {$J,"id":2,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]},"inputResponses":{"$key":{"action":"accept"}},"requestState":"$state","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"s1","result":{"action":"accept"}}
        client> {$J,"method":"notifications/cancelled","params":{"requestId":2}}
        core< {$J,"method":"notifications/cancelled","params":{"requestId":"$call"}}
        core> {$J,"id":"$call","result":{}}
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
