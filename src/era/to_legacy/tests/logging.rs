//! XB-60 to XB-62, T101.

use super::super::transcript::{ACME, Dialogue};

#[test]
fn t101_xb_60_xb_61_xb_62_a_request_gets_the_messages_it_asked_for_while_it_runs() {
    Dialogue::open("{}", ACME).play(
        r#"
        client> {$J,"id":1,"method":"vendor/x","params":{"_meta":{$V,$CAN:{},$LEVEL:"error"}}}
        core< {$J,"id":"$set","method":"logging/setLevel","params":{"level":"error"}}
        client> {$J,"id":2,"method":"vendor/y","params":{"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$y","method":"vendor/y","params":{}}
        core> {$J,"method":"notifications/message","params":{"level":"error","data":"early"}}
        core> {$J,"id":"$set","result":{}}
        core< {$J,"id":"$x","method":"vendor/x","params":{}}
        core($x)> {$J,"method":"notifications/message","params":{"level":"info","data":1}}
        core($x)> {$J,"method":"notifications/message","params":{"level":"error","data": 1.0}}
        client< {$J,"method":"notifications/message","params":{"level":"error","data": 1.0}}
        core($y)> {$J,"method":"notifications/message","params":{"level":"emergency","data":1}}
        # where nobody can tell, it is enough that one wants it, once
        core> {$J,"method":"notifications/message","params":{"level":"alert","data":1}}
        client< {$J,"method":"notifications/message","params":{"level":"alert","data":1}}
        core> {$J,"method":"notifications/message","params":{"level":"odd","data":1}}
        core> {$J,"id":"$x","result":{}}
        client< {$J,"id":1,"result":{$DONE}}
        # XB-62: nobody asked
        core> {$J,"method":"notifications/message","params":{"level":"error","data":1}}
        core($x)> {$J,"method":"notifications/message","params":{"level":"error","data":1}}
        "#,
    );
}

#[test]
fn xb_60_the_level_is_that_of_the_most_curious_and_changes_only_when_needed() {
    Dialogue::open("{}", ACME).play(
        r#"
        client> {$J,"id":1,"method":"vendor/x","params":{"_meta":{$V,$CAN:{},$LEVEL:"warning"}}}
        core< {$J,"id":"$set1","method":"logging/setLevel","params":{"level":"warning"}}
        core> {$J,"id":"$set1","result":{}}
        core< {$J,"id":"$x","method":"vendor/x","params":{}}
        # less curious: nothing to change
        client> {$J,"id":2,"method":"vendor/x","params":{"_meta":{$V,$CAN:{},$LEVEL:"error"}}}
        core< {$J,"id":"$y","method":"vendor/x","params":{}}
        client> {$J,"id":3,"method":"vendor/x","params":{"_meta":{$V,$CAN:{},$LEVEL:"debug"}}}
        core< {$J,"id":"$set2","method":"logging/setLevel","params":{"level":"debug"}}
        # a refusal keeps nobody waiting
        core> {$J,"id":"$set2","error":{"code":-32602,"message":"no"}}
        core< {$J,"id":"$z","method":"vendor/x","params":{}}
        core> {$J,"id":"$z","result":{}}
        client< {$J,"id":3,"result":{$DONE}}
        core> {$J,"id":"$x","result":{}}
        client< {$J,"id":1,"result":{$DONE}}
        # more than enough: the level goes down again, and nobody waits for that
        client> {$J,"id":4,"method":"vendor/x","params":{"_meta":{$V,$CAN:{},$LEVEL:"error"}}}
        core< {$J,"id":"$set3","method":"logging/setLevel","params":{"level":"error"}}
        core< {$J,"id":"$w","method":"vendor/x","params":{}}
        "#,
    );
}

#[test]
fn xb_60_a_server_that_does_not_answer_keeps_nobody_waiting_for_long() {
    Dialogue::open("{}", ACME).play(
        r#"
        client> {$J,"id":1,"method":"vendor/x","params":{"_meta":{$V,$CAN:{},$LEVEL:"warning"}}}
        core< {$J,"id":"$set","method":"logging/setLevel","params":{"level":"warning"}}
        wait 4999
        wait 1
        core< {$J,"id":"$x","method":"vendor/x","params":{}}
        "#,
    );
}

#[test]
fn xb_60_a_server_without_logs_is_not_asked_for_them() {
    let silent = ACME.replace(r#","logging":{}"#, "");
    Dialogue::open("{}", &silent).play(
        r#"
        client> {$J,"id":1,"method":"vendor/x","params":{"_meta":{$V,$CAN:{},$LEVEL:"debug"}}}
        core< {$J,"id":"$x","method":"vendor/x","params":{}}
        "#,
    );
}

#[test]
fn an_unknown_level_is_refused() {
    for level in [r#""verbose""#, "7", r#""""#] {
        let mut dialogue = Dialogue::open("{}", ACME);
        dialogue.name("L", level);
        dialogue.play(
            r#"
            client> {$J,"id":1,"method":"vendor/x","params":{"_meta":{$V,$CAN:{},$LEVEL:$L}}}
            client< {$J,"id":1,"error":{"code":-32602,"message":"the log level is none of the eight that there are","data":{"origin":"bridge","reason":"invalid-params"}}}
            "#,
        );
    }
}
