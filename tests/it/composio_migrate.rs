//! `composio-bridge migrate` against the stand-in: from an MCP server to the session that replaces
//! it, and in the clients' configurations.

use std::{fs, path::Path};

use composio_bridge::demo::composio::{Failure, StandIn};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    bridge::Bridge,
    composio::{Ran, run},
};

struct House {
    stand_in: StandIn,
    home: TempDir,
    /// The id of a server with some tools of two apps.
    id: String,
}

impl House {
    fn new() -> Self {
        let stand_in = StandIn::start().expect("a loopback port is free");
        let home = tempfile::tempdir().expect("a temporary directory");
        let create = [
            "server",
            "create",
            "Two apps",
            "--auth-config=ac_demo_gmail,ac_demo_github",
            "--tool=GMAIL_SEND_EMAIL,GITHUB_STAR_A_REPOSITORY",
            "--json",
        ];
        let made = run(&stand_in, home.path(), &create).json();
        let id = made["id"].as_str().expect("an id").to_owned();
        House { stand_in, home, id }
    }

    #[track_caller]
    fn migrate(&self, args: &[&str]) -> Ran {
        run(&self.stand_in, self.home.path(), &[&["migrate"], args].concat())
    }

    fn old_url(&self, user: &str) -> String {
        format!("{}/v3/mcp/{}?user_id={user}", self.stand_in.base_url(), self.id)
    }

    /// Writes a file below home.
    fn put(&self, path: &str, text: &str) {
        let path = self.home.path().join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.home.path().join(path)).expect("a file")
    }
}

/// Where a client of a desktop keeps its configuration on this system.
fn base() -> &'static str {
    match () {
        () if cfg!(windows) => "AppData/Roaming",
        () if cfg!(target_os = "macos") => "Library/Application Support",
        () => ".config",
    }
}

#[test]
fn a_session_with_the_same_tools_and_auth_configs_is_made_once() {
    let house = House::new();
    house.stand_in.seen();
    let first = house.migrate(&[&house.id, "--user", "ada", "--json"]).json();
    let seen = house.stand_in.seen();
    let created = seen.iter().find(|request| request.target == "/api/v3.1/tool_router/session");
    assert_eq!(
        created.expect("a session is made").body,
        json!({
            "user_id": "ada",
            "toolkits": { "enable": ["gmail", "github"] },
            "tools": {
                "gmail": { "enable": ["GMAIL_SEND_EMAIL"] },
                "github": { "enable": ["GITHUB_STAR_A_REPOSITORY"] },
            },
            "preload": { "tools": ["GMAIL_SEND_EMAIL", "GITHUB_STAR_A_REPOSITORY"] },
            "auth_configs": { "gmail": "ac_demo_gmail", "github": "ac_demo_github" },
        })
    );
    assert_eq!(first["old_url"], house.old_url("ada"));
    let again = house.migrate(&[&house.old_url("ada")]);
    let id = first["session_id"].as_str().expect("an id");
    for word in [id, "old URL", "new URL", first["new_url"].as_str().expect("a URL")] {
        assert!(again.well().contains(word), "`{word}` is missing in {}", again.stdout);
    }
    // A session that is gone meanwhile is made anew.
    assert!(house.stand_in.delete_session(id));
    let anew = house.migrate(&[&house.id, "--user=ada", "--json"]).json();
    assert_eq!(house.stand_in.sessions(), [anew["session_id"].as_str().expect("an id")]);
    assert_ne!(anew["session_id"], id);
}

#[test]
fn what_is_said_on_the_command_line_is_stronger_than_what_the_server_has() {
    let house = House::new();
    let account = house.stand_in.connect("ada", "gmail").expect("an app");
    let pair = format!("gmail={account}");
    let args = [
        house.id.as_str(),
        "--user=ada",
        "--preset=direct-tools",
        "--connected-account",
        &pair,
        "--dry-run",
        "--json",
    ];
    house.stand_in.seen();
    let planned = house.migrate(&args).json();
    assert!(house.stand_in.sessions().is_empty(), "a dry run makes nothing");
    assert!(house.stand_in.seen().iter().all(|request| request.method == "GET"));
    let body = &planned["configuration"];
    assert_eq!(body["connected_accounts"], json!({ "gmail": [account] }));
    assert_eq!(
        (&body["search"]["enable"], &body["workbench"]["enable"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(planned["session_id"], Value::Null);
    let told = house.migrate(&[&house.id, "--user=ada", "--dry-run"]);
    assert!(told.well().contains("would replace the MCP server Two apps"), "{}", told.stdout);
}

#[test]
fn the_url_is_swapped_in_the_configurations_of_all_clients_and_nothing_else() {
    let house = House::new();
    let (old, bob) = (house.old_url("ada"), house.old_url("bob"));
    let desktop = format!("{}/Claude/claude_desktop_config.json", base());
    let code = format!("{}/Code/User/mcp.json", base());
    let texts = [
        (
            desktop.as_str(),
            format!(
                "{{\r\n  // mine \"{old}\"\r\n  \"mcpServers\": {{\"c\": {{\"command\": \"npx\", \"args\": \
             [\"-y\", \"mcp-remote\", \"{old}\", \"--header\", \"x-api-key:SECRET\"],}}}}\r\n}}"
            ),
        ),
        (
            ".claude.json",
            format!(
                "{{\"projects\":{{\"/x\":{{\"mcpServers\":{{\"c\":{{\"url\":\"{old}\"}}}}}}}}}}"
            ),
        ),
        (
            ".cursor/mcp.json",
            format!(
                "{{\"mcpServers\": {{\"a\": {{\"url\": \"{old}\"}}, \"b\": {{\"url\": \"{bob}\"}}}}}}\n"
            ),
        ),
        (code.as_str(), format!("{{\"servers\": {{\"c\": {{\"args\": [\"{old}\"]}}}}}}")),
        (
            ".codeium/windsurf/mcp_config.json",
            format!(
                "{{\"mcpServers\": {{\"c\": {{\"serverUrl\": \"{}\"}}}}}}",
                old.replace('/', "\\/")
            ),
        ),
        (".lmstudio/mcp.json", format!("[\"{old}\"]")),
        (".mcp.json", format!("[\"{old}\"]")),
        (".vscode/mcp.json", format!("[\"{old}\"]")),
        ("elsewhere.json", format!("[\"{old}\"]")),
    ];
    for (path, text) in &texts {
        house.put(path, text);
    }
    house.put(".cursor/mcp.json.bak", "an older backup");
    let elsewhere = house.home.path().join("elsewhere.json");
    let args = [house.id.as_str(), "--user=ada", "--file", elsewhere.to_str().expect("text")];
    let looked = house.migrate(&args);
    assert_eq!(looked.well().matches(": 1 to change").count(), texts.len(), "{}", looked.stdout);
    let dry = house.migrate(&[&args[..], &["--apply", "--dry-run"]].concat());
    assert!(dry.well().contains("Nothing was changed."), "{}", dry.stdout);
    for (path, text) in &texts {
        assert_eq!(&house.read(path), text, "only --apply changes anything");
    }
    let applied = house.migrate(&[&args[..], &["--apply", "--json"]].concat()).json();
    let new = applied["new_url"].as_str().expect("a URL");
    for (path, text) in &texts {
        let escaped = old.replace('/', "\\/");
        let mut expected = text.replace(&old, new).replace(&escaped, new);
        // What stands in a comment stays.
        expected = expected.replace(&format!("mine \"{new}\""), &format!("mine \"{old}\""));
        assert_eq!(house.read(path), expected, "{path}");
        let backup = if *path == ".cursor/mcp.json" { ".bak2" } else { ".bak" };
        assert_eq!(&house.read(&format!("{path}{backup}")), text, "{path}");
    }
    assert_eq!(house.read(".cursor/mcp.json.bak"), "an older backup");
    let cursor =
        applied["files"].as_array().expect("files").iter().find(|file| file["of_others"] == 1);
    assert!(cursor.is_some_and(|file| file["client"] == "Cursor"), "{applied}");
    let again = house.migrate(&[&args[..], &["--apply"]].concat());
    assert!(!again.well().contains("changed"), "{}", again.stdout);
}

#[cfg(unix)]
#[test]
fn modes_and_links_stay_and_the_backup_is_no_more_readable() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let house = House::new();
    house.put("dotfiles/mcp.json", &format!("[\"{}\"]", house.old_url("ada")));
    let real = house.home.path().join("dotfiles/mcp.json");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("set");
    fs::create_dir(house.home.path().join(".cursor")).expect("made");
    let link = house.home.path().join(".cursor/mcp.json");
    symlink(&real, &link).expect("linked");
    house.migrate(&[&house.id, "--user=ada", "--apply"]).well();
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(
        (mode(&real), mode(&house.home.path().join("dotfiles/mcp.json.bak"))),
        (0o640, 0o640)
    );
    assert!(house.read("dotfiles/mcp.json").contains("/tool_router/trs_"));
}

/// Whoever took the right to write away meant it.
#[test]
fn a_configuration_that_is_read_only_is_left_alone() {
    let house = House::new();
    let before = format!("[\"{}\"]", house.old_url("ada"));
    house.put(".cursor/mcp.json", &before);
    let path = house.home.path().join(".cursor/mcp.json");
    let set = |readonly| {
        let mut permissions = fs::metadata(&path).expect("there").permissions();
        permissions.set_readonly(readonly);
        fs::set_permissions(&path, permissions).expect("set");
    };
    set(true);
    let ran = house.migrate(&[&house.id, "--user=ada", "--apply"]);
    ran.failed(1, &["not every configuration could be changed", "by hand"]);
    assert!(ran.stdout.contains("it is read-only"), "{}", ran.stdout);
    assert_eq!(house.read(".cursor/mcp.json"), before);
    set(false);
    house.migrate(&[&house.id, "--user=ada", "--apply"]).well();
    assert_ne!(house.read(".cursor/mcp.json"), before);
}

/// Strings in double quotes are alike in JSON, TOML and YAML; all else is for the person.
#[test]
fn other_notations_are_changed_where_that_is_certain_and_named_otherwise() {
    let house = House::new();
    let url = house.old_url("ada");
    let toml = format!("# it's mine\n[mcp_servers.c]\ncommand = \"x\"\nargs = [\"{url}\"]\n");
    house.put(".codex/config.toml", &toml);
    let yaml = format!("extensions:\n  c: {{cmd: x, args: [-y, {url}]}}\n");
    house.put(".config/goose/config.yaml", &yaml);
    let ran = house.migrate(&[&house.id, "--user=ada", "--apply"]);
    let told = ran.well();
    assert!(told.contains("(Goose): names the server otherwise"), "{told}");
    let changed = house.read(".codex/config.toml");
    let new = changed.split('"').nth(3).expect("a URL").to_owned();
    assert!(new.contains("/tool_router/trs_"), "{changed}");
    assert_eq!(changed, toml.replace(&url, &new));
    assert_eq!(house.read(".config/goose/config.yaml"), yaml);
    let listed = house.migrate(&[&house.id, "--user=ada", "--json"]).json();
    assert_eq!(listed["files"][0]["by_hand"], true, "{listed}");
    let again = house.migrate(&[&house.id, "--user=ada"]);
    assert!(!again.well().contains("No client's"), "{}", again.stdout);
}

#[test]
fn a_configuration_that_cannot_be_read_is_named_and_loses_nothing() {
    let house = House::new();
    let broken = format!("{{\"url\": \"{}\", \"no end", house.old_url("ada"));
    house.put(".cursor/mcp.json", &broken);
    house.put(".lmstudio/mcp.json", "{\"broken");
    house.put(".mcp.json", &format!("[\"{}\"]", house.old_url("ada")));
    let ran = house.migrate(&[&house.id, "--user=ada", "--apply"]);
    ran.failed(1, &["not every configuration could be changed"]);
    assert!(
        ran.stdout.contains("it cannot be made out") && !ran.stdout.contains("lmstudio"),
        "{}",
        ran.stdout
    );
    assert_eq!(house.read(".cursor/mcp.json"), broken);
    assert!(house.read(".mcp.json").contains("/tool_router/trs_"), "the others are changed");
    let named = house.migrate(&[&house.id, "--user=ada", "--file=/no/such/file", "--apply"]);
    named.failed(1, &["not every configuration"]);
}

#[test]
fn what_keeps_it_from_being_done_is_told() {
    let house = House::new();
    house.migrate(&[&house.id]).failed(2, &["no user is named", "--user"]);
    house.migrate(&["nothing", "--user=ada"]).failed(2, &["server list"]);
    house.migrate(&["00000000-no-such-server", "--user=ada"]).failed(5, &["HTTP 404"]);
    for (path, status, code, words) in [
        ("/mcp/", 401, 4, "could not look up the MCP server"),
        ("/auth_configs/", 403, 4, "could not look up an auth config"),
        ("/tool_router/session", 500, 5, "could not create the Composio session"),
        ("/tool_router/session", 429, 5, "Rate limit exceeded"),
    ] {
        let (path, retry_after) = (path.to_owned(), "0".to_owned());
        house.stand_in.fail(Failure { times: 9, path, status, retry_after });
        house.migrate(&[&house.id, "--user=ada"]).failed(code, &[words]);
        house.stand_in.heal();
    }
}

/// The older documents' migration: the entry of an MCP server becomes that of a session, and the
/// bridge behind it goes on serving the same tools.
#[test]
fn migration_from_an_mcp_server_to_the_session_that_replaces_it() {
    let house = House::new();
    house.stand_in.connect("ada", "github").expect("an app");
    let key = house.stand_in.key(composio_bridge::demo::composio::KeyKind::Project);
    let use_tool = |url: &str| {
        let base = house.stand_in.base_url();
        let setup = Bridge::to(url).env("COMPOSIO_API_KEY", &key).env("COMPOSIO_BASE_URL", base);
        let mut bridge = setup.spawn();
        bridge.handshake("2025-11-25");
        bridge.send(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        let tools = bridge.answer_to("1");
        let names = tools["result"]["tools"].as_array().expect("tools");
        let has = names.iter().any(|tool| tool["name"] == "GITHUB_STAR_A_REPOSITORY");
        let arguments = json!({ "owner": "a", "repo": "b" });
        let params = json!({ "name": "GITHUB_STAR_A_REPOSITORY", "arguments": arguments });
        bridge.send(
            json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params })
                .to_string(),
        );
        let answer = bridge.answer_to("2");
        assert!(has && answer["result"]["isError"] == false, "{tools} {answer}");
        bridge.finish();
    };
    use_tool(&house.old_url("ada"));
    let migrated = house.migrate(&[&house.id, "--user=ada", "--json"]).json();
    use_tool(migrated["new_url"].as_str().expect("a URL"));
}
