//! XB-30 to XB-34, T98.

use super::super::transcript::{ACME, Dialogue};
use crate::{era::promised::Promised, protocol::List};

#[test]
fn t98_xb_31_each_listen_gets_what_it_asked_for_under_its_own_id() {
    Dialogue::open("{}", ACME).play(
        r#"
        client> {$J,"id":7,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{$V,$CAN:{}}}}
        client< {$J,"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{$SUB:7}}}
        client> {$J,"id":"7","method":"subscriptions/listen","params":{"notifications":{"promptsListChanged":true,"resourcesListChanged":false,"toolsListChanged":true,"taskIds":["t"],"odd":true},"_meta":{$V,$CAN:{}}}}
        client< {$J,"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true,"promptsListChanged":true},"_meta":{$SUB:"7"}}}
        core> {$J,"method":"notifications/tools/list_changed"}
        client< {$J,"method":"notifications/tools/list_changed","params":{"_meta":{$SUB:7}}}
        client< {$J,"method":"notifications/tools/list_changed","params":{"_meta":{$SUB:"7"}}}
        core($x)> {$J,"method":"notifications/prompts/list_changed","params":{"x": 1.0,"_meta":{"v/k":1}}}
        client< {$J,"method":"notifications/prompts/list_changed","params":{"x":1.0,"_meta":{"v/k":1,$SUB:"7"}}}
        core> {$J,"method":"notifications/resources/list_changed"}
        # XB-33: no answer, and nothing more
        client> {$J,"method":"notifications/cancelled","params":{"requestId":7}}
        core> {$J,"method":"notifications/tools/list_changed"}
        client< {$J,"method":"notifications/tools/list_changed","params":{"_meta":{$SUB:"7"}}}
        "#,
    );
}

#[test]
fn xb_31_what_was_acknowledged_before_hears_what_has_changed_since() {
    let mut promised = Promised::default();
    promised.empty(List::Tools);
    promised.empty(List::Tools);
    promised.subscription("7", r#"{"toolsListChanged":true}"#);
    promised.subscription("8", r#"{"promptsListChanged":true}"#);
    let mut dialogue = Dialogue::open("{}", ACME);
    dialogue.promise(promised);
    dialogue.play(
        r#"
        client> {$J,"id":7,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{$V,$CAN:{}}}}
        client< {$J,"method":"notifications/tools/list_changed","params":{"_meta":{$SUB:7}}}
        client> {$J,"id":8,"method":"subscriptions/listen","params":{"notifications":{"promptsListChanged":true},"_meta":{$V,$CAN:{}}}}
        core> {$J,"method":"notifications/prompts/list_changed"}
        client< {$J,"method":"notifications/prompts/list_changed","params":{"_meta":{$SUB:8}}}
        "#,
    );
}

#[test]
fn xb_30_what_was_acknowledged_before_and_cannot_be_honoured_ends_in_good_order() {
    let mut promised = Promised::default();
    promised.empty(List::Tools);
    promised.subscription("7", r#"{"toolsListChanged":true}"#);
    let none = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}"#;
    let mut dialogue = Dialogue::open("{}", none);
    dialogue.promise(promised);
    dialogue.play(
        r#"
        client> {$J,"id":7,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{$V,$CAN:{}}}}
        client< {$J,"method":"notifications/tools/list_changed","params":{"_meta":{$SUB:7}}}
        client< {$J,"id":7,"result":{"resultType":"complete","_meta":{$SUB:7}}}
        client< {$J,"method":"notifications/cancelled","params":{"requestId":7,"_meta":{$SUB:7}}}
        "#,
    );
}

#[test]
fn xb_30_what_the_remote_does_not_offer_is_not_honoured() {
    let small = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"prompts":{"listChanged":false},"resources":{}}}"#;
    Dialogue::open("{}", small).play(
        r#"
        client> {$J,"id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["a:1"]},"_meta":{$V,$CAN:{}}}}
        client< {$J,"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{$SUB:1}}}
        client> {$J,"id":2,"method":"subscriptions/listen","params":{"_meta":{$V,$CAN:{}}}}
        client< {$J,"method":"notifications/subscriptions/acknowledged","params":{"notifications":{},"_meta":{$SUB:2}}}
        "#,
    );
}

#[test]
fn xb_30_xb_33_resources_are_subscribed_to_once_for_all_listens_that_want_them() {
    Dialogue::open("{}", ACME).play(
        r#"
        client> {$J,"id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:1","a:2","a:1",7]},"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$s1","method":"resources/subscribe","params":{"uri":"a:1"}}
        core< {$J,"id":"$s2","method":"resources/subscribe","params":{"uri":"a:2"}}
        client> {$J,"id":2,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a:1"]},"_meta":{$V,$CAN:{}}}}
        # before the acknowledgement there is nothing, after it nothing is missing
        core> {$J,"method":"notifications/tools/list_changed"}
        core> {$J,"method":"notifications/tools/list_changed"}
        core> {$J,"id":"$s1","result":{}}
        client< {$J,"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"resourceSubscriptions":["a:1"]},"_meta":{$SUB:2}}}
        core> {$J,"id":"$s2","error":{"code":-32002,"message":"unknown"}}
        client< {$J,"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:1"]},"_meta":{$SUB:1}}}
        client< {$J,"method":"notifications/tools/list_changed","params":{"_meta":{$SUB:1}}}
        client> {$J,"method":"notifications/cancelled","params":{"requestId":1}}
        client> {$J,"method":"notifications/cancelled","params":{"requestId":2}}
        core< {$J,"id":"$u","method":"resources/unsubscribe","params":{"uri":"a:1"}}
        core> {$J,"id":"$u","error":{"code":-1,"message":"whatever"}}
        client> {$J,"id":3,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a:1"]},"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$s3","method":"resources/subscribe","params":{"uri":"a:1"}}
        # given up before the server has answered: taken back when it has
        client> {$J,"method":"notifications/cancelled","params":{"requestId":3}}
        core> {$J,"id":"$s3","result":{}}
        core< {$J,"id":"$u2","method":"resources/unsubscribe","params":{"uri":"a:1"}}
        "#,
    );
}

#[test]
fn xb_30_a_server_that_does_not_answer_a_subscription_delays_the_acknowledgement_only_so_long() {
    Dialogue::open("{}", ACME).play(
        r#"
        client> {$J,"id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a:1","a:2"]},"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$s1","method":"resources/subscribe","params":{"uri":"a:1"}}
        core< {$J,"id":"$s2","method":"resources/subscribe","params":{"uri":"a:2"}}
        core> {$J,"id":"$s2","result":{}}
        wait 10000
        client< {$J,"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"resourceSubscriptions":["a:2"]},"_meta":{$SUB:1}}}
        core> {$J,"id":"$s1","result":{}}
        core< {$J,"id":"$u","method":"resources/unsubscribe","params":{"uri":"a:1"}}
        "#,
    );
}

#[test]
fn xb_32_an_update_goes_to_whom_it_is_about() {
    for (uri, expected) in [
        ("a:/x", &["x", "both"][..]),
        ("a:/x/part", &["x", "both"]),
        ("a:/y/", &["both"]),
        ("a:/y/part", &["both"]),
        ("a:/x?q", &["x", "both"]),
        ("a:/x#f", &["x", "both"]),
        ("a:/xy", &["x", "both"]),
        ("b:/", &["x", "both"]),
    ] {
        let mut dialogue = Dialogue::open("{}", ACME);
        dialogue.name("URI", uri);
        dialogue.play(
            r#"
            client> {$J,"id":"x","method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a:/x"]},"_meta":{$V,$CAN:{}}}}
            core< {$J,"id":"$s1","method":"resources/subscribe","params":{"uri":"a:/x"}}
            core> {$J,"id":"$s1","result":{}}
            client< {$J,"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"resourceSubscriptions":["a:/x"]},"_meta":{$SUB:"x"}}}
            client> {$J,"id":"both","method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a:/x","a:/y/"]},"_meta":{$V,$CAN:{}}}}
            core< {$J,"id":"$s2","method":"resources/subscribe","params":{"uri":"a:/y/"}}
            core> {$J,"id":"$s2","result":{}}
            client< {$J,"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"resourceSubscriptions":["a:/x","a:/y/"]},"_meta":{$SUB:"both"}}}
            client> {$J,"id":"lists","method":"subscriptions/listen","params":{"notifications":{"resourcesListChanged":true},"_meta":{$V,$CAN:{}}}}
            client< {$J,"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"resourcesListChanged":true},"_meta":{$SUB:"lists"}}}
            "#,
        );
        let told: Vec<String> = expected
            .iter()
            .map(|id| format!(r#"client< {{$J,"method":"notifications/resources/updated","params":{{"uri":"$URI","_meta":{{$SUB:"{id}"}}}}}}"#))
            .collect();
        dialogue.play(&format!(
            "core> {{$J,\"method\":\"notifications/resources/updated\",\"params\":{{\"uri\":\"$URI\"}}}}\n{}",
            told.join("\n")
        ));
    }
}

#[test]
fn xb_34_listens_that_nothing_can_be_brought_to_end_and_later_ones_are_promised_nothing() {
    let mut dialogue = Dialogue::open("{}", ACME);
    dialogue.play(
        r#"
        client> {$J,"id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{$V,$CAN:{}}}}
        client< {$J,"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{$SUB:1}}}
        client> {$J,"id":2,"method":"subscriptions/listen","params":{"notifications":{},"_meta":{$V,$CAN:{}}}}
        client< {$J,"method":"notifications/subscriptions/acknowledged","params":{"notifications":{},"_meta":{$SUB:2}}}
        client> {$J,"id":3,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:1"]},"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$s1","method":"resources/subscribe","params":{"uri":"a:1"}}
        "#,
    );
    dialogue.play(
        r#"
        listening false
        client< {$J,"id":1,"result":{"resultType":"complete","_meta":{$SUB:1,$SERVER:{"name":"acme","version":"3.1"}}}}
        client< {$J,"method":"notifications/cancelled","params":{"requestId":1,"_meta":{$SUB:1}}}
        client< {$J,"method":"notifications/subscriptions/acknowledged","params":{"notifications":{},"_meta":{$SUB:3}}}
        core> {$J,"id":"$s1","result":{}}
        core< {$J,"id":"$u","method":"resources/unsubscribe","params":{"uri":"a:1"}}
        client> {$J,"id":4,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:1"]},"_meta":{$V,$CAN:{}}}}
        client< {$J,"method":"notifications/subscriptions/acknowledged","params":{"notifications":{},"_meta":{$SUB:4}}}
        "#,
    );
}

#[test]
fn xb_34_after_a_gap_every_resource_may_have_changed() {
    let mut dialogue = Dialogue::open("{}", ACME);
    dialogue.play(
        r#"
        client> {$J,"id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a:1"]},"_meta":{$V,$CAN:{}}}}
        core< {$J,"id":"$s1","method":"resources/subscribe","params":{"uri":"a:1"}}
        core> {$J,"id":"$s1","result":{}}
        client< {$J,"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"resourceSubscriptions":["a:1"]},"_meta":{$SUB:1}}}
        reconnected
        client< {$J,"method":"notifications/resources/updated","params":{"uri":"a:1","_meta":{$SUB:1}}}
        "#,
    );
}
