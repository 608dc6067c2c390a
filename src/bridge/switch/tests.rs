//! Which message goes to which side, and what becomes of a side whose remote is of the other era.

mod random;

use super::*;
use crate::{
    bridge::tools::Filter,
    config::{Strategy, ToolFilter},
    message::member,
    remote::event::{End, Event, Post, Refusal, Route},
};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;

/// A switch, and what it has asked for.
struct Bench {
    switch: Switch,
    now: Now,
    posts: Vec<Post>,
    written: Vec<String>,
    rest: Vec<Action>,
}

impl Bench {
    fn new(protocol: Protocol) -> Self {
        let now = Now { mono: 1000, wall: 1_000_000, random: 0.5 };
        let settings = Settings {
            origin: "http://remote.test".to_owned(),
            strategy: Strategy::HttpFirst,
            protocol,
            known: None,
            grace: 5000,
            input_wait: 720_000,
            call_wait: 45_000,
            answer_wait: Some(60_000),
            ping_interval: None,
            filter: Filter::new(&ToolFilter::default()),
        };
        let switch = Switch::new(settings, [7; 32], now);
        Bench { switch, now, posts: Vec::new(), written: Vec::new(), rest: Vec::new() }
    }

    fn input(&mut self, input: Input) {
        let mut actions = Vec::new();
        self.switch.handle(input, self.now, &mut actions);
        for action in actions {
            match action {
                Action::Post(post) => self.posts.push(post),
                Action::Write(bytes) | Action::Relay(bytes, _) => {
                    self.written.push(String::from_utf8(bytes.to_vec()).expect("UTF-8"));
                }
                other => self.rest.push(other),
            }
        }
    }

    fn say(&mut self, line: &str) {
        self.input(Input::Line(Bytes::copy_from_slice(line.as_bytes())));
    }

    #[track_caller]
    fn post(&mut self, method: &str) -> Post {
        let is_it = |post: &Post| method_of(post) == method;
        let at = self.posts.iter().position(is_it);
        let at = at.unwrap_or_else(|| panic!("no `{method}` in {:#?}", self.posts));
        self.posts.remove(at)
    }

    fn answer(&mut self, post: &Post, result: &str) {
        let request = Message::parse(post.body.clone()).expect("a message");
        let id = request.id().expect("a request");
        let bytes = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#).into();
        self.input(Input::Remote(Event::Answer { exchange: post.exchange, bytes, session: None }));
    }

    fn refuse(&mut self, post: &Post, status: u16) {
        let end = End::Status(Box::new(Refusal { status, ..Refusal::default() }));
        self.input(Input::Remote(Event::Ended { exchange: post.exchange, end }));
    }

    fn exits(&self) -> bool {
        self.rest.iter().any(|action| matches!(action, Action::Exit))
    }
}

fn method_of(post: &Post) -> String {
    Message::parse(post.body.clone()).expect("a message").method().into_owned()
}

fn modern(id: &str, method: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    )
}

#[test]
fn st_20_inv_6_each_side_goes_its_own_way() {
    let mut bench = Bench::new(Protocol::Auto);
    bench.say(&modern("1", "server/discover"));
    bench.say(INITIALIZE);
    let discover = bench.post("server/discover");
    let initialize = bench.post("initialize");
    assert!(matches!(discover.route, Route::Modern(_)));
    assert!(matches!(initialize.route, Route::Streamable { .. }));
    assert_eq!(discover.body, modern("1", "server/discover"), "byte for byte");
    assert_eq!(initialize.body, INITIALIZE, "byte for byte");

    bench.answer(&discover, r#"{"resultType":"complete","supportedVersions":["2026-07-28"]}"#);
    assert_eq!(member(&bench.written[0], "id"), Some("1"));
    bench.answer(
        &initialize,
        r#"{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}"#,
    );
    assert_eq!(member(&bench.written[1], "id"), Some("0"));
}

#[test]
fn mm_1_a_cancellation_goes_where_its_request_went() {
    let mut bench = Bench::new(Protocol::Modern);
    bench.say(&modern("1", "tools/call"));
    let call = bench.post("tools/call");
    bench.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    assert!(
        matches!(bench.rest[..], [Action::Abort(exchange)] if exchange == call.exchange),
        "{:?}",
        bench.rest
    );
    assert!(bench.posts.is_empty(), "MH-9: nothing is posted");
    assert!(bench.written.is_empty(), "and nothing is answered");
}

#[test]
fn mm_4_headers_are_mirrored_and_repaired_for_a_modern_client() {
    let tool = |name: &str, kind: &str| {
        format!(
            r#"{{"name":"{name}","inputSchema":{{"type":"object","properties":{{"r":{{"type":"{kind}","x-mcp-header":"Region"}}}}}}}}"#
        )
    };
    let listed = |tools: &str| format!(r#"{{"resultType":"complete","tools":[{tools}]}}"#);
    let call = |id: &str, name: &str| {
        modern(id, "tools/call").replace(
            r#""params":{"#,
            &format!(r#""params":{{"name":"{name}","arguments":{{"r":"eu"}},"#),
        )
    };
    let mirrored = |post: &Post| match &post.route {
        Route::Modern(mirrored) => mirrored.params.clone(),
        other => panic!("{other:?}"),
    };
    let with = vec![("Region".to_owned(), "eu".to_owned())];
    let both = format!("{},{}", tool("good", "string"), tool("bad", "number"));

    // MH-37: of a tool that was never listed nothing is known, and the remote says so.
    let mut bench = Bench::new(Protocol::Modern);
    bench.say(&call("1", "good"));
    let first = bench.post("tools/call");
    assert_eq!(mirrored(&first), []);
    let refusal = Refusal {
        status: 400,
        body: r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"m"}}"#.into(),
        ..Refusal::default()
    };
    let end = End::Status(Box::new(refusal));
    bench.input(Input::Remote(Event::Ended { exchange: first.exchange, end }));
    let list = bench.post("tools/list");
    bench.answer(&list, &listed(&both));
    let again = bench.post("tools/call");
    assert_eq!(mirrored(&again), with);
    bench.answer(&again, r#"{"resultType":"complete"}"#);
    assert_eq!(bench.written.len(), 1, "the client sees its answer alone: {:?}", bench.written);
    assert_eq!(member(&bench.written[0], "id"), Some("1"));

    // MH-31: what the client lists has no tool that cannot be called.
    let mut bench = Bench::new(Protocol::Modern);
    bench.say(&modern("1", "tools/list"));
    let list = bench.post("tools/list");
    bench.answer(&list, &listed(&both));
    assert_eq!(member(&bench.written[0], "result"), Some(&*listed(&tool("good", "string"))));
    bench.say(&call("2", "good"));
    let post = bench.post("tools/call");
    assert_eq!(mirrored(&post), with);
    bench.say(&call("3", "bad"));
    assert!(bench.posts.is_empty());
    let error = member(&bench.written[1], "error").expect("an error");
    assert_eq!(member(error, "code"), Some("-32602"));
}

#[test]
fn mm_5_a_later_version_is_the_remotes_to_judge() {
    let later = |id: &str, method: &str| modern(id, method).replace("2026-07-28", "2099-01-01");
    let mut bench = Bench::new(Protocol::Auto);
    bench.say(&later("1", "tools/list"));
    let list = bench.post("tools/list");
    assert_eq!(list.body, later("1", "tools/list"), "byte for byte");
    let Route::Modern(mirrored) = &list.route else { panic!("{:?}", list.route) };
    assert_eq!(mirrored.version, "2099-01-01", "MH-3");
    // A legacy one knows nothing of it, and the bridge says what it serves in its place.
    bench.refuse(&list, 400);
    assert!(bench.posts.is_empty(), "{:?}", bench.posts);
    let error = member(&bench.written[0], "error").expect("an error");
    assert_eq!(member(error, "code"), Some("-32022"));
    assert_eq!(
        member(error, "data"),
        Some(r#"{"requested":"2099-01-01","supported":["2026-07-28"]}"#)
    );
    bench.say(&modern("2", "tools/list"));
    bench.post("initialize");
}

#[test]
fn st_24_a_late_initialize_is_served_and_each_message_goes_by_its_own_era() {
    let mut bench = Bench::new(Protocol::Auto);
    bench.say(&modern("1", "server/discover"));
    let discover = bench.post("server/discover");
    bench.answer(&discover, r#"{"resultType":"complete","supportedVersions":["2026-07-28"]}"#);
    bench.say(INITIALIZE);
    let initialize = bench.post("initialize");
    let id = Message::parse(initialize.body.clone()).expect("a message");
    let id = id.id().expect("a request");
    let welcome = r#"{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}"#;
    let bytes = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{welcome}}}"#).into();
    let session = Some("s1".into());
    bench.input(Input::Remote(Event::Answer { exchange: initialize.exchange, bytes, session }));
    bench.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let confirmed = bench.post("notifications/initialized");
    let end = End::Accepted(202);
    bench.input(Input::Remote(Event::Ended { exchange: confirmed.exchange, end }));
    for is_modern in [true, false, true] {
        let legacy = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#.to_owned();
        bench.say(&if is_modern { modern("7", "tools/list") } else { legacy });
        let list = bench.post("tools/list");
        assert_eq!(matches!(list.route, Route::Modern(_)), is_modern);
        bench.answer(&list, r#"{"resultType":"complete","tools":[]}"#);
    }
    // A question of the remote's is for the legacy client, whoever spoke last.
    bench.written.clear();
    bench.say(r#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"t"}}"#);
    bench.say(&modern("9", "tools/call"));
    let (legacy, modern) = (bench.post("tools/call"), bench.post("tools/call"));
    for exchange in [legacy.exchange, modern.exchange] {
        let bytes = r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#.into();
        bench.input(Input::Remote(Event::Message { exchange, bytes }));
    }
    assert_eq!(bench.written, [r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#]);
}

#[test]
fn a_remote_that_turns_out_to_be_legacy_is_asked_as_such_and_remembered() {
    let mut bench = Bench::new(Protocol::Auto);
    bench.say(&modern("1", "server/discover"));
    bench.say(&modern("\"b\"", "tools/list"));
    let discover = bench.post("server/discover");
    bench.refuse(&discover, 400);
    let initialize = bench.post("initialize");
    assert!(initialize.exchange > discover.exchange, "numbers of its own");
    assert!(bench.written.is_empty(), "both wait for the other era");
    let remembered = bench.rest.iter().any(
        |action| matches!(action, Action::RememberTransport(known) if known.is_legacy(bench.now)),
    );
    assert!(remembered);
    // What the side that is gone still hears is nobody's business.
    bench.refuse(&discover, 500);
    assert!(bench.written.is_empty());
}

#[test]
fn the_protocol_that_is_asked_for_decides_at_once() {
    let mut bench = Bench::new(Protocol::Legacy);
    bench.say(&modern("1", "tools/list"));
    assert_eq!(method_of(&bench.posts[0]), "initialize");
    let mut bench = Bench::new(Protocol::Modern);
    bench.say(&modern("1", "tools/list"));
    let list = bench.post("tools/list");
    bench.refuse(&list, 400);
    assert!(bench.posts.is_empty());
    assert_eq!(bench.written.len(), 1, "its refusal is the answer");
}

#[test]
fn the_end_is_the_end_of_both() {
    let mut bench = Bench::new(Protocol::Modern);
    bench.input(Input::LocalClosed);
    assert!(bench.exits());
    let mut bench = Bench::new(Protocol::Modern);
    bench.say(&modern("1", "tools/call"));
    bench.input(Input::LocalClosed);
    assert!(!bench.exits(), "an answer may still come");
    let call = bench.post("tools/call");
    bench.answer(&call, r#"{"resultType":"complete"}"#);
    assert!(bench.exits());
    let mut bench = Bench::new(Protocol::Modern);
    bench.say(&modern("1", "tools/call"));
    bench.input(Input::Stop);
    assert!(bench.exits());
    assert_eq!(bench.written.len(), 1, "what is open gets its answer");
}

#[test]
fn st_5_an_error_without_an_id_has_none_where_the_client_is_modern() {
    let mut bench = Bench::new(Protocol::Modern);
    bench.say("rubbish");
    assert!(bench.written[0].contains(r#""id":null"#), "{}", bench.written[0]);
    bench.say(&modern("1", "tools/list"));
    bench.say("rubbish");
    assert!(!bench.written[1].contains(r#""id""#), "{}", bench.written[1]);
}

const WELCOME: &str =
    r#"{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}"#;

#[test]
fn what_was_asked_before_the_end_of_the_input_is_answered_in_every_quadrant() {
    let mut bench = Bench::new(Protocol::Auto);
    bench.say(&modern("1", "tools/list"));
    bench.say(&modern("2", "tools/call"));
    bench.input(Input::LocalClosed);
    let list = bench.post("tools/list");
    bench.refuse(&list, 400);
    // Nothing of it is even sent before there is a session.
    let initialize = bench.post("initialize");
    bench.answer(&initialize, WELCOME);
    let confirmation = bench.post("notifications/initialized");
    let end = End::Accepted(202);
    bench.input(Input::Remote(Event::Ended { exchange: confirmation.exchange, end }));
    assert!(!bench.exits(), "answers may still come");
    let list = bench.post("tools/list");
    bench.answer(&list, r#"{"tools":[]}"#);
    bench.now.mono += 10_000;
    bench.input(Input::Tick);
    assert!(bench.exits());
    let ids: Vec<_> = bench.written.iter().map(|text| member(text, "id")).collect();
    assert_eq!(ids, [Some("1"), Some("2")], "{:?}", bench.written);
    assert!(bench.written[1].contains("was closed before"), "{}", bench.written[1]);
}

/// A remote that has shown to be modern becomes a legacy one.
fn become_legacy(bench: &mut Bench) {
    bench.say(&modern("\"r\"", "resources/read"));
    let read = bench.post("resources/read");
    bench.refuse(&read, 400);
    let discover = bench.post("server/discover");
    bench.refuse(&discover, 400);
    assert_eq!(bench.posts.len(), 1, "{:?}", bench.posts);
    bench.post("initialize");
}

#[test]
fn a_call_that_may_run_is_not_made_again_where_the_remote_turns_out_to_be_legacy() {
    let mut bench = Bench::new(Protocol::Auto);
    bench.say(&modern("1", "server/discover"));
    let discover = bench.post("server/discover");
    bench.answer(&discover, r#"{"resultType":"complete","supportedVersions":["2026-07-28"]}"#);
    bench.say(&modern("2", "tools/call"));
    bench.post("tools/call");
    become_legacy(&mut bench);
    assert_eq!(member(&bench.written[1], "id"), Some("2"), "it has its answer");
    assert!(bench.written[1].contains("outcome-unknown"), "{}", bench.written[1]);
}

#[test]
fn a_refusal_that_speaks_of_initialize_does_not_stop_a_modern_client() {
    let mut bench = Bench::new(Protocol::Modern);
    for id in ["1", "2"] {
        bench.say(&modern(id, "tools/list"));
        let list = bench.post("tools/list");
        let body = "Bad Request: Server not initialized".into();
        let refused = Refusal { status: 400, body, ..Refusal::default() };
        let end = End::Status(Box::new(refused));
        bench.input(Input::Remote(Event::Ended { exchange: list.exchange, end }));
        let last = bench.written.last().expect("its refusal is the answer");
        assert_eq!(member(last, "id"), Some(id));
    }
}

#[test]
fn what_is_left_of_an_exchange_that_a_layer_gave_up_is_not_the_answer_to_another() {
    let mut bench = Bench::new(Protocol::Modern);
    bench.say(&modern("1", "tools/call"));
    let call = bench.post("tools/call");
    let exchange = call.exchange;
    bench.input(Input::Remote(Event::Opened { exchange, session: None }));
    let bytes = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"m","data":{"supported":["2026-07-28"]}}}"#.into();
    bench.input(Input::Remote(Event::Message { exchange, bytes }));
    let again = bench.post("tools/call");
    // It was in the queue already.
    let end = End::Stream(crate::remote::event::StreamEnd::default());
    bench.input(Input::Remote(Event::Ended { exchange, end }));
    assert!(bench.written.is_empty(), "{:?}", bench.written);
    bench.answer(&again, r#"{"resultType":"complete"}"#);
    assert_eq!(member(&bench.written[0], "id"), Some("1"));
}

#[test]
fn an_answered_call_is_not_sent_again_whatever_follows_on_its_stream() {
    let mut bench = Bench::new(Protocol::Modern);
    bench.say(&modern("1", "tools/call"));
    let exchange = bench.post("tools/call").exchange;
    for last in [
        r#""result":{"resultType":"complete"}"#,
        r#""error":{"code":-32022,"message":"m","data":{"supported":["2026-07-28"]}}"#,
    ] {
        let bytes = format!(r#"{{"jsonrpc":"2.0","id":1,{last}}}"#).into();
        bench.input(Input::Remote(Event::Message { exchange, bytes }));
    }
    assert_eq!(bench.written.len(), 1);
    assert!(bench.posts.is_empty(), "{:?}", bench.posts);
}
