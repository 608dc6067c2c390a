//! Signing in, as seen by the machine: what waits, what is told, and what is asked for how often.

use super::*;

fn news(bench: &mut Bench, news: News) {
    bench.input(Input::SignIn(Box::new(news)));
}

fn sign_ins(bench: &Bench) -> usize {
    bench.count(|action| matches!(action, Action::SignIn(_)))
}

/// A connected machine whose call `1` is refused for want of a token.
fn refused() -> Bench {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let sent = bench.post("tools/call").exchange;
    bench.end(sent, unsigned());
    bench
}

#[test]
fn a_refused_call_waits_and_is_sent_as_it_was() {
    let mut bench = refused();
    assert_eq!((sign_ins(&bench), bench.methods()), (1, vec![]));
    bench.say(&call("2"));
    news(&mut bench, News::Waiting("open X".to_owned()));
    bench.say(&call("3"));
    assert_eq!(bench.wrote_error(), ("3".to_owned(), -31002));
    news(&mut bench, News::SignedIn);
    assert_eq!(bench.post("tools/call").id, "1");
    assert_eq!(bench.post("tools/call").id, "2");
    assert_eq!(sign_ins(&bench), 1);
}

#[test]
fn who_waits_too_long_is_told_what_to_do() {
    let mut bench = refused();
    news(&mut bench, News::Waiting("open X".to_owned()));
    bench.wait(45_000);
    let told = bench.wrote();
    assert!(told.contains("open X") && told.contains("-31002"), "{told}");
    news(&mut bench, News::SignedIn);
    assert!(bench.methods().is_empty(), "it is not run after all");
}

#[test]
fn a_token_that_is_refused_right_after_signing_in_is_not_asked_for_again() {
    let mut bench = refused();
    news(&mut bench, News::SignedIn);
    let again = bench.post("tools/call").exchange;
    bench.end(again, unsigned());
    let told = bench.wrote();
    assert!(told.contains("signing in did not help"), "{told}");
    assert_eq!(sign_ins(&bench), 1);
}

#[test]
fn a_no_is_remembered_and_a_problem_that_passes_is_not() {
    for (is_passing, again) in [(false, 1), (true, 2)] {
        let mut bench = refused();
        let error = Some(Error::new(crate::error::Kind::Authorization, "no"));
        news(&mut bench, News::Failed { error, is_passing });
        let told = bench.wrote();
        assert!(told.contains("HTTP 401") && told.contains(": no"), "{told}");
        bench.wait(60_000);
        bench.say(&call("2"));
        let sent = bench.post("tools/call").exchange;
        bench.end(sent, unsigned());
        assert_eq!(sign_ins(&bench), again, "{is_passing}");
    }
}

#[test]
fn scopes_are_asked_for_once_and_only_so_many() {
    let mut bench = Bench::ready();
    let mut asked = Vec::new();
    for (id, scope) in ["a", "a", "b", "c", "d"].into_iter().enumerate() {
        bench.say(&call(&id.to_string()));
        let sent = bench.post("tools/call").exchange;
        bench.end(sent, insufficient(scope));
        asked.push(sign_ins(&bench));
        news(&mut bench, News::SignedIn);
        if let Some(again) = bench.posts.pop() {
            bench.end(again.exchange, insufficient(scope));
        }
        assert_eq!(bench.wrote_error(), (id.to_string(), -31002));
    }
    assert_eq!(asked, [1, 1, 2, 3, 3]);
    bench.wait(600_000);
    bench.say(&call("9"));
    let sent = bench.post("tools/call").exchange;
    bench.end(sent, insufficient("a"));
    assert_eq!(sign_ins(&bench), 4, "after a while they may be granted");
}

#[test]
fn a_handshake_that_is_refused_goes_on_with_the_same_message() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    let first = bench.post("initialize");
    bench.end(first.exchange, unsigned());
    news(&mut bench, News::SignedIn);
    let again = bench.post("initialize");
    assert_eq!(again.text, first.text);
    bench.answer(&again, WELCOME);
    assert!(bench.wrote().contains("serverInfo"));
}

#[test]
fn a_modern_client_waits_for_all_lists_together_only_so_long() {
    let mut bench = eras::sessionless();
    bench.say(&eras::modern_request("1", "tools/list"));
    let sent = bench.post("tools/list").exchange;
    bench.end(sent, unsigned());
    bench.wait(3000);
    bench.say(&eras::modern_request("2", "prompts/list"));
    bench.wait(1999);
    assert!(bench.written().is_empty());
    bench.wait(1);
    assert_eq!(bench.written().len(), 2, "each is empty");
    bench.say(&eras::modern_request("3", "resources/list"));
    bench.wait(0);
    let told = bench.wrote();
    assert!(told.contains(r#""id":3"#) && told.contains(r#""resources":[]"#), "{told}");
    news(&mut bench, News::SignedIn);
    bench.say(&eras::modern_request("4", "tools/list"));
    assert_eq!(bench.methods(), ["tools/list"]);
}
