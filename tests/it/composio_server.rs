//! `composio-bridge server` against the stand-in: each operation's request and answer, what the
//! command itself refuses, and each documented error.

use composio_bridge::demo::composio::{Failure, Seen, StandIn};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::composio::{Ran, run};

struct House {
    stand_in: StandIn,
    home: TempDir,
}

impl House {
    fn new() -> Self {
        let stand_in = StandIn::start().expect("a loopback port is free");
        House { stand_in, home: tempfile::tempdir().expect("a temporary directory") }
    }

    #[track_caller]
    fn server(&self, args: &[&str]) -> Ran {
        run(&self.stand_in, self.home.path(), &[&["server"], args].concat())
    }

    /// The id of a new server for gmail.
    fn made(&self) -> String {
        let made =
            self.server(&["create", "Mail server", "--auth-config", "ac_demo_gmail", "--json"]);
        made.json()["id"].as_str().expect("an id").to_owned()
    }

    /// The only request since the last look.
    #[track_caller]
    fn request(&self) -> Seen {
        let mut seen = self.stand_in.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }
}

#[test]
fn every_operation_sends_the_documented_request() {
    let house = House::new();
    let id = house.made();
    let id = id.as_str();
    let account = house.stand_in.connect("ada", "gmail").expect("an app");
    let own = format!("/api/v3.1/mcp/{id}");
    let servers = "/api/v3.1/mcp/servers";
    let instances = format!("{servers}/{id}/instances");
    house.stand_in.seen();
    for (args, method, target, body) in [
        (
            vec![
                "create",
                "Good name",
                "--auth-config=ac_demo_gmail,ac_demo_github",
                "--tool",
                "GMAIL_SEND_EMAIL",
                "--no-auth-app=hackernews",
                "--managed-auth",
            ],
            "POST",
            servers.to_owned(),
            json!({ "name": "Good name", "auth_config_ids": ["ac_demo_gmail", "ac_demo_github"],
                "allowed_tools": ["GMAIL_SEND_EMAIL"], "no_auth_apps": ["hackernews"],
                "managed_auth_via_composio": true }),
        ),
        (
            vec![
                "create",
                "Good name",
                "--toolkit=slack",
                "--toolkit=gmail",
                "--managed-auth=false",
            ],
            "POST",
            format!("{servers}/custom"),
            json!({ "name": "Good name", "toolkits": ["slack", "gmail"],
                "managed_auth_via_composio": false }),
        ),
        (
            vec![
                "list",
                "--name=mail",
                "--toolkit=gmail,github",
                "--auth-config=ac_demo_gmail",
                "--order-by=updated_at",
                "--order=asc",
                "--page=1",
                "--limit=5",
            ],
            "GET",
            format!(
                "{servers}?name=mail&toolkits=gmail%2Cgithub&auth_config_ids=ac_demo_gmail\
                &order_by=updated_at&order_direction=asc&limit=5&page_no=1"
            ),
            Value::Null,
        ),
        (vec!["list", "--app=gmail"], "GET", "/api/v3.1/mcp/app/gmail".to_owned(), Value::Null),
        (vec!["show", id], "GET", own.clone(), Value::Null),
        (
            vec![
                "update",
                id,
                "--name=Other name",
                "--tool=GMAIL_SEND_EMAIL",
                "--toolkit=slack",
                "--auth-config=ac_demo_gmail",
                "--managed-auth=true",
            ],
            "PATCH",
            own.clone(),
            json!({ "name": "Other name", "allowed_tools": ["GMAIL_SEND_EMAIL"], "toolkits": ["slack"],
                "auth_config_ids": ["ac_demo_gmail"], "managed_auth_via_composio": true }),
        ),
        (
            vec![
                "generate",
                id,
                "--user=ada",
                "--user=bob",
                "--connected-account",
                &account,
                "--helper-actions",
            ],
            "POST",
            format!("{servers}/generate"),
            json!({ "mcp_server_id": id, "user_ids": ["ada", "bob"],
                "connected_account_ids": [account], "managed_auth_by_composio": true }),
        ),
        (
            vec!["instances", "create", id, "ada"],
            "POST",
            instances.clone(),
            json!({ "user_id": "ada" }),
        ),
        (
            vec!["instances", "list", id, "--search=ad", "--limit=3"],
            "GET",
            format!("{instances}?search=ad&limit=3"),
            Value::Null,
        ),
        (vec!["instances", id], "GET", instances.clone(), Value::Null),
        (
            vec!["instances", "delete", id, "ada", "--yes"],
            "DELETE",
            format!("{instances}/ada"),
            Value::Null,
        ),
        (vec!["delete", id, "--yes"], "DELETE", own.clone(), Value::Null),
    ] {
        house.server(&args).well();
        let request = house.request();
        assert_eq!((request.method.as_str(), &request.target), (method, &target), "{args:?}");
        assert_eq!(request.body, body, "{args:?}");
        let agent = request.headers["user-agent"].to_str().expect("text");
        assert!(agent.starts_with("composio-bridge/"), "{agent}");
    }
}

#[test]
fn every_operation_says_what_came_of_it() {
    let house = House::new();
    let made = house.server(&["create", "Mail server", "--auth-config", "ac_demo_gmail"]);
    let made = made.well();
    assert!(made.contains("server generate") && made.contains("migrate"), "{made}");
    let id = made.split_whitespace().nth(2).expect("an id");
    let url = format!("{}/v3/mcp/{id}", house.stand_in.base_url());
    house.stand_in.connect("ada", "gmail").expect("an app");
    for (args, words) in [
        (vec!["list"], vec![id, "Mail server", "gmail", "0 users"]),
        (vec!["list", "--name=nothing like it"], vec!["None."]),
        (vec!["show", &url], vec![id, "ac_demo_gmail", &url, "deprecated"]),
        (vec!["update", id, "--tool=GMAIL_SEND_EMAIL"], vec!["Changed", "GMAIL_SEND_EMAIL"]),
        (vec!["generate", id, "--user=ada"], vec!["ada  http", "?user_id=ada", "deprecated"]),
        (vec!["instances", "create", id, "ada"], vec!["Added ada"]),
        (vec!["instances", id], vec!["ada  20"]),
        (vec!["instances", "delete", id, "ada", "--yes"], vec!["with 1 connected account."]),
        (vec!["delete", id, "--yes"], vec!["Deleted"]),
    ] {
        let ran = house.server(&args);
        for word in words {
            assert!(ran.well().contains(word), "{args:?}: `{word}` is missing in {}", ran.stdout);
        }
    }
}

#[test]
fn generated_urls_work_with_the_transport_that_refuses_the_plural() {
    let house = House::new();
    let id = house.made();
    let account = house.stand_in.connect("ada", "gmail").expect("an app");
    let args = ["generate", &id, "--connected-account", &account, "--helper-actions", "--json"];
    let urls = house.server(&args).json();
    let url = urls["connected_account_urls"][0].as_str().expect("a URL");
    let query = format!("?connected_account_id={account}&include_composio_helper_actions=true");
    assert!(url.ends_with(&query), "{url}");
}

#[test]
fn lists_are_read_page_by_page_or_whole() {
    let house = House::new();
    for _ in 0..12 {
        house.made();
    }
    let first = house.server(&["list"]);
    assert_eq!(first.well().matches("Mail server").count(), 10);
    assert!(first.stdout.contains("`--page 2`"), "{}", first.stdout);
    let second = house.server(&["list", "--page=2"]);
    assert_eq!(second.well().matches("Mail server").count(), 2);
    let all = house.server(&["list", "--all", "--limit=5", "--json"]).json();
    assert_eq!(all["items"].as_array().map(Vec::len), Some(12));
}

#[test]
fn what_cannot_be_right_is_refused_before_anything_is_sent() {
    let house = House::new();
    let id = house.made();
    house.stand_in.seen();
    for (args, words) in [
        (vec!["create", "abc", "--toolkit=gmail"], "4 to 30"),
        (vec!["create", "under_score", "--toolkit=gmail"], "4 to 30"),
        (vec!["create", "Good name"], "nothing says what"),
        (vec!["create", "Good name", "--toolkit=a", "--no-auth-app=b"], "exclude each other"),
        (vec!["create", "Good name", "--auth-config=gmail=ac_1"], "without a toolkit"),
        (vec!["create", "Good name", "--auth-config=xx_1"], "begins with ac_"),
        (vec!["update", &id], "nothing says what"),
        (vec!["show", "no such thing"], "server list"),
        (vec!["show", "https://backend.composio.dev/tool_router/trs_1/mcp"], "server list"),
        (vec!["generate", &id], "--user"),
        (vec!["instances", "create", &id], "no user is named"),
        (vec!["instances", "delete", &id, "ada"], "connected accounts"),
        (vec!["delete", &id], "--yes"),
        (vec!["list", "--order=up"], "asc"),
    ] {
        house.server(&args).failed(2, &[words]);
        assert!(house.stand_in.seen().is_empty(), "{args:?}");
    }
}

#[test]
fn each_documented_error_is_told_for_each_operation() {
    let house = House::new();
    let id = house.made();
    for args in [
        vec!["create", "Good name", "--auth-config=ac_demo_gmail"],
        vec!["create", "Good name", "--toolkit=gmail"],
        vec!["list"],
        vec!["list", "--app=gmail"],
        vec!["show", &id],
        vec!["update", &id, "--name=Other name"],
        vec!["generate", &id, "--user=ada"],
        vec!["instances", "create", &id, "ada"],
        vec!["instances", "list", &id],
        vec!["instances", "delete", &id, "ada", "--yes"],
        vec!["delete", &id, "--yes"],
    ] {
        for (status, code, words) in [
            (400, 5, vec!["HTTP 400", "request id req_"]),
            (401, 4, vec!["HTTP 401", "key show", "MCP servers"]),
            (403, 4, vec!["HTTP 403"]),
            (404, 5, vec!["HTTP 404", "deleted"]),
            (409, 5, vec!["HTTP 409"]),
            (429, 5, vec!["HTTP 429", "Rate limit exceeded", "try again"]),
            (500, 5, vec!["HTTP 500", "request id req_"]),
            (502, 5, vec!["HTTP 502", "502 Bad Gateway"]),
        ] {
            let (path, retry_after) = (String::new(), "0".to_owned());
            house.stand_in.fail(Failure { times: 9, path, status, retry_after });
            let ran = house.server(&args);
            house.stand_in.heal();
            ran.failed(code, &words);
            assert!(ran.stdout.is_empty() && !ran.stderr.contains('<'), "{}", ran.stderr);
        }
    }
}

#[test]
fn what_the_api_itself_refuses_is_told_with_what_helps() {
    let house = House::new();
    let id = house.made();
    house.server(&["instances", "create", &id, "ada"]).failed(4, &["gmail", "migrate"]);
    house.stand_in.connect("ada", "gmail").expect("an app");
    house.server(&["instances", "create", &id, "ada"]).well();
    house.server(&["instances", "create", &id, "ada"]).failed(5, &["HTTP 409", "there already"]);
    house
        .server(&["create", "Good name", "--auth-config=ac_none"])
        .failed(5, &["ac_none not found"]);
    house.server(&["create", "Good name", "--toolkit=none"]).failed(5, &["\"none\" not found"]);
    house.server(&["show", "00000000-no-such-server"]).failed(5, &["HTTP 404", "not found"]);
    house
        .server(&["instances", "delete", &id, "nobody", "--yes"])
        .failed(5, &["HTTP 404", &format!("server instances {id}` lists the users")]);
    house.server(&["delete", &id, "--yes"]).well();
    house.server(&["delete", &id, "--yes"]).failed(5, &["HTTP 404", "server list"]);
}
