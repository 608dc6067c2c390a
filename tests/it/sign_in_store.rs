//! What is kept of sign-ins, when it is broken, in the way, or changed by somebody else; and ends in
//! the middle of things.

use std::{
    fs,
    net::TcpStream,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    authorization::{Authorization, get},
    json as messages,
    remote::Remote,
};

fn directory(place: &Authorization) -> PathBuf {
    place.home.path().join("state/composio-bridge/sign-ins")
}

/// The file of the one sign-in.
fn file(place: &Authorization) -> Option<PathBuf> {
    let entries = fs::read_dir(directory(place)).into_iter().flatten().flatten();
    let mut files = entries.map(|entry| entry.path());
    files.find(|file| file.extension().is_some_and(|end| end == "json"))
}

/// Nobody signs in only to hear that it was for nothing.
#[test]
fn a_store_that_cannot_be_written_is_named_before_the_browser_opens() {
    let place = Authorization::start();
    fs::create_dir_all(directory(&place).parent().expect("one")).expect("made");
    fs::write(directory(&place), "in the way").expect("written");
    let (code, text) = place.login(&[]).end();
    assert!(code == 1 && text.contains("could not keep the sign-in"), "{code}: {text}");
    assert!(text.contains("sign-ins") && text.contains("COMPOSIO_BRIDGE_STATE_DIR"), "{text}");
    assert_eq!(place.pages_opened(), 0);
    assert!(place.run(&["auth", "status"]).contains("Nobody"));
    let mut bridge = place.bridge_with_browser(place.server.endpoint()).spawn();
    bridge.send(messages::initialize("1", "2025-06-18"));
    bridge.refusal("1", -31002, &["could not begin to sign in", "sign-ins"]);
    assert_eq!(place.pages_opened(), 0);
    bridge.end();
}

#[test]
fn a_sign_in_that_cannot_be_read_counts_as_none_and_is_replaced() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let file = file(&place).expect("a sign-in");
    let whole = fs::read_to_string(&file).expect("text");
    for broken in ["", "{", "[]", &whole[..whole.len() / 2], "\0\0\0", "{\"access_token\":5}"] {
        fs::write(&file, broken).expect("written");
        assert!(place.run(&["auth", "status"]).contains("Nobody"), "{broken}");
        place.sign_in(&[]);
        let mut bridge = place.bridge().spawn();
        bridge.handshake("2025-06-18");
        bridge.call_works("1");
        bridge.finish();
    }
    fs::write(&file, "{").expect("written");
    place.run(&["logout", &place.server.endpoint()]);
    assert!(!file.exists());
}

/// A bridge goes on with a token until it ends, and does not bring back what was forgotten.
#[test]
fn who_signs_out_stays_signed_out_while_bridges_run() {
    let place = Authorization::start();
    place.change(|script| script.life = 3);
    place.sign_in(&[]);
    let mut bridge = place.bridge().arg("--auth-timeout=0.5").spawn();
    bridge.handshake("2025-06-18");
    assert!(place.run(&["logout", &place.server.endpoint()]).contains("Signed out"));
    bridge.call_works("1");
    std::thread::sleep(Duration::from_millis(3100));
    bridge.call("2", "x");
    bridge.refusal("2", -31002, &["sign"]);
    assert!(place.grants("refresh_token").is_empty() && file(&place).is_none());
    bridge.end();
}

/// A token that could not be renewed, for want of a refresh token, does not keep the next from it.
#[test]
fn a_sign_in_by_hand_is_taken_up_and_renewed() {
    let place = Authorization::start();
    place.change(|script| (script.life, script.tokens) = (1, json!({"refresh_token": null})));
    place.sign_in(&[]);
    std::thread::sleep(Duration::from_millis(1100));
    let mut bridge = place.bridge_with_browser(place.server.endpoint()).spawn();
    bridge.handshake("2025-06-18");
    place.change(|script| (script.life, script.tokens) = (3600, json!({})));
    place.sign_in(&[]);
    bridge.call_works("1");
    place.revoke();
    bridge.call_works("2");
    assert_eq!((place.grants("refresh_token").len(), place.pages_opened()), (1, 2));
    bridge.end();
}

#[test]
fn two_may_sign_in_by_hand_at_once() {
    let place = Authorization::start();
    let first = place.login(&[]);
    let first_page = first.page();
    let second = place.login(&[]);
    let second_page = second.page();
    assert_ne!(first_page, second_page);
    get(&place.consent(&second_page));
    assert_eq!(second.end().0, 0);
    get(&place.consent(&first_page));
    assert_eq!(first.end().0, 0);
    let mut bridge = place.bridge().spawn();
    bridge.handshake("2025-06-18");
    bridge.call_works("1");
    bridge.finish();
}

/// Before anything is known, before the browser is back, and before the token is there.
#[test]
fn who_is_killed_in_the_middle_leaves_nothing_in_the_way() {
    let place = Authorization::start();
    let silent = Remote::start(|_, exchange| {
        exchange.await_gone();
    });
    for name in ["registration_endpoint", "token_endpoint"] {
        let asked = silent.requests().len();
        let at = silent.url("/x");
        place.change(|script| script.metadata = json!({ name: at }));
        let login = place.login(&[]);
        if name == "token_endpoint" {
            let back = place.consent(&login.page());
            std::thread::spawn(move || get(&back));
        }
        let end = Instant::now() + Duration::from_secs(20);
        while silent.requests().len() == asked {
            assert!(Instant::now() < end, "{name} is not asked");
            std::thread::sleep(Duration::from_millis(5));
        }
        login.kill();
        place.change(|script| script.metadata = json!({}));
        place.sign_in(&[]);
        let left = fs::read_dir(directory(&place)).expect("it is there").flatten();
        let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
        assert_eq!(left.len(), 2, "the sign-in and its lock: {left:?}");
    }
}

/// The one that renews is killed in the middle, with the lock in its hand.
#[test]
fn a_bridge_that_is_killed_while_it_renews_leaves_the_next_one_free() {
    let place = Authorization::start();
    place.change(|script| script.life = 1);
    place.sign_in(&[]);
    std::thread::sleep(Duration::from_millis(1100));
    let silent = Remote::start(|_, exchange| {
        exchange.await_gone();
    });
    let file = file(&place).expect("a sign-in");
    let whole = fs::read_to_string(&file).expect("text");
    let elsewhere = whole.replace(&place.remote.url("/token"), &silent.url("/token"));
    assert_ne!(whole, elsewhere);
    fs::write(&file, elsewhere).expect("written");
    let mut first = place.bridge().spawn();
    first.send(messages::initialize("1", "2025-06-18"));
    silent.await_request(|_| true);
    first.signal(rustix::process::Signal::KILL);
    fs::write(&file, whole).expect("written");
    place.change(|script| script.life = 3600);
    let mut second = place.bridge().spawn();
    let since = Instant::now();
    second.handshake("2025-06-18");
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!(place.grants("refresh_token").len(), 1);
    second.finish();
}

/// A clock that was wrong when the token came, on either side.
#[test]
fn a_token_from_the_future_is_used_and_renewed() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let file = file(&place).expect("a sign-in");
    let mut stored: serde_json::Value =
        serde_json::from_slice(&fs::read(&file).expect("readable")).expect("JSON");
    for (given, end) in [(u64::MAX - 10, u64::MAX), (9_999_999_999, 1), (0, 0), (1, u64::MAX)] {
        (stored["given_at"], stored["expires_at"]) = (given.into(), end.into());
        let now: serde_json::Value =
            serde_json::from_slice(&fs::read(&file).expect("readable")).expect("JSON");
        for name in ["access_token", "refresh_token"] {
            stored[name] = now[name].clone();
        }
        fs::write(&file, stored.to_string()).expect("written");
        place.run(&["auth", "status"]);
        let mut bridge = place.bridge().spawn();
        bridge.handshake("2025-06-18");
        place.revoke();
        bridge.call_works("1");
        bridge.finish();
    }
    assert_eq!(place.pages_opened(), 1);
}

/// AU-52, AU-55: an end of the sign-in that all notice is told to the person once.
#[test]
fn four_bridges_whose_sign_in_has_ended_open_one_browser() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let start = |_| {
        let setup = place.bridge_with_browser(place.server.endpoint());
        let mut bridge = setup.arg("--startup-grace=1").spawn();
        bridge.handshake("2025-06-18");
        bridge
    };
    let mut bridges: Vec<_> = (0..4).map(start).collect();
    let _ = fs::remove_file(place.home.path().join("page"));
    place.revoke();
    place.change(|script| script.fails = Some((400, r#"{"error":"invalid_grant"}"#)));
    for bridge in &mut bridges {
        bridge.call("1", "x");
    }
    let page = place.page();
    place.change(|script| script.fails = None);
    get(&place.consent(&page));
    for bridge in &mut bridges {
        // Who called before the page was known waits; who called after is told of it.
        let answer = bridge.answer_to("1");
        let told = answer.to_string();
        assert!(answer.get("result").is_some() || told.contains("wants you to sign in"), "{told}");
        bridge.call_works("2");
        bridge.end();
    }
    assert_eq!((place.grants("refresh_token").len(), place.pages_opened()), (1, 2));
}

/// While the browser is waited for. Ctrl-C is ignored by those who are started in the background.
#[test]
fn who_interrupts_a_sign_in_is_obeyed_at_once() {
    use rustix::process::{Pid, Signal, kill_process};
    let place = Authorization::start();
    let login = place.login(&[]);
    let port = place.consent(&login.page()).port().expect("a port");
    let id = i32::try_from(login.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(id, Signal::TERM).expect("our own child");
    let (code, text) = login.end();
    assert!(code != 0 && !text.contains("Signed in"), "{code}: {text}");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens any more");
    assert!(file(&place).is_none());
    place.sign_in(&[]);
}
