//! What the API refuses, in every operation of sessions; and what is never sent at all.

use serde_json::json;

use crate::support::{
    http::Exchange,
    platform::{KEY, Platform},
};

/// How often a request may be made, in all, where the refusal may pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Again {
    /// It changes nothing, or changes it to the same.
    Safe,
    /// It makes something.
    Creates,
    /// It executes something.
    Executes,
}

/// Every operation that asks the API.
fn operations() -> Vec<(Vec<&'static str>, Again)> {
    use Again::{Creates, Executes, Safe};
    vec![
        (vec!["create", "--user=u"], Creates),
        (vec!["show", "--session=trs_1"], Safe),
        (vec!["update", "--session=trs_1", "--workbench=false"], Safe),
        (vec!["delete", "--session=trs_1", "--yes"], Safe),
        (vec!["attach", "--session=trs_1", "{}"], Creates),
        (vec!["tools", "--session=trs_1"], Safe),
        (vec!["toolkits", "--session=trs_1"], Safe),
        (vec!["history", "--session=trs_1"], Safe),
        (vec!["authorize", "--session=trs_1", "gmail"], Creates),
        (vec!["execute", "--session=trs_1", "A_B"], Executes),
        (vec!["execute-meta", "--session=trs_1", "COMPOSIO_SEARCH_TOOLS"], Executes),
        (vec!["proxy-execute", "--session=trs_1", "gmail", "/x"], Executes),
        (vec!["search", "--session=trs_1", "mail"], Creates),
        (vec!["mounts", "--session=trs_1", "m1"], Safe),
        (vec!["mounts", "--session=trs_1", "m1", "--delete=a", "--yes"], Creates),
        (vec!["mounts", "--session=trs_1", "m1", "--download-url=a"], Creates),
        (vec!["mounts", "--session=trs_1", "m1", "--upload-url=a"], Creates),
        (vec!["configs"], Safe),
        (vec!["configs", "sc_1"], Safe),
    ]
}

fn envelope(status: u16, message: &str) -> String {
    json!({"error": {
        "message": message, "code": 10_000 + u32::from(status), "slug": "HTTP_Error", "status": status,
        "request_id": "req_77", "suggested_fix": "Mend it so", "errors": ["detail one"],
    }})
    .to_string()
}

/// Each documented refusal, in every operation: what is told, the exit code, and how often it was
/// asked (composio.md 2.1).
#[test]
fn every_documented_refusal_of_every_operation_is_told() {
    let whole = ["detail one", "Mend it so", "req_77"];
    let json = "application/json";
    let html = "<!doctype html><html><head><title>Bad Gateway</title></head></html>".to_owned();
    let refusals = [
        (400, json, envelope(400, "Invalid input"), 5, vec!["HTTP 400", "Invalid input"]),
        (
            401,
            json,
            envelope(401, "Invalid API key"),
            4,
            vec!["HTTP 401", "key show", "scoped key"],
        ),
        (401, json, r#"{"error":"Invalid consumer API key"}"#.into(), 4, vec!["Invalid consumer"]),
        (403, json, envelope(403, "Forbidden by policy"), 4, vec!["HTTP 403", "not allowed"]),
        (404, json, envelope(404, "Session not found"), 5, vec!["HTTP 404", "deleted"]),
        (409, json, envelope(409, "Already there"), 5, vec!["HTTP 409", "Already there"]),
        (
            429,
            json,
            r#"{"message":"Rate limit exceeded. Limit: 10000 requests per 1 minutes"}"#.into(),
            5,
            vec!["HTTP 429", "Rate limit exceeded", "try again in 1 s"],
        ),
        (500, json, envelope(500, "Internal error"), 5, vec!["HTTP 500", "has a problem"]),
        (502, "text/html", html, 5, vec!["a web page titled \"Bad Gateway\""]),
    ];
    for (status, kind, body, code, words) in refusals {
        let is_whole = body.contains("request_id");
        for (operation, again) in operations() {
            let (kind, body) = (kind.to_owned(), body.clone());
            let answer = move |exchange: &mut Exchange| {
                let headers = [("content-type", kind.as_str()), ("retry-after-ms", "1")];
                exchange.reply(status, &headers, &body);
            };
            let platform = Platform::scripted(move |_, exchange| answer(exchange));
            let all = [&["session"], operation.as_slice()].concat();
            let report = platform.run(&all).failed(code, &words);
            assert!(report.starts_with("error: could not "), "{report}");
            assert!(!report.contains('<'), "{report}");
            for part in whole.iter().filter(|_| is_whole) {
                assert!(report.contains(part), "{all:?}: {part} is missing in: {report}");
            }
            let expected = match (status, again) {
                (429, Again::Safe | Again::Creates) | (409 | 500 | 502, Again::Safe) => 3,
                _ => 1,
            };
            assert_eq!(platform.asked().len(), expected, "{status} {all:?}");
        }
    }
}

#[test]
fn nothing_is_sent_where_the_command_line_is_wrong() {
    let platform = Platform::answering(json!({}));
    for (words, code, parts) in [
        (vec!["create"], 2, vec!["needs a user", "--user"]),
        (vec!["create", "--user=u", "--tool=SECRET"], 2, vec!["does not tell the toolkit"]),
        (vec!["create", "--user=u", "--auth-config=SECRET"], 2, vec!["gmail=ac_..."]),
        (vec!["create", "--user=u", "--connected-account=SECRET"], 2, vec!["gmail=ca_..."]),
        (vec!["create", "--user=u", "--preset=direct-tools"], 2, vec!["--toolkit SLUG"]),
        (vec!["create", "--user=u", "--preset=SECRET"], 2, vec!["direct-tools"]),
        (vec!["create", "--user=u", "--max-accounts=11"], 2, vec!["2 to 10"]),
        (vec!["create", "--user=u", "--session-config=/no/SECRET"], 2, vec!["cannot be read"]),
        (vec!["update", "--session=trs_1"], 2, vec!["nothing to change"]),
        (vec!["show", "--session=SECRET"], 2, vec!["begins with trs_"]),
        (vec!["tools", "--session=trs_1", "--limit=501"], 2, vec!["1 to 500"]),
        (vec!["tools", "--session=trs_1", "--limit=0"], 2, vec!["--limit"]),
        (vec!["execute", "--session=trs_1", "A", "--arguments=SECRET"], 2, vec!["not JSON"]),
        (vec!["execute", "--session=trs_1", "A", "--arguments=[1]"], 2, vec!["no JSON object"]),
        (vec!["execute", "--session=trs_1", "A", "--arguments=@/no/SECRET"], 2, vec!["be read"]),
        (vec!["proxy-execute", "--session=trs_1", "a", "/", "--query=SECRET"], 2, vec!["no `=`"]),
        (vec!["mounts", "--session=trs_1", ".."], 2, vec!["no id"]),
        (vec!["configs", ""], 2, vec!["no id"]),
        (vec!["SECRET"], 2, vec!["session"]),
        (vec!["show", "SECRET"], 2, vec!["begins with trs_", "session list"]),
        (vec!["show", "trs_1", "--session=trs_1"], 2, vec!["named twice", "leave out"]),
        (vec!["authorize", "gmail", "SECRET"], 2, vec!["unexpected argument"]),
        (vec!["show", "--SECRET-flag=SECRET"], 2, vec!["unexpected argument"]),
    ] {
        let report = platform.run(&[&["session"], words.as_slice()].concat()).failed(code, &parts);
        let shown = report.replace("--SECRET-flag", "");
        assert!(!shown.contains("SECRET"), "{words:?}: {report}");
    }
    let long = "x".repeat(1025);
    let words = ["session", "search", "--session=trs_1", &long];
    platform.run(&words).failed(2, &["longer than 1024"]);
    assert_eq!(platform.remote.requests().len(), 0);
}

#[test]
fn without_a_key_nothing_is_sent() {
    let platform = Platform::answering(json!({}));
    for (words, _) in operations() {
        let words = [&["session"], words.as_slice()].concat();
        platform.run_with(&words, &[], "").failed(3, &["no key for Composio", "key set"]);
    }
    platform.run_with(&["session", "list"], &[], "").failed(3, &["no key for Composio"]);
    assert_eq!(platform.remote.requests().len(), 0);
}

#[test]
fn a_base_that_cannot_be_asked_is_refused_and_not_shown() {
    let platform = Platform::answering(json!({}));
    for base in ["SECRET", "http://SECRET.example", "https://u:SECRET@h.example", "ftp://SECRET/"] {
        let variables = [("COMPOSIO_API_KEY", KEY), ("COMPOSIO_BASE_URL", base)];
        let ran = platform.run_with(&["session", "show", "--session=trs_1"], &variables, "");
        let report = ran.failed(3, &["COMPOSIO_BASE_URL", "leave it unset"]);
        assert!(!report.contains("SECRET"), "{report}");
    }
}

/// A session may be named without `--session` where no other word is expected.
#[test]
fn a_session_is_named_with_or_without_an_option() {
    for words in [
        vec!["show"],
        vec!["update", "--workbench=false"],
        vec!["delete", "--yes"],
        vec!["tools"],
        vec!["toolkits"],
        vec!["history"],
    ] {
        let platform = Platform::answering(json!({"session_id": "trs_9", "items": []}));
        platform.run(&[&["session"], words.as_slice(), &["trs_9"]].concat()).healthy();
        assert!(platform.asked_once().0.contains("/session/trs_9"), "{words:?}");
    }
}

/// Whoever names what is not there is shown what is.
#[test]
fn what_is_not_there_is_followed_by_what_may_be_meant() {
    let made = |id: &str| json!({"session_id": id, "mcp": {"type": "http", "url": "http://h/mcp"}});
    let mut answers: Vec<_> = (1..=7).map(|number| (201, made(&format!("trs_{number}")))).collect();
    answers.push((404, json!({"error": {"message": "Not found"}})));
    let platform = Platform::in_turn(answers);
    for number in 1..=7 {
        let user = format!("--user=u{number}");
        platform.run(&["session", "create", &user]).healthy();
    }
    let report = platform.run(&["session", "show", "trs_old"]).failed(5, &["2 older ones"]);
    assert_eq!(report.matches("hint: `--session trs_").count(), 5, "{report}");
    for (words, told) in [
        (["execute", "--session=trs_1", "gmail_send"], "such as GMAIL_SEND_EMAIL"),
        (["authorize", "--session=trs_1", "gmial"], "toolkits --search WORDS"),
    ] {
        platform.run(&[&["session"], words.as_slice()].concat()).failed(5, &[told]);
    }
    platform.run(&["session", "configs", "sc_1"]).failed(5, &["session configs` lists"]);
    let gone = platform.run(&["server", "show", "00000000-no-such-server"]);
    gone.failed(5, &["HTTP 404", "server list"]);
    platform.run(&["migrate", "00000000-no-such", "--user=u"]).failed(5, &["server list"]);
}

/// Somebody who has nowhere to write works on, and is told where it was tried and what to do.
#[test]
fn where_nothing_can_be_kept_the_place_is_named() {
    let platform = Platform::answering(
        json!({"session_id": "trs_1", "mcp": {"type": "http", "url": "http://h/mcp"}}),
    );
    let file = platform.home.path().join("a-file");
    std::fs::write(&file, "").expect("it can be written");
    let place = file.to_str().expect("text");
    let variables = [("COMPOSIO_API_KEY", KEY), ("COMPOSIO_BRIDGE_STATE_DIR", place)];
    let ran = platform.run_with(&["session", "create", "--user=u"], &variables, "");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("trs_1") && ran.stderr.contains(place), "{ran:?}");
    let ran = platform.run_with(&["key", "set"], &variables, "ak_other\n");
    ran.failed(1, &[place, "COMPOSIO_BRIDGE_STATE_DIR"]);
}
