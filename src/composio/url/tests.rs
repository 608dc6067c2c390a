use super::*;

const ID: &str = "5f0c1c8e-0b1a-4c55-9d3e-0f3f7c1b2a4d";

fn explained(text: &str, base: Option<&str>) -> Option<Explanation> {
    let url = |text: &str| Url::parse(&text.replace("UUID", ID)).expect("a URL");
    explain(&url(text), base.map(url).as_ref(), false)
}

/// A URL that is used as it is, or as `used`.
#[track_caller]
fn fine(text: &str, shape: Shape, used: &str) {
    let found = explained(text, None).expect("it is Composio's");
    assert_eq!((found.shape, &found.problem), (shape, &None), "{text}");
    let used = if used.is_empty() { text } else { used };
    assert_eq!(found.url.as_str(), used.replace("UUID", ID), "{text}");
    assert_eq!(found.changes.is_empty(), text == used, "{text}: {:?}", found.changes);
    assert_eq!(found.usable().map(String::from), Ok(used.replace("UUID", ID)));
}

/// A URL that is refused for this reason, with these words about what to use.
#[track_caller]
fn hopeless(text: &str, shape: Shape, problem: &str, hint: &str) {
    let found = explained(text, None).expect("it is Composio's");
    assert_eq!(found.shape, shape, "{text}");
    let report = found.usable().expect_err("it is of no use").report();
    let hint = hint.replace("UUID", ID);
    assert!(report.contains(problem) && report.contains(&hint), "{text}: {report}");
    assert!(!report.contains("SECRET"), "{text}: {report}");
}

#[test]
fn urls_of_today_stay_as_they_are() {
    for (text, shape) in [
        ("https://backend.composio.dev/tool_router/trs_1/mcp", Shape::Session),
        ("https://backend.composio.dev./tool_router/trs_1/mcp", Shape::Session),
        ("https://backend.composio.dev/tool_router/trs_1/mcp?a=b%20c", Shape::Session),
        ("https://backend.composio.dev/tool_router/session/trs_1/mcp", Shape::Session),
        ("https://backend.composio.dev/v3/mcp/UUID?user_id=john", Shape::Server),
        ("https://backend.composio.dev/v3/mcp/UUID/?user_id=john", Shape::Server),
        ("https://backend.composio.dev/v3/mcp/UUID?connected_account_id=ca_1", Shape::Server),
        (
            "https://backend.composio.dev/v3/mcp/UUID?user_id=j&include_composio_helper_actions=true",
            Shape::Server,
        ),
        ("https://backend.composio.dev/v3/mcp/UUID/mcp?user_id=john", Shape::Server),
        ("https://backend.composio.dev/api/v3/mcp/UUID/mcp?user_id=john", Shape::Server),
        ("https://connect.composio.dev/mcp", Shape::Connect),
        ("https://rube.app/mcp", Shape::Rube),
        ("https://api.composio.dev/v3/mcp/tool-router/session_1/mcp", Shape::Labs),
        ("https://app.composio.dev/tool_router/v3/trs_123456789/mcp", Shape::Example),
        ("https://platform.composio.dev/v3/mcp/UUID", Shape::Example),
        ("https://dashboard.composio.dev/v3/mcp/UUID", Shape::Example),
        ("https://backend.composio.dev/something/new", Shape::Other),
        ("https://docs.composio.dev/x", Shape::Other),
    ] {
        fine(text, shape, "");
    }
}

#[test]
fn what_is_certain_is_repaired() {
    let server = "https://backend.composio.dev/v3/mcp/UUID";
    for (before, after) in [
        ("?connected_account_ids=ca_1", "?connected_account_id=ca_1"),
        ("?connected_account_ids[]=ca_1", "?connected_account_id=ca_1"),
        ("?connected_account_ids=ca_1,", "?connected_account_id=ca_1"),
        ("?x=b%20c&connected_account_ids=ca_1&y", "?x=b%20c&y&connected_account_id=ca_1"),
        ("/mcp?connected_account_ids=ca_1", "/mcp?connected_account_id=ca_1"),
        ("/sse?user_id=john", "/mcp?user_id=john"),
        ("/sse/?connected_account_ids=ca_1", "/mcp?connected_account_id=ca_1"),
    ] {
        fine(&format!("{server}{before}"), Shape::Server, &format!("{server}{after}"));
    }
    let session = "https://backend.composio.dev/tool_router/trs_1/mcp";
    for before in ["", "/", "/sse"] {
        let text = format!("https://backend.composio.dev/tool_router/trs_1{before}");
        fine(&text, Shape::Session, session);
    }
    for before in ["https://connect.composio.dev", "https://connect.composio.dev/"] {
        let found = explained(before, None).expect("it is Composio's");
        assert_eq!(found.url.as_str(), "https://connect.composio.dev/mcp");
    }
}

#[test]
fn what_is_not_certain_is_explained_with_what_to_use() {
    let make = "composio-bridge session create --user USER";
    let platform = "https://backend.composio.dev";
    for (text, shape, problem, hint) in [
        // Dead hosts, in all the shapes that they had.
        ("https://mcp.composio.dev/session/ses_SECRET/sse", Shape::Removed, "removed", make),
        ("https://mcp.composio.dev/custom/mcp_1?user=SECRET", Shape::Removed, "removed", make),
        (
            "https://mcp.composio.dev/composio/server/UUID?connected_account_ids=ca_1&token=SECRET",
            Shape::Removed,
            "removed on 25 March 2026",
            "https://backend.composio.dev/v3/mcp/UUID?connected_account_id=ca_1",
        ),
        (
            "https://mcp.composio.dev/composio/server/UUID/sse?user_id=john",
            Shape::Removed,
            "removed",
            "https://backend.composio.dev/v3/mcp/UUID?user_id=john",
        ),
        (
            "https://mcp.composio.dev/composio/server/SECRET",
            Shape::Removed,
            "removed",
            "https://backend.composio.dev/v3/mcp/SERVER_ID?user_id=USER",
        ),
        (
            "https://mcp.composio.dev/gmail/three-random-words",
            Shape::Removed,
            "removed",
            "--user USER --toolkit gmail`",
        ),
        ("https://mcp.composio.dev/", Shape::Removed, "removed", make),
        ("https://apollo.composio.dev/v3/mcp/UUID", Shape::Internal, "staff", make),
        ("https://apollo-x1-composio.vercel.app/v3/mcp/UUID", Shape::Internal, "staff", make),
        ("https://staging-backend.composio.dev/v3/mcp/UUID", Shape::Internal, "staff", make),
        ("https://backend.composio.dev/api/rerouted/v1/x", Shape::Gone, "410", make),
        // Placeholders.
        (
            "https://backend.composio.dev/tool_router/{session_id}/mcp",
            Shape::Session,
            "placeh",
            make,
        ),
        ("https://backend.composio.dev/tool_router/trs_.../mcp", Shape::Session, "placeh", make),
        ("https://backend.composio.dev/tool_router/trs_…/mcp", Shape::Session, "placeh", make),
        ("https://backend.composio.dev/tool_router/trs_xxx/mcp", Shape::Session, "placeh", make),
        ("https://backend.composio.dev/tool_router/<id>/mcp", Shape::Session, "placeh", make),
        ("https://backend.composio.dev/tool_router/YOUR_ID/mcp", Shape::Session, "placeh", make),
        (
            "https://backend.composio.dev/v3/mcp/{id}?user_id=x",
            Shape::Server,
            "placeh",
            "server list",
        ),
        ("https://backend.composio.dev/v3/mcp/", Shape::Server, "placeh", "server list"),
        (
            "https://backend.composio.dev/v3/mcp/UUID?user_id={u}",
            Shape::Server,
            "placeh",
            "?user_id",
        ),
        (
            "https://backend.composio.dev/v3/mcp/UUID?connected_account_ids=<ca>",
            Shape::Server,
            "placeh",
            "?connected_account_id=ca_…",
        ),
        // Ids and users.
        ("https://backend.composio.dev/tool_router/SECRET/mcp", Shape::Session, "trs_", make),
        ("https://backend.composio.dev/tool_router", Shape::Session, "trs_", make),
        ("https://backend.composio.dev/v3/mcp/UUID", Shape::Server, "no user", "?user_id=USER"),
        ("https://backend.composio.dev/v3/mcp/UUID?user_id=", Shape::Server, "no user", "?user_id"),
        (
            "https://backend.composio.dev/v3/mcp/UUID?connected_account_ids=ca_1,ca_2",
            Shape::Server,
            "several connected accounts",
            "?connected_account_id=ca_…",
        ),
        (
            "https://backend.composio.dev/v3/mcp/UUID?connected_account_ids=a&connected_account_ids=b",
            Shape::Server,
            "several connected accounts",
            "?user_id=USER",
        ),
        // The REST API.
        (platform, Shape::Api, "no MCP endpoint", make),
        (
            "https://backend.composio.dev/api/v3.1/tool_router/session/trs_1",
            Shape::Api,
            "REST API",
            "https://backend.composio.dev/tool_router/trs_1/mcp",
        ),
        (
            "https://backend.composio.dev/api/v3/mcp/UUID",
            Shape::Api,
            "REST API",
            "https://backend.composio.dev/v3/mcp/UUID?user_id=USER",
        ),
        ("https://backend.composio.dev/api/v3/mcp/servers", Shape::Api, "REST API", make),
        // Without encryption.
        ("http://backend.composio.dev/tool_router/trs_1/mcp", Shape::Session, "http", "https://"),
        ("http://connect.composio.dev/mcp", Shape::Connect, "http", "https://"),
    ] {
        hopeless(text, shape, problem, hint);
    }
}

#[test]
fn who_allows_http_gets_it() {
    let url = Url::parse("http://backend.composio.dev/tool_router/trs_1/mcp").expect("a URL");
    assert_eq!(explain(&url, None, true).expect("it is Composio's").problem, None);
}

#[test]
fn what_is_superseded_says_by_what() {
    for (text, hint) in [
        ("https://rube.app/mcp", "https://connect.composio.dev/mcp"),
        ("https://api.composio.dev/v3/mcp/tool-router/session_1/mcp", "session create"),
        (
            "https://app.composio.dev/tool_router/v3/trs_9/mcp",
            "https://backend.composio.dev/tool_router/trs_9/mcp",
        ),
        (
            "https://platform.composio.dev/v3/mcp/UUID",
            "https://backend.composio.dev/v3/mcp/UUID?user_id=USER",
        ),
    ] {
        let found = explained(text, None).expect("it is Composio's");
        assert_eq!(found.hints.len(), 1, "{text}");
        assert!(found.hints[0].contains(&hint.replace("UUID", ID)), "{text}: {:?}", found.hints);
    }
}

#[test]
fn what_stands_for_the_platform_has_its_shapes() {
    let base = Some("http://127.0.0.1:9900/prefix/");
    for (text, shape, used) in [
        (
            "http://127.0.0.1:9900/prefix/tool_router/trs_1",
            Shape::Session,
            "/tool_router/trs_1/mcp",
        ),
        (
            "http://127.0.0.1:9900/prefix/v3/mcp/UUID?connected_account_ids=a",
            Shape::Server,
            "/v3/mcp/UUID?connected_account_id=a",
        ),
        ("http://127.0.0.1:9900/prefix/mcp", Shape::Other, "/mcp"),
    ] {
        let found = explained(text, base).expect("it is at the base");
        assert_eq!((found.shape, found.problem), (shape, None), "{text}");
        let used = format!("http://127.0.0.1:9900/prefix{used}").replace("UUID", ID);
        assert_eq!(found.url.as_str(), used);
    }
    let api = explained("http://127.0.0.1:9900/prefix/api/v3.1/tool_router/session/trs_1", base);
    let hint = "the session is at http://127.0.0.1:9900/prefix/tool_router/trs_1/mcp";
    assert_eq!(api.expect("at the base").hints, [hint]);
    let staging = Some("https://staging-backend.composio.dev");
    let text = "https://staging-backend.composio.dev/tool_router/trs_1/mcp";
    assert_eq!(explained(text, staging).expect("Composio's").problem, None);
}

#[test]
fn what_is_none_of_composios_is_not_looked_at() {
    for text in [
        "https://mcp.example.com/tool_router/x/mcp",
        "http://localhost:9900/tool_router/x",
        "https://composio.dev.example/tool_router/x",
        "https://x-composio.vercel.app/v3/mcp/x",
    ] {
        assert_eq!(explained(text, Some("https://other.example/")), None, "{text}");
    }
}

#[test]
fn a_refusal_is_explained_where_it_came_from() {
    for (shape, status, word) in [
        (Shape::Session, 401, "Sessions: write"),
        (Shape::Server, 401, "second credential"),
        (Shape::Connect, 401, "ck_"),
        (Shape::Session, 404, "deleted"),
        (Shape::Server, 404, "server list"),
        (Shape::Server, 400, "user_id"),
        (Shape::Labs, 404, "session create"),
    ] {
        assert!(shape.hint(status).is_some_and(|hint| hint.contains(word)), "{shape:?} {status}");
    }
    assert_eq!(Shape::Session.hint(500), None);
    assert_eq!(Shape::Other.hint(401), None);
}

#[test]
fn a_session_is_named_by_its_id_or_its_url() {
    for (named, expected) in [
        ("trs_a-B_9", Some("trs_a-B_9")),
        (" trs_1 ", Some("trs_1")),
        ("https://backend.composio.dev/tool_router/trs_1/mcp?x=trs_2", Some("trs_1")),
        ("https://backend.composio.dev/tool_router/session/trs_1/mcp", Some("trs_1")),
        ("trs_", None),
        ("trs_a/..", Some("trs_a")),
        ("trs_a b", None),
        ("SECRET", None),
        ("", None),
    ] {
        let outcome = named_session(named);
        if let Err(error) = &outcome {
            assert!(!error.report().contains("SECRET"), "{}", error.report());
        }
        assert_eq!(outcome.ok(), expected, "{named}");
    }
}
