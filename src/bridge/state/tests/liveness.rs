//! Dead peers: pings, and a machine that slept.

use super::*;

const EVERY: u64 = 30_000;

fn pinging() -> Bench {
    Bench::ready_with(|settings| settings.ping_interval = Some(EVERY))
}

/// The machine sleeps: the wall clock goes on, the other one stands still.
fn sleep(bench: &mut Bench, millis: Millis) {
    bench.now.wall += millis;
    bench.input(Input::Tick);
}

fn renewals(bench: &Bench) -> usize {
    bench.count(|action| matches!(action, Action::Renew))
}

#[test]
fn no_pings_are_sent_unasked() {
    let mut bench = Bench::ready();
    bench.wait(3_600_000);
    assert!(bench.posts.is_empty());
    assert_eq!(bench.state.next_deadline(), None, "nothing wakes an idle bridge");
}

#[test]
fn a_remote_that_answers_pings_is_left_alone() {
    let mut bench = pinging();
    for _ in 0..20 {
        bench.wait(EVERY);
        let ping = bench.post("ping");
        bench.answer(&ping, "{}");
    }
    for end in [status(405, ""), status(400, "")] {
        bench.wait(EVERY);
        let ping = bench.post("ping").exchange;
        bench.end(ping, end);
    }
    assert_eq!((renewals(&bench), bench.written().len()), (0, 0));
}

#[test]
fn a_remote_that_does_not_answer_is_presumed_dead() {
    let mut bench = pinging();
    bench.say(&call("1"));
    bench.say(&request("2", "tools/list"));
    let running = bench.post("tools/call").exchange;
    bench.post("tools/list");
    bench.wait(2 * EVERY);
    assert!(bench.written().is_empty());
    bench.wait(EVERY);
    assert_eq!(renewals(&bench), 1);
    assert!(!bench.live.contains(&running));
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -31001));
    bench.wait(1000);
    bench.post("tools/list");
    assert!(!bench.methods().contains(&"tools/call"));
}

#[test]
fn a_remote_that_says_anything_is_alive() {
    let mut bench = pinging();
    bench.say(&call("1"));
    let stream = bench.post("tools/call").exchange;
    for _ in 0..20 {
        bench.wait(EVERY - 1000);
        bench.message(stream, r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#);
    }
    assert_eq!(renewals(&bench), 0);
}

#[test]
fn a_resumption_on_a_dead_connection_is_tried_on_a_new_one() {
    let mut bench = pinging();
    bench.say(&call("1"));
    let sent = bench.post("tools/call").exchange;
    bench.end(sent, cut(Some("e")));
    bench.wait(1000);
    let resumed = bench.get().exchange;
    bench.wait(4 * EVERY);
    assert!(!bench.live.contains(&resumed));
    assert_eq!(bench.get().last_event_id.as_deref(), Some("e"));
}

#[test]
fn over_sse_a_dead_remote_gets_a_new_session() {
    let (mut bench, stream) =
        Bench::ready_sse_with(|settings| settings.ping_interval = Some(EVERY));
    bench.say(&call("1"));
    let sent = bench.post("tools/call").exchange;
    bench.end(sent, End::Accepted(202));
    bench.wait(3 * EVERY);
    assert!(!bench.live.contains(&stream));
    assert_eq!(bench.wrote_error().0, "1");
    bench.connect_sse("/m2");
}

#[test]
fn a_ping_interval_of_nothing_does_not_spin() {
    let mut bench = Bench::with(|settings| settings.ping_interval = Some(0));
    bench.say(INITIALIZE);
    bench.welcome("s");
    bench.wait(10);
    assert!(bench.now.mono > 0);
}

#[test]
fn after_a_sleep_what_waits_for_its_time_is_tried_at_once() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    for _ in 0..6 {
        let post = bench.post("initialize").exchange;
        bench.end(post, unsent());
        bench.wait(5000);
    }
    let post = bench.post("initialize").exchange;
    bench.end(post, unsent());
    sleep(&mut bench, 60_000);
    assert_eq!(renewals(&bench), 1);
    bench.post("initialize");
}

#[test]
fn after_a_sleep_the_get_stream_is_opened_anew() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    bench.welcome("s1");
    bench.say(INITIALIZED);
    bench.confirm();
    let old = bench.get().exchange;
    sleep(&mut bench, 9000);
    assert!(bench.gets.is_empty(), "a clock that is set is no sleep");
    sleep(&mut bench, 600_000);
    assert!(!bench.live.contains(&old));
    bench.get();
}

#[test]
fn after_a_sleep_a_stream_of_sse_that_leads_nowhere_is_noticed() {
    let (mut bench, stream) = Bench::ready_sse();
    sleep(&mut bench, 600_000);
    let ping = bench.post("ping");
    bench.end(ping.exchange, End::Accepted(202));
    bench.wait(15_000);
    assert!(!bench.live.contains(&stream));
    bench.connect_sse("/m2");
}

#[test]
fn after_a_sleep_a_stream_of_sse_that_works_is_kept() {
    let (mut bench, stream) = Bench::ready_sse();
    sleep(&mut bench, 600_000);
    let ping = bench.post("ping");
    bench.end(ping.exchange, End::Accepted(202));
    bench.message(stream, &result(&ping.id, "{}"));
    bench.wait(60_000);
    assert!(bench.live.contains(&stream) && bench.gets.is_empty());
}
