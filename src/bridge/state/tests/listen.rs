//! The GET stream: opened after the confirmation, reopened for ever, never in a storm.

use super::*;

/// A machine that is ready, and the GET stream it asks for.
fn listening() -> (Bench, Opened) {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    bench.welcome("s1");
    bench.say(INITIALIZED);
    assert!(bench.gets.is_empty(), "not before the confirmation is taken");
    bench.confirm();
    bench.written();
    bench.rest.clear();
    let get = bench.get();
    (bench, get)
}

fn opened(bench: &mut Bench, get: &Opened) {
    bench.remote(Event::Opened { exchange: get.exchange, session: None });
}

/// A stream that ended in good order after so many milliseconds, with or without an event.
fn closed(events: bool, lived: u64) -> End {
    End::Stream(StreamEnd {
        events,
        messages: events,
        lived: Duration::from_millis(lived),
        ..StreamEnd::default()
    })
}

#[test]
fn where_there_is_none_it_is_never_asked_for_again() {
    for end in
        [status(405, ""), status(404, ""), closed(false, 10), End::Malformed("JSON".to_owned())]
    {
        let told = format!("{end:?}");
        let (mut bench, get) = listening();
        if matches!(end, End::Stream(_)) {
            opened(&mut bench, &get);
        }
        bench.end(get.exchange, end);
        bench.wait(3_600_000);
        assert!(bench.gets.is_empty(), "{told}");
        bench.say(&call("1"));
        bench.post("tools/call");
    }
}

#[test]
fn a_stream_that_once_was_one_is_asked_for_again_even_if_it_is_empty_for_a_while() {
    for first in [closed(true, 10), closed(false, 60_000), cut(None)] {
        let told = format!("{first:?}");
        let (mut bench, get) = listening();
        opened(&mut bench, &get);
        bench.end(get.exchange, first);
        bench.wait(1000);
        let get = bench.get();
        opened(&mut bench, &get);
        bench.end(get.exchange, closed(false, 10));
        bench.wait(60_000);
        assert_eq!(bench.gets.len(), 1, "{told}");
    }
}

#[test]
fn waits_grow_to_a_cap_and_start_over_only_after_an_event() {
    let (mut bench, mut get) = listening();
    for seconds in [1, 2, 4, 8, 16, 30, 30] {
        bench.end(get.exchange, unsent());
        bench.wait(seconds * 1000 - 1);
        assert!(bench.gets.is_empty(), "{seconds}");
        bench.wait(1);
        get = bench.get();
    }
    opened(&mut bench, &get);
    bench.end(get.exchange, cut(None));
    bench.wait(29_999);
    assert!(bench.gets.is_empty(), "opened, but nothing came");
    bench.wait(1);
    get = bench.get();
    opened(&mut bench, &get);
    bench.end(get.exchange, cut(Some("e")));
    bench.wait(1000);
    assert_eq!(bench.get().last_event_id.as_deref(), Some("e"));
}

#[test]
fn a_stream_cut_for_ever_is_reopened_for_ever() {
    let (mut bench, mut get) = listening();
    for number in 0..200 {
        opened(&mut bench, &get);
        let id = number.to_string();
        bench.end(get.exchange, cut(Some(&id)));
        bench.wait(1000);
        get = bench.get();
        assert_eq!(get.last_event_id, Some(id));
    }
}

#[test]
fn a_session_that_the_stream_misses_is_opened_anew() {
    let (mut bench, get) = listening();
    opened(&mut bench, &get);
    bench.end(get.exchange, cut(Some("e")));
    bench.wait(1000);
    let get = bench.get();
    bench.end(get.exchange, status(404, LOST));
    bench.welcome("s2");
    bench.confirm();
    assert_eq!(bench.get().last_event_id, None, "another session, another stream");
    assert!(bench.wrote().contains("notifications/tools/list_changed"));
}

#[test]
fn what_comes_on_it_passes() {
    let (mut bench, get) = listening();
    opened(&mut bench, &get);
    let note = r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"x":1.0}}"#;
    bench.message(get.exchange, note);
    bench.message(get.exchange, "rubbish");
    bench.message(get.exchange, &request("1", "ping"));
    assert_eq!(bench.written(), [note.to_owned(), request("1", "ping")]);
    assert_eq!(bench.count(|action| matches!(action, Action::Warn(_))), 1);
    bench.say(&call("1"));
    bench.message(get.exchange, &result("1", "{}"));
    assert_eq!(bench.wrote(), result("1", "{}"), "tolerated, and routed by its id");
}

#[test]
fn over_sse_there_is_no_second_stream() {
    let (mut bench, _) = Bench::ready_sse();
    bench.wait(600_000);
    assert!(bench.gets.is_empty());
}

#[test]
fn the_wait_that_the_server_asks_for_is_kept() {
    let (mut bench, get) = listening();
    bench.end(get.exchange, wait_asked(429, 45));
    bench.wait(44_999);
    assert!(bench.gets.is_empty());
    bench.wait(1);
    bench.get();
}
