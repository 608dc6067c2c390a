//! XB-24, XB-25.

use super::super::transcript::{ACME, Dialogue};

/// With a list seen that has a tool `slow` that must be called as a task, and one that may.
fn listed(remote: &str) -> Dialogue {
    let mut dialogue = Dialogue::open(r#"{"roots":{}}"#, remote);
    dialogue.play(
        r#"
        client> {$J,"id":"l","method":"tools/list","params":{"_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$l","method":"tools/list","params":{}}
        core> {$J,"id":"$l","result":{"tools":[{"name":"slow","execution":{"taskSupport":"required"}},{"name":"may","execution":{"taskSupport":"optional"}}]}}
        client< {$J,"id":"l","result":$listed
        "#,
    );
    dialogue
}

/// With that tool called and at work.
fn at_work() -> Dialogue {
    let mut dialogue = listed(ACME);
    dialogue.play(
        r#"
        client> {$J,"id":1,"method":"tools/call","params":{"name":"slow","arguments":{"n": 1.0},"_meta":{$V,$CAN:$CAP,"progressToken":"p"}}}
        core< {$J,"id":"$call","method":"tools/call","params":{"name":"slow","arguments":{"n": 1.0},"_meta":{"progressToken":"$call"},"task":{}}}
        core> {$J,"id":"$call","result":{"task":{"taskId":"t1","status":"working","pollInterval":500}}}
        "#,
    );
    dialogue
}

#[test]
fn xb_24_a_tool_that_needs_a_task_runs_as_one_and_the_client_sees_a_plain_call() {
    at_work().play(
        r#"
        core> {$J,"method":"notifications/progress","params":{"progressToken":"$call","progress":1}}
        client< {$J,"method":"notifications/progress","params":{"progressToken":"p","progress":1}}
        wait 499
        wait 1
        core< {$J,"id":"$get","method":"tasks/get","params":{"taskId":"t1"}}
        core> {$J,"id":"$get","result":{"taskId":"t1","status":"working","pollInterval":1}}
        wait 199
        wait 1
        core< {$J,"id":"$get2","method":"tasks/get","params":{"taskId":"t1"}}
        core> {$J,"id":"$get2","result":{"taskId":"t1","status":"completed"}}
        core< {$J,"id":"$end","method":"tasks/result","params":{"taskId":"t1"}}
        core> {$J,"id":"$end","result":{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}}}
        client< {$J,"id":1,"result":{"content":[],$DONE}}
        wait 60000
        "#,
    );
}

#[test]
fn xb_24_input_for_a_task_comes_with_its_outcome() {
    at_work().play(
        r#"
        wait 500
        core< {$J,"id":"$get","method":"tasks/get","params":{"taskId":"t1"}}
        core> {$J,"id":"$get","result":{"taskId":"t1","status":"input_required"}}
        core< {$J,"id":"$end","method":"tasks/result","params":{"taskId":"t1"}}
        core($end)> {$J,"id":1,"method":"roots/list"}
        core> {$J,"id":2,"method":"roots/list","params":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}}}
        wait 30
        client< {$J,"id":1,"result":{"resultType":"input_required","inputRequests":{"$a":{"method":"roots/list"},"$b":{"method":"roots/list","params":{}}},"requestState":"$state",$ACME}}
        client> {$J,"id":2,"method":"tools/call","params":{"name":"slow","arguments":{"n": 1.0},"inputResponses":{"$a":{"roots":[]},"$b":{"roots":[1]}},"requestState":"$state","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":1,"result":{"roots":[]}}
        core< {$J,"id":2,"result":{"roots":[1]}}
        core> {$J,"id":"$end","result":{"content":[]}}
        client< {$J,"id":2,"result":{"content":[],$DONE}}
        "#,
    );
}

#[test]
fn xb_24_a_cancelled_call_cancels_its_task() {
    at_work().play(
        r#"
        client> {$J,"method":"notifications/cancelled","params":{"requestId":1}}
        core< {$J,"id":"$c","method":"tasks/cancel","params":{"taskId":"t1"}}
        core> {$J,"id":"$c","error":{"code":-32602,"message":"over"}}
        wait 60000
        "#,
    );
    at_work().play(
        r#"
        wait 500
        core< {$J,"id":"$get","method":"tasks/get","params":{"taskId":"t1"}}
        client> {$J,"method":"notifications/cancelled","params":{"requestId":1}}
        core< {$J,"method":"notifications/cancelled","params":{"requestId":"$get"}}
        core< {$J,"id":"$c","method":"tasks/cancel","params":{"taskId":"t1"}}
        core> {$J,"id":"$get","result":{"taskId":"t1","status":"completed"}}
        "#,
    );
}

#[test]
fn xb_24_a_lost_task_is_an_error_of_its_call() {
    at_work().play(
        r#"
        wait 500
        core< {$J,"id":"$get","method":"tasks/get","params":{"taskId":"t1"}}
        core> {$J,"id":"$get","error":{"code":-31005,"message":"lost"}}
        client< {$J,"id":1,"error":{"code":-31005,"message":"lost"}}
        "#,
    );
}

#[test]
fn xb_24_only_where_it_must_be() {
    listed(ACME).play(
        r#"
        client> {$J,"id":1,"method":"tools/call","params":{"name":"may","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$a","method":"tools/call","params":{"name":"may"}}
        client> {$J,"id":2,"method":"prompts/get","params":{"name":"slow","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$b","method":"prompts/get","params":{"name":"slow"}}
        # a server that answers at once after all
        client> {$J,"id":3,"method":"tools/call","params":{"name":"slow","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$c","method":"tools/call","params":{"name":"slow","task":{}}}
        core> {$J,"id":"$c","result":{"content":[]}}
        client< {$J,"id":3,"result":{"content":[],$DONE}}
        # a new list that knows better
        client> {$J,"id":"l","method":"tools/list","params":{"_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$l2","method":"tools/list","params":{}}
        core> {$J,"id":"$l2","result":{"tools":[{"name":"slow"}]}}
        client< {$J,"id":"l","result":$listed2
        client> {$J,"id":4,"method":"tools/call","params":{"name":"slow","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$d","method":"tools/call","params":{"name":"slow"}}
        "#,
    );
    let without = ACME.replace(r#","tasks":{"requests":{"tools":{"call":{}}}}"#, "");
    listed(&without).play(
        r#"
        client> {$J,"id":1,"method":"tools/call","params":{"name":"slow","_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$a","method":"tools/call","params":{"name":"slow"}}
        "#,
    );
}

#[test]
fn xb_24_a_tool_that_was_never_listed_is_called_again_as_a_task_when_the_server_wants_that() {
    Dialogue::open("{}", ACME).play(
        r#"
        client> {$J,"id":1,"method":"tools/call","params":{"name":"slow","_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$a","method":"tools/call","params":{"name":"slow"}}
        core> {$J,"id":"$a","error":{"code":-32601,"message":"task required"}}
        core< {$J,"id":"$b","method":"tools/call","params":{"name":"slow","task":{}}}
        core> {$J,"id":"$b","error":{"code":-32601,"message":"no"}}
        client< {$J,"id":1,"error":{"code":-32601,"message":"no"}}
        "#,
    );
    let without = ACME.replace(r#","tasks":{"requests":{"tools":{"call":{}}}}"#, "");
    Dialogue::open("{}", &without).play(
        r#"
        client> {$J,"id":1,"method":"tools/call","params":{"name":"slow","_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$a","method":"tools/call","params":{"name":"slow"}}
        core> {$J,"id":"$a","error":{"code":-32601,"message":"no"}}
        client< {$J,"id":1,"error":{"code":-32601,"message":"no"}}
        "#,
    );
}
