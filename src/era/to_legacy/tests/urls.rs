//! XB-48, T99.

use super::{
    super::transcript::{ACME, Dialogue},
    ALL, in_a_call, in_a_call_of,
};

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
