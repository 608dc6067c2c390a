//! The examples of Composio's older documents, each done with our commands: a test is named after
//! what it stands for. The last of them, the migration, is in `composio_migrate`.

use composio_bridge::demo::composio::{KeyKind, Seen, StandIn};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    bridge::{Bridge, Setup},
    composio::{Ran, api, run},
};

struct House {
    stand_in: StandIn,
    home: TempDir,
}

impl House {
    fn new() -> Self {
        let stand_in = StandIn::start().expect("a loopback port is free");
        stand_in.connect("ada", "gmail").expect("an app");
        House { stand_in, home: tempfile::tempdir().expect("a temporary directory") }
    }

    #[track_caller]
    fn run(&self, args: &[&str]) -> Ran {
        run(&self.stand_in, self.home.path(), args)
    }

    fn key(&self) -> String {
        self.stand_in.key(KeyKind::Project)
    }

    /// A bridge to this URL, which knows nothing but where Composio is.
    fn bridge(&self, url: &str) -> Setup {
        Bridge::to(url).env("COMPOSIO_BASE_URL", self.stand_in.base_url())
    }

    /// The URL of a session that shows gmail's tools.
    fn session(&self) -> String {
        let body = json!({ "user_id": "ada", "toolkits": { "enable": ["gmail"] },
            "preload": { "tools": "all" } });
        api(&self.stand_in, "POST", "tool_router/session", &body).text_at("/mcp/url")
    }

    /// What the endpoints have seen; each request carried one credential, the project's key.
    #[track_caller]
    fn seen_with_one_credential(&self) -> Vec<Seen> {
        let seen = self.stand_in.seen();
        for request in &seen {
            let names = ["x-api-key", "x-user-api-key", "x-consumer-api-key", "authorization"];
            let brought = names.into_iter().filter(|name| request.headers.contains_key(*name));
            assert_eq!(brought.collect::<Vec<_>>(), ["x-api-key"], "{}", request.target);
            assert_eq!(request.headers["x-api-key"], self.key().as_str());
        }
        seen
    }
}

/// Lists the tools and calls one; its names.
fn use_tools(bridge: &mut Bridge) -> Vec<String> {
    bridge.handshake("2025-11-25");
    bridge.send(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    let tools = bridge.answer_to("1");
    let params = json!({ "name": "GMAIL_FETCH_EMAILS", "arguments": { "query": "engine" } });
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params });
    bridge.send(call.to_string());
    let answer = bridge.answer_to("2");
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    let tools = tools["result"]["tools"].as_array().expect("tools").clone();
    tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect()
}

#[test]
fn claude_desktop_entry_with_a_header_x_api_key() {
    let house = House::new();
    // "args": ["mcp-remote", URL, "--header", "x-api-key:KEY"]; some clients split what has a space.
    let key = house.key();
    let (plain, split) = (format!("x-api-key:{key}"), vec!["x-api-key:".into(), key.clone()]);
    let named = "x-api-key:${MY_KEY}".to_owned();
    for (header, is_silent) in [(vec![plain], false), (split, false), (vec![named], true)] {
        let url = house.session();
        house.stand_in.seen();
        let setup = house.bridge(&url).env("MY_KEY", &key).arg("--header");
        let mut bridge = header.into_iter().fold(setup, Setup::arg).spawn();
        assert!(use_tools(&mut bridge).contains(&"GMAIL_SEND_EMAIL".to_owned()));
        let said = bridge.end();
        assert!(!said.contains(&key) && said.is_empty() == is_silent, "{said}");
        assert!(house.seen_with_one_credential().len() >= 3);
    }
}

#[test]
fn cursor_entry_with_the_key_in_the_environment() {
    let house = House::new();
    // {"command": "composio-bridge", "args": [URL], "env": {"COMPOSIO_API_KEY": KEY}}
    let url = house.session();
    house.stand_in.seen();
    let mut bridge = house.bridge(&url).env("COMPOSIO_API_KEY", house.key()).spawn();
    assert!(use_tools(&mut bridge).contains(&"COMPOSIO_SEARCH_TOOLS".to_owned()));
    bridge.finish();
    house.seen_with_one_credential();
}

#[test]
fn custom_sdk_client_that_speaks_with_the_url_of_an_mcp_server() {
    let house = House::new();
    let create = ["server", "create", "Gmail server", "--auth-config=ac_demo_gmail", "--json"];
    let id = house.run(&create).json()["id"].as_str().expect("an id").to_owned();
    let generated = house.run(&["server", "generate", &id, "--user=ada", "--json"]).json();
    let url = generated["user_ids_url"][0].as_str().expect("a URL");
    house.stand_in.seen();
    let mut bridge = house.bridge(url).env("COMPOSIO_API_KEY", house.key()).spawn();
    assert_eq!(use_tools(&mut bridge).len(), 4);
    bridge.finish();
    // The URL leads on to the transport's, with the body and the key.
    let seen = house.seen_with_one_credential();
    let transport = format!("/v3/mcp/{id}/mcp?user_id=ada");
    assert!(seen.iter().any(|request| request.target == transport && request.method == "POST"));
}

#[test]
fn create_generate_update_restrict_and_delete_a_server() {
    let house = House::new();
    let create = [
        "server",
        "create",
        "Gmail Readonly Server",
        "--auth-config=ac_demo_gmail",
        "--tool=GMAIL_FETCH_EMAILS",
        "--json",
    ];
    let server = house.run(&create).json();
    let id = server["id"].as_str().expect("an id");
    let urls = house.run(&["server", "generate", id, "--user=user_123", "--json"]).json();
    let url = format!("{}/v3/mcp/{id}?user_id=user_123", house.stand_in.base_url());
    assert_eq!(urls["user_ids_url"], json!([url]));
    let update = [
        "server",
        "update",
        id,
        "--name=Gmail and GitHub",
        "--toolkit=gmail,github",
        "--auth-config=ac_demo_gmail,ac_demo_github",
        "--json",
    ];
    let updated = house.run(&update).json();
    assert_eq!(
        (&updated["name"], &updated["toolkits"]),
        (&json!("Gmail and GitHub"), &json!(["gmail", "github"]))
    );
    let restrict = [
        "server",
        "update",
        id,
        "--tool=GMAIL_FETCH_EMAILS,GITHUB_LIST_REPOSITORY_ISSUES",
        "--json",
    ];
    let tools = json!(["GMAIL_FETCH_EMAILS", "GITHUB_LIST_REPOSITORY_ISSUES"]);
    assert_eq!(house.run(&restrict).json()["allowed_tools"], tools);
    let own = format!("{}/v3/mcp/{id}?user_id=ada", house.stand_in.base_url());
    let mut bridge = house.bridge(&own).env("COMPOSIO_API_KEY", house.key()).spawn();
    assert_eq!(json!(use_tools(&mut bridge)), tools);
    bridge.finish();
    assert_eq!(house.run(&["server", "delete", id, "--yes", "--json"]).json()["deleted"], true);
    house.run(&["server", "show", id]).failed(5, &["HTTP 404"]);
}

#[test]
fn generate_with_custom_parameters() {
    let house = House::new();
    let create = ["server", "create", "Gmail server", "--auth-config=ac_demo_gmail", "--json"];
    let id = house.run(&create).json()["id"].as_str().expect("an id").to_owned();
    let account = house.stand_in.connect("bob", "gmail").expect("an app");
    let generate = [
        "server",
        "generate",
        &id,
        "--user=ada,carol",
        "--connected-account",
        &account,
        "--helper-actions",
        "--json",
    ];
    let urls = house.run(&generate).json();
    let url = |query: String| {
        let base = house.stand_in.base_url();
        Value::from(format!("{base}/v3/mcp/{id}?{query}&include_composio_helper_actions=true"))
    };
    assert_eq!(
        urls["user_ids_url"],
        json!([url("user_id=ada".into()), url("user_id=carol".into())])
    );
    let by_account = url(format!("connected_account_id={account}"));
    assert_eq!(urls["connected_account_urls"], json!([by_account]));
    let mut bridge = house
        .bridge(by_account.as_str().expect("text"))
        .env("COMPOSIO_API_KEY", house.key())
        .spawn();
    assert!(use_tools(&mut bridge).len() >= 4);
    bridge.finish();
}
