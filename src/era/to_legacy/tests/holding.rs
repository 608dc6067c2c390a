//! XB-45 to XB-53, T93 to T95.

use super::{
    super::{
        seal::Seal,
        transcript::{ACME, Dialogue},
    },
    ALL, INVALID, held, in_a_call,
};

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
    let good = r#""name":"a","arguments":{"x":1,"y":[2]}"#;
    for (params, state) in [
        (r#""name":"b","arguments":{"x":1,"y":[2]}"#, r#","requestState":"$state""#),
        (r#""name":"a","arguments":{"x":2,"y":[2]}"#, r#","requestState":"$state""#),
        (r#""name":"a","arguments":{"x":1,"y":[2]},"more":1"#, r#","requestState":"$state""#),
        (r#""name":"a""#, r#","requestState":"$state""#),
        (good, r#","requestState":"$state.00""#),
        (good, r#","requestState":"$state-0""#),
        (good, r#","requestState":"$state-00""#),
        (good, r#","requestState":"1.1""#),
        (good, r#","requestState":"1.1.""#),
        (good, r#","requestState":"1.1.\u00e9\u00e9""#),
        (good, r#","requestState":7"#),
        (good, ""),
    ] {
        let mut dialogue = held();
        let params = format!("{params}{}", state.replace("$state-", &dialogue.named("state")));
        dialogue.name("INVALID", INVALID);
        dialogue.play(&format!(
            r#"
            client> {{$J,"id":2,"method":"tools/call","params":{{{params},"inputResponses":{{}},"_meta":{{$V,$CAN:$CAP}}}}}}
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
    other.machine.seal = Seal::new(&[8; 32]);
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
fn xb_53_the_error_of_a_server_that_waited_no_longer_is_what_the_retry_gets() {
    held().play(
        r#"
        core> {$J,"id":"$call","error":{"code":-32001,"message":"Request timed out","data":{"timeout": 1.0}}}
        client> {$J,"id":2,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]},"inputResponses":{"$key":{"action":"accept"}},"requestState":"$state","_meta":{$V,$CAN:$CAP}}}
        # nobody answers its question any more
        core< {$J,"id":"s1","result":{"action":"cancel"}}
        client< {$J,"id":2,"error":{"code":-32001,"message":"Request timed out","data":{"timeout": 1.0}}}
        "#,
    );
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
        client< {$J,"id":6,"error":{"code":-31001,"message":"the bridge was closed before the remote answered","data":{"origin":"bridge","reason":"outcome-unknown"}}}
        core< {$J,"id":"s2","result":{"action":"cancel"}}
        core< {$J,"method":"notifications/cancelled","params":{"requestId":"$asked","reason":"the client did not come back with its input"}}
        "#,
    );
    assert!(!dialogue.machine.is_idle(), "an answer may still come");
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
