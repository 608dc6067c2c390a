//! What the endpoint stands for is replaced by another of its kind.

use super::*;

fn replaced() -> End {
    End::Status(Box::new(Refusal { status: 404, is_replaced: true, ..Refusal::default() }))
}

#[test]
fn a_handshake_begins_again_with_new_connections() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    let first = bench.post("initialize");
    bench.end(first.exchange, replaced());
    assert_eq!(bench.count(|action| matches!(action, Action::Renew)), 1);
    let again = bench.post("initialize");
    assert_eq!(again.text, first.text);
    bench.answer(&again, WELCOME);
    assert!(bench.wrote().contains("serverInfo"));
}

#[test]
fn a_call_goes_to_the_new_one_and_the_client_hears_that_lists_have_changed() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let sent = bench.post("tools/call").exchange;
    bench.end(sent, replaced());
    assert_eq!(bench.count(|action| matches!(action, Action::Renew)), 1);
    bench.welcome("s2");
    let confirmation = bench.post("notifications/initialized").exchange;
    bench.end(confirmation, End::Accepted(202));
    assert!(bench.wrote().contains("tools/list_changed"));
    assert_eq!(bench.post("tools/call").id, "1");
}
