//! A remote that is not there in time: what the client is told in its place, and how that is made
//! good.

use super::*;
use crate::protocol::List;

const TOOLS: &str = r#"{"tools":[{"name":"a","n":1.0}]}"#;

/// The remote is not there in time; the client is answered by the bridge.
fn late(memory: Memory) -> (Bench, String) {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    bench.wait(4999);
    assert_eq!(bench.count(|action| matches!(action, Action::Recall)), 0);
    bench.wait(1);
    assert_eq!(bench.count(|action| matches!(action, Action::Recall)), 1);
    bench.input(Input::Recalled(Box::new(memory)));
    let told = bench.wrote();
    bench.say(INITIALIZED);
    (bench, told)
}

fn remembered(lists: &[(List, &str, &str)]) -> Memory {
    let mut memory = Memory::default();
    memory.restore(Remembered::Initialize, WELCOME.to_owned());
    for (list, cursor, text) in lists {
        memory.learn(*list, cursor, text);
    }
    memory
}

fn arrive(bench: &mut Bench) {
    bench.welcome("s");
    bench.confirm();
    if let Some(get) = bench.gets.pop() {
        bench.end(get.exchange, status(405, ""));
    }
}

#[test]
fn without_a_memory_the_answer_says_what_is_wrong() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    let post = bench.post("initialize").exchange;
    bench.end(post, unsent());
    bench.wait(5000);
    bench.input(Input::Recalled(Box::default()));
    let told: Value = serde_json::from_str(&bench.wrote()).expect("JSON");
    assert_eq!(told["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(told["result"]["capabilities"]["tools"]["listChanged"], true);
    let text = told["result"]["instructions"].as_str().expect("a text");
    assert!(text.contains("connection refused"), "{text}");
}

#[test]
fn with_a_memory_the_answer_is_the_last_one_in_this_clients_version() {
    let (_, told) = late(remembered(&[]));
    assert_eq!(told, result("0", WELCOME));
    let mut other = Memory::default();
    other.restore(Remembered::Initialize, WELCOME.replace("2025-06-18", "2024-11-05"));
    let (_, told) = late(other);
    assert_eq!(told, result("0", WELCOME));
}

#[test]
fn an_answer_in_time_makes_the_memory_useless() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    bench.wait(5000);
    bench.welcome("s");
    bench.input(Input::Recalled(Box::new(remembered(&[]))));
    assert_eq!(bench.wrote(), result("0", WELCOME), "once");
    bench.wait(60_000);
    assert!(bench.written().is_empty());
}

#[test]
fn a_remembered_list_is_served_at_once_and_an_unknown_one_is_empty_after_a_while() {
    let second = r#"{"tools":[]}"#;
    let (mut bench, _) = late(remembered(&[(List::Tools, "", TOOLS), (List::Tools, "p2", second)]));
    bench.say(&request("1", "tools/list"));
    assert_eq!(bench.wrote(), result("1", TOOLS));
    bench.say(r#"{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"cursor":"p2"}}"#);
    assert_eq!(bench.wrote(), result("2", second));
    bench.say(&request("3", "prompts/list"));
    bench.wait(2499);
    assert!(bench.written().is_empty());
    bench.wait(1);
    assert_eq!(bench.wrote(), result("3", r#"{"prompts":[]}"#));
    bench.say(&request("4", "resources/list"));
    bench.wait(0);
    assert_eq!(bench.wrote(), result("4", r#"{"resources":[]}"#), "the time is for all of them");
    assert_eq!(bench.methods(), ["initialize"], "all this time the remote is asked");
}

#[test]
fn a_list_that_waited_before_the_answer_is_served_with_it() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    bench.say(&request("1", "tools/list"));
    bench.wait(5000);
    bench.input(Input::Recalled(Box::new(remembered(&[(List::Tools, "", TOOLS)]))));
    assert_eq!(bench.written(), [result("0", WELCOME), result("1", TOOLS)]);
}

#[test]
fn calls_wait_for_the_remote() {
    let (mut bench, _) = late(Memory::default());
    bench.say(&call("1"));
    arrive(&mut bench);
    bench.post("tools/call");
}

#[test]
fn what_differs_is_announced_and_what_does_not_is_not() {
    let (mut bench, _) = late(remembered(&[(List::Tools, "", TOOLS)]));
    bench.say(&request("1", "tools/list"));
    bench.say(&request("2", "prompts/list"));
    bench.say(&request("3", "resources/list"));
    bench.wait(5000);
    bench.written();
    arrive(&mut bench);
    let (tools, prompts) = (bench.post("tools/list"), bench.post("prompts/list"));
    let resources = bench.post("resources/list");
    bench.answer(&tools, TOOLS);
    assert!(bench.written().is_empty(), "as it was told");
    bench.answer(&prompts, r#"{"prompts":[{"name":"p"}]}"#);
    assert!(bench.wrote().contains("notifications/prompts/list_changed"));
    let none = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32601,"message":"no such method"}}"#;
    bench.body(resources.exchange, &none.replace("ID", &resources.id));
    assert!(bench.written().is_empty(), "none is as good as an empty one");
}

#[test]
fn a_comparison_that_fails_counts_as_a_difference() {
    for end in [unsent(), broken(), silent(), status(500, ""), cut(None)] {
        let told = format!("{end:?}");
        let (mut bench, _) = late(Memory::default());
        bench.say(&request("1", "tools/list"));
        bench.wait(5000);
        bench.written();
        arrive(&mut bench);
        let compared = bench.post("tools/list").exchange;
        bench.end(compared, end);
        assert!(bench.wrote().contains("notifications/tools/list_changed"), "{told}");
    }
}

#[test]
fn a_comparison_that_a_lost_session_swallowed_is_made_in_the_next() {
    let (mut bench, _) = late(Memory::default());
    bench.say(&request("1", "prompts/list"));
    bench.wait(5000);
    arrive(&mut bench);
    let compared = bench.post("prompts/list").exchange;
    bench.end(compared, status(404, LOST));
    bench.welcome("s2");
    bench.confirm();
    bench.written();
    let compared = bench.post("prompts/list");
    bench.answer(&compared, r#"{"prompts":[{"name":"p"}]}"#);
    assert!(bench.wrote().contains("notifications/prompts/list_changed"));
}

#[test]
fn another_version_than_was_told_is_said() {
    let (mut bench, _) = late(Memory::default());
    let post = bench.post("initialize");
    bench.answer(&post, &WELCOME.replace("2025-06-18", "2024-11-05"));
    assert_eq!(bench.count(|action| matches!(action, Action::Warn(_))), 1);
}

#[test]
fn a_remote_that_says_no_later_is_asked_again_and_works_without_a_restart() {
    let (mut bench, _) = late(Memory::default());
    bench.say(&call("1"));
    let post = bench.post("initialize").exchange;
    bench.end(post, status(401, ""));
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -31002));
    bench.wait(30_000);
    arrive(&mut bench);
    bench.say(&call("2"));
    bench.post("tools/call");
}

#[test]
fn what_the_remote_answers_is_kept_for_the_next_start() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    arrive_after(&mut bench);
    for _ in 0..2 {
        bench.say(&request("1", "tools/list"));
        let list = bench.post("tools/list");
        bench.answer(&list, TOOLS);
    }
    let kept = |what: Remembered| {
        bench.count(|action| matches!(action, Action::Remember(kept, _) if *kept == what))
    };
    assert_eq!(kept(Remembered::Initialize), 1);
    assert_eq!(kept(Remembered::List(List::Tools)), 1, "only what is new");
}

fn arrive_after(bench: &mut Bench) {
    bench.welcome("s");
    bench.say(INITIALIZED);
    bench.confirm();
}

#[test]
fn a_second_initialize_has_a_grace_of_its_own() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    bench.wait(4000);
    bench.say(&INITIALIZE.replace("\"id\":0", "\"id\":9"));
    bench.wait(4999);
    assert_eq!(bench.count(|action| matches!(action, Action::Recall)), 0);
    bench.wait(1);
    assert_eq!(bench.count(|action| matches!(action, Action::Recall)), 1);
}
