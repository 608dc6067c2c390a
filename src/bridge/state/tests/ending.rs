//! The end: what is still delivered, what is still answered, and that it comes.

use super::*;

fn deletes(bench: &Bench, wanted: &str) -> usize {
    bench.count(|action| matches!(action, Action::Delete { session, .. } if &**session == wanted))
}

#[test]
fn with_nothing_open_the_end_of_stdin_is_the_end() {
    let mut bench = Bench::new();
    bench.input(Input::LocalClosed);
    assert!(bench.exited);
    let mut bench = Bench::ready();
    bench.input(Input::LocalClosed);
    assert!(bench.exited && bench.written().is_empty());
    assert_eq!(deletes(&bench, "s1"), 1);
}

#[test]
fn answers_in_flight_are_delivered_first() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    bench.say(INITIALIZED);
    let sent = bench.post("tools/call");
    bench.input(Input::LocalClosed);
    bench.wait(1000);
    assert!(!bench.exited);
    bench.answer(&sent, "{}");
    assert_eq!(bench.wrote(), result("1", "{}"));
    bench.confirm();
    assert!(bench.exited);
}

#[test]
fn a_whole_dialogue_in_one_go_is_carried_out() {
    let mut bench = Bench::new();
    for line in [INITIALIZE, INITIALIZED, &request("1", "tools/list")] {
        bench.say(line);
    }
    bench.input(Input::LocalClosed);
    bench.welcome("s");
    bench.confirm();
    let list = bench.post("tools/list");
    bench.answer(&list, "{}");
    assert_eq!(bench.written(), [result("0", WELCOME), result("1", "{}")]);
    assert!(bench.exited);
}

#[test]
fn what_is_not_answered_in_time_gets_an_error_and_only_one() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    bench.say(&call("2"));
    bench.say(&cancel("2"));
    bench.input(Input::LocalClosed);
    bench.wait(1499);
    assert!(!bench.exited);
    bench.wait(1);
    assert!(bench.exited);
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -31001));
}

#[test]
fn in_every_state_a_stop_answers_everything_at_once() {
    let states: [fn() -> Bench; 6] = [
        Bench::new,
        || {
            let mut bench = Bench::new();
            bench.say(INITIALIZE);
            bench
        },
        || {
            let mut bench = Bench::new();
            bench.say(INITIALIZE);
            let post = bench.post("initialize").exchange;
            bench.end(post, unsent());
            bench
        },
        Bench::ready,
        || Bench::ready_sse().0,
        || {
            let mut bench = Bench::ready();
            bench.say(&call("\"lost\""));
            let lost = bench.post("tools/call").exchange;
            bench.end(lost, status(404, LOST));
            bench
        },
    ];
    for (number, state) in states.into_iter().enumerate() {
        let mut bench = state();
        bench.written();
        let initialized = bench.state.local.initialize.is_some();
        let open = usize::from(bench.state.local.unanswered_initialize().is_some())
            + bench.state.requests.keys(|_| true).len();
        if initialized {
            bench.say(&call("1"));
        }
        bench.input(Input::Stop);
        assert!(bench.exited, "{number}");
        assert_eq!(bench.written().len(), open + usize::from(initialized), "{number}");
        bench.input(Input::Stop);
        bench.input(Input::LocalClosed);
        bench.say(&call("2"));
        bench.wait(60_000);
        assert!(bench.written().is_empty(), "{number}: after the end");
    }
}

#[test]
fn a_call_that_was_given_up_does_not_hold_up_the_end() {
    let mut bench = Bench::with(|settings| settings.grace = 600_000);
    bench.say(INITIALIZE);
    bench.wait(1000);
    bench.say(&call("1"));
    bench.wait(45_000);
    bench.welcome("s");
    bench.written();
    bench.input(Input::LocalClosed);
    assert!(bench.exited);

    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    bench.wait(5000);
    bench.input(Input::Recalled(Box::default()));
    bench.say(&call("1"));
    bench.wait(45_000);
    assert_eq!(bench.written().len(), 2);
    bench.input(Input::LocalClosed);
    assert!(bench.exited, "nobody waits for anything");
}

#[test]
fn a_batch_that_is_cut_short_is_answered_as_one() {
    let mut bench = Bench::new();
    bench.say(&INITIALIZE.replace("2025-06-18", "2025-03-26"));
    let post = bench.post("initialize");
    bench.body(post.exchange, &result("0", &WELCOME.replace("2025-06-18", "2025-03-26")));
    bench.written();
    bench.say(&format!("[{},{}]", call("1"), call("2")));
    let one = bench.post("tools/call");
    bench.answer(&one, "{}");
    bench.input(Input::Stop);
    let answers: Vec<Value> = serde_json::from_str(&bench.wrote()).expect("an array");
    assert_eq!(answers.len(), 2);
}
