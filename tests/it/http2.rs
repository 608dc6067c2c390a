//! HTTP/2: many calls on one connection, and the ways it says that a request was not looked at.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tempfile::NamedTempFile;

use crate::support::{
    DEADLINE,
    bridge::{Bridge, Setup},
    json,
    net::Gate,
    server::{Face, Server},
    tls::{Authority, Front},
};

struct World {
    server: Server,
    front: Front,
    trusted: NamedTempFile,
}

impl World {
    fn new() -> Self {
        let (server, authority) = (Server::start(Face::Http), Authority::new());
        let front = Front::http2(server.listener().addr, &authority);
        World { server, front, trusted: authority.file() }
    }

    fn setup(&self) -> Setup {
        let trusted = self.trusted.path().to_str().expect("a plain path");
        Bridge::to(self.front.url("/mcp"))
            .arg("--transport=http-only")
            .arg("--ca-file")
            .arg(trusted)
    }

    fn connected(&self) -> Bridge {
        let mut bridge = self.setup().spawn();
        bridge.handshake("2025-11-25");
        self.server.await_request(|request| request.is_rpc("notifications/initialized"));
        // What comes after this is the test's own.
        self.server.await_request(|request| request.method == "GET");
        bridge
    }
}

#[test]
fn sixty_four_calls_in_flight_share_one_connection() {
    let world = World::new();
    let (running, gate) = (Arc::<AtomicUsize>::default(), Gate::new());
    let (entered, opening) = (running.clone(), gate.clone());
    world.server.on("tools/call", move |call| {
        call.executed();
        // The last of them lets all of them go: so they were in flight at the same time.
        if entered.fetch_add(1, Ordering::SeqCst) == 63 {
            opening.open();
        }
        gate.wait();
        call.echo();
    });
    let mut bridge = world.connected();
    for id in 0..64 {
        bridge.call(&id.to_string(), &format!("m{id}"));
    }
    for id in 0..64 {
        let answer = bridge.answer_to(&id.to_string());
        assert_eq!(answer["result"]["content"][0]["text"], format!("m{id}"), "{answer}");
        assert_eq!(world.server.executions(&format!("m{id}")), 1);
    }
    assert_eq!(world.front.handshakes(), 1);
    assert!(world.front.faults().requests() >= 66);
    bridge.finish();
}

#[test]
fn a_call_that_goaway_says_was_not_looked_at_is_sent_again_and_runs_once() {
    let world = World::new();
    world.server.stateless();
    let mut bridge = world.connected();
    world.front.faults().go_away_once();
    bridge.call_works("1");
    assert!(world.front.faults().are_over());
    assert_eq!((world.server.executions("works"), world.front.handshakes()), (1, 2));
    bridge.finish();
}

#[test]
fn a_refused_stream_is_opened_again_on_the_same_connection_and_the_call_runs_once() {
    let world = World::new();
    world.server.stateless();
    let mut bridge = world.connected();
    world.front.faults().refuse(2);
    bridge.call_works("1");
    assert!(world.front.faults().are_over());
    assert_eq!((world.server.executions("works"), world.front.handshakes()), (1, 1));
    bridge.finish();
}

#[test]
fn a_handshake_that_is_refused_so_is_made_again_by_itself() {
    let world = World::new();
    world.front.faults().refuse(1);
    let mut bridge = world.connected();
    bridge.call_works("1");
    assert_eq!(world.server.sessions_opened(), 1);
    bridge.finish();
}

#[test]
fn a_response_stream_brings_each_event_as_it_comes_and_a_cancelled_one_is_reset() {
    let world = World::new();
    let (gate, waiting) = (Gate::new(), Arc::<AtomicUsize>::default());
    let opened = gate.clone();
    world.server.on("tools/call", move |call| {
        if call.marker() == "works" {
            return call.behave();
        }
        let note = json::notification("notifications/progress", r#"{"progress":1}"#);
        call.http().sse(&[]).event(&note);
        opened.wait();
        call.http().event(&note);
        call.http().await_gone();
        waiting.fetch_add(1, Ordering::SeqCst);
    });
    let mut bridge = world.connected();
    bridge.call("1", "streamed");
    bridge.incoming("notifications/progress");
    gate.open();
    bridge.incoming("notifications/progress");
    bridge.send(json::notification("notifications/cancelled", r#"{"requestId":1}"#));
    world.server.await_request(|request| request.is_rpc("notifications/cancelled"));
    let end = std::time::Instant::now() + DEADLINE;
    while world.front.faults().resets() == 0 {
        assert!(std::time::Instant::now() < end, "the stream of the cancelled call is still open");
        std::thread::yield_now();
    }
    bridge.call_works("2");
    assert_eq!(world.front.handshakes(), 1);
    bridge.finish();
}

#[test]
fn a_connection_that_goes_silent_is_noticed_by_keep_alive_and_replaced() {
    let world = World::new();
    let mut bridge = world.setup().arg("--keep-alive").arg("--ping-interval=1").spawn();
    bridge.handshake("2025-11-25");
    bridge.call_works("1");
    world.front.faults().freeze();
    // Whoever was on the frozen connection is lost; whoever comes after it is not.
    let mut id = 2;
    loop {
        bridge.send(json::request(&id.to_string(), "tools/list", "{}"));
        if bridge.answer_to(&id.to_string()).get("result").is_some() {
            break;
        }
        id += 1;
    }
    assert!(world.front.handshakes() >= 2);
    bridge.call_works("99");
    bridge.end();
}

#[test]
fn nothing_secret_is_logged_at_any_level() {
    let world = World::new();
    let mut bridge = world
        .setup()
        .env("TOKEN", "MARKER-SECRET")
        .arg("--header=Authorization: Bearer ${TOKEN}")
        .arg("--log-level=trace")
        .spawn();
    bridge.handshake("2025-11-25");
    bridge.call_works("1");
    let request = world.server.await_request(|request| request.is_rpc("tools/call"));
    assert_eq!(request.header("authorization"), Some("Bearer MARKER-SECRET"));
    let log = bridge.end();
    assert!(!log.contains("MARKER-SECRET"), "{log}");
}
