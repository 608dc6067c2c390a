use clap::{Args, Command, FromArgMatches};
use serde_json::json;

use super::{
    body::{Purpose, build},
    *,
};
use crate::cli::session::Configuration;

fn options(words: &[&str]) -> crate::cli::table::Options {
    let command = Configuration::augment_args(Command::new("x").no_binary_name(true));
    let matches = command.try_get_matches_from(words).expect("they are good");
    Configuration::from_arg_matches(&matches).expect("they are good").0
}

fn built(words: &[&str], document: Value) -> Result<Value, Error> {
    build(&options(words), Some(document), Purpose::Create)
}

#[test]
fn every_option_has_its_place_in_the_request() {
    for (words, expected) in [
        (vec![], json!({})),
        (
            vec!["--toolkit", "gmail", "--toolkit=github,slack"],
            json!({"toolkits": {"enable": ["gmail", "github", "slack"]}}),
        ),
        (vec!["--disable-toolkit=exa"], json!({"toolkits": {"disable": ["exa"]}})),
        (
            vec!["--tool=GMAIL_SEND_EMAIL", "--tool=google_maps:MAP_IT", "--tool=GMAIL_READ"],
            json!({"tools": {
                "gmail": {"enable": ["GMAIL_SEND_EMAIL", "GMAIL_READ"]},
                "google_maps": {"enable": ["MAP_IT"]},
            }}),
        ),
        (
            vec!["--disable-tool=GMAIL_SEND_EMAIL"],
            json!({"tools": {"gmail": {"disable": ["GMAIL_SEND_EMAIL"]}}}),
        ),
        (
            vec!["--tag=readOnlyHint", "--disable-tag=destructiveHint"],
            json!({"tags": {"enable": ["readOnlyHint"], "disable": ["destructiveHint"]}}),
        ),
        (
            vec!["--require-approval=gmail,GITHUB_MERGE,destructiveHint"],
            json!({
                "toolkits": {"require_approval": ["gmail"]},
                "tools": {"github": {"require_approval": ["GITHUB_MERGE"]}},
                "tags": {"require_approval": ["destructiveHint"]},
            }),
        ),
        (vec!["--auth-config=Gmail=ac_1"], json!({"auth_configs": {"gmail": "ac_1"}})),
        (
            vec!["--connected-account=gmail=ca_1"],
            json!({"connected_accounts": {"gmail": ["ca_1"]}}),
        ),
        (
            vec!["--connected-account=gmail=ca_1,gmail=ca_2", "--multi-account"],
            json!({
                "connected_accounts": {"gmail": ["ca_1", "ca_2"]},
                "multi_account": {"enable": true},
            }),
        ),
        (
            vec!["--multi-account=false", "--max-accounts=3", "--choose-account", "true"],
            json!({"multi_account": {
                "enable": false, "max_accounts_per_toolkit": 3, "require_explicit_selection": true,
            }}),
        ),
        (
            vec![
                "--manage-connections=true",
                "--callback-url=https://h/",
                "--remove-connections=false",
                "--wait-for-connections",
            ],
            json!({"manage_connections": {
                "enable": true, "callback_url": "https://h/",
                "enable_connection_removal": false, "enable_wait_for_connections": true,
            }}),
        ),
        (
            vec!["--workbench=true", "--sandbox-size=large", "--proxy-execute"],
            json!({
                "workbench": {"enable": true, "sandbox_size": "large"},
                "proxy_execute": {"enable": true},
            }),
        ),
        (vec!["--preload=A_B,C_D"], json!({"preload": {"tools": ["A_B", "C_D"]}})),
        (
            vec!["--search=false", "--multi-execute=false"],
            json!({"search": {"enable": false}, "execute": {"enable_multi_execute": false}}),
        ),
        (
            vec!["--timezone=Europe/London", "--permissions=ask_every_call"],
            json!({"experimental": {
                "assistive_prompt_config": {"user_timezone": "Europe/London"},
                "permissions": {"default": "ask_every_call"},
            }}),
        ),
        (vec!["--saved-config=sc_1"], json!({"experimental": {"session_config_id": "sc_1"}})),
        (
            vec!["--preset=direct-tools", "--toolkit=gmail", "--workbench=true"],
            json!({
                "toolkits": {"enable": ["gmail"]},
                "search": {"enable": false},
                "execute": {"enable_multi_execute": false},
                "preload": {"tools": "all"},
                "manage_connections": {"enable": false},
                "workbench": {"enable": true},
            }),
        ),
    ] {
        let mut expected = expected;
        expected["user_id"] = json!("u");
        let all = [vec!["--user=u"], words.clone()].concat();
        assert_eq!(build(&options(&all), None, Purpose::Create), Ok(expected), "{words:?}");
    }
}

#[test]
fn options_win_over_the_file_and_leave_the_rest_of_it() {
    let document = json!({
        "user_id": "file",
        "toolkits": {"disable": ["exa"], "require_approval": ["gmail"]},
        "tools": {"gmail": {"disable": ["A"], "require_approval": ["B"]}, "slack": {"enable": ["C"]}},
        "tags": ["readOnlyHint"],
        "connected_accounts": {"gmail": ["ca_1"], "slack": ["ca_2"]},
        "workbench": {"enable": true, "auto_offload_threshold": 9},
        "hooks": [{"id": "h"}],
        "instant": false,
        "of_the_future": {"enabled": 1},
    });
    let words = [
        "--user=me",
        "--toolkit=gmail",
        "--tool=GMAIL_X",
        "--connected-account=gmail=ca_9",
        "--workbench=false",
        "--require-approval=destructiveHint",
    ];
    let expected = json!({
        "user_id": "me",
        "toolkits": {"enable": ["gmail"], "require_approval": ["gmail"]},
        "tools": {
            "gmail": {"enable": ["GMAIL_X"], "require_approval": ["B"]},
            "slack": {"enable": ["C"]},
        },
        "tags": {"enable": ["readOnlyHint"], "require_approval": ["destructiveHint"]},
        "connected_accounts": {"gmail": ["ca_9"], "slack": ["ca_2"]},
        "workbench": {"enable": false, "auto_offload_threshold": 9},
        "hooks": [{"id": "h"}],
        "instant": false,
        "of_the_future": {"enabled": 1},
    });
    assert_eq!(built(&words, document.clone()), Ok(expected));
    assert_eq!(built(&[], document.clone()), Ok(document));
}

#[test]
fn what_is_certainly_wrong_is_said_before_it_is_sent() {
    let of = |member: &str, value: Value| json!({"user_id": "SECRET", member: value});
    for (document, parts) in [
        (json!([]), vec!["--session-config", "no JSON object"]),
        (json!({}), vec!["needs a user", "--user"]),
        (of("user_id", json!(" ")), vec!["needs a user"]),
        (of("session_id", json!("trs_1")), vec!["an answer of the API", "`config`"]),
        (
            of("toolkits", json!({"enabled": ["SECRET"]})),
            vec!["toolkits.enabled", "write `enable`"],
        ),
        (
            of("tools", json!({"gmail": {"disabled": []}})),
            vec!["tools.gmail.disabled", "`disable`"],
        ),
        (
            of("tools", json!({"gmail": {"tags": {"enabled": []}}})),
            vec!["tools.gmail.tags.enabled", "`enable`"],
        ),
        (of("manage_connections", json!({"enabled": true})), vec!["manage_connections.enabled"]),
        (
            of("workbench", json!({"proxy_execution_enabled": true})),
            vec!["workbench.proxy_execution_enabled", "`enable_proxy_execution`"],
        ),
        (of("workbench", json!("SECRET")), vec!["`workbench`", "no JSON object"]),
        (of("tools", json!({"gmail": ["SECRET"]})), vec!["tools.gmail", "no JSON object"]),
        (of("toolkits", json!({"enable": [], "disable": []})), vec!["takes one"]),
        (of("tags", json!(["SECRET"])), vec!["`tags`", "readOnlyHint"]),
        (of("tags", json!({"enable": ["readonly"]})), vec!["`tags`"]),
        (of("auth_configs", json!({"gmail": "SECRET"})), vec!["auth_configs.gmail", "ac_"]),
        (of("connected_accounts", json!({"gmail": "ca_1"})), vec!["no list"]),
        (of("connected_accounts", json!({"gmail": ["SECRET"]})), vec!["ca_"]),
        (
            of("connected_accounts", json!({"gmail": ["ca_1", "ca_2"]})),
            vec!["one account", "--multi-account"],
        ),
        (of("multi_account", json!({"max_accounts_per_toolkit": 11})), vec!["2 to 10"]),
        (of("manage_connections", json!({"callback_url": "SECRET"})), vec!["https://"]),
        (
            json!({"user_id": "u", "proxy_execute": {"enable": false},
                   "workbench": {"enable_proxy_execution": true}}),
            vec!["`proxy_execute.enable` is false"],
        ),
        (of("preload", json!({"tools": "all"})), vec!["`all` needs", "--toolkit"]),
        (of("experimental", json!({"session_config_id": "SECRET"})), vec!["sc_"]),
        (
            json!({"user_id": "u", "tags": [], "experimental": {"session_config_id": "sc_1"}}),
            vec!["`tags`", "exclude each other"],
        ),
        (
            of("experimental", json!({"session_config_id": "sc_1", "custom_tools": []})),
            vec!["`custom_tools`", "exclude each other"],
        ),
    ] {
        let report = built(&[], document.clone()).expect_err(&document.to_string()).report();
        for part in parts {
            assert!(report.contains(part), "{document}: {report} lacks {part}");
        }
        assert!(!report.contains("SECRET"), "{report}");
    }
}

#[test]
fn options_that_cannot_be_used_are_named_and_not_shown() {
    for (words, part) in [
        (vec!["--toolkit=a", "--disable-toolkit=b"], "exclude each other"),
        (vec!["--tool=A_B", "--disable-tool=A_C"], "exclude each other"),
        (vec!["--tool=SECRET"], "does not tell the toolkit"),
        (vec!["--tool=:SECRET"], "does not tell the toolkit"),
        (vec!["--auth-config=SECRET"], "TOOLKIT=ID"),
        (vec!["--connected-account=gmail="], "TOOLKIT=ID"),
        (vec!["--preset=direct-tools"], "`all` needs"),
    ] {
        let all = [vec!["--user=u"], words.clone()].concat();
        let report = build(&options(&all), None, Purpose::Create).expect_err(part).report();
        assert!(report.contains(part) && !report.contains("SECRET"), "{words:?}: {report}");
    }
}

#[test]
fn a_change_names_what_changes_and_no_user() {
    let change = |words: &[&str], clear: &[&str], document| {
        let mut options = options(words);
        options.set("clear", clear.iter().map(|part| (*part).to_owned()));
        build(&options, document, Purpose::Update)
    };
    assert_eq!(
        change(&["--workbench=false"], &["multi-account"], None),
        Ok(json!({"workbench": {"enable": false}, "multi_account": null}))
    );
    assert_eq!(
        change(&["--preload=all"], &[], None),
        Ok(json!({"preload": {"tools": "all"}})),
        "what is allowed may be stored already"
    );
    for (words, clear, document, part) in [
        (vec![], vec![], None, "nothing to change"),
        (vec!["--user=u"], vec![], None, "cannot be changed"),
        (vec![], vec![], Some(json!({"user_id": "u"})), "cannot be changed"),
        (vec!["--timezone=UTC"], vec![], None, "when the session is made"),
        (vec![], vec!["SECRET"], None, "connected_accounts, manage_connections"),
    ] {
        let report = change(&words, &clear, document).expect_err(part).report();
        assert!(report.contains(part) && !report.contains("SECRET"), "{report}");
    }
}

#[tokio::test]
async fn whoever_holds_the_lock_for_ever_holds_nobody_up() {
    let home = tempfile::tempdir().expect("a directory");
    let store = Store::below(home.path());
    let patience = Duration::from_millis(20);
    let held = lock(Some(&store), Duration::from_secs(60)).await;
    assert!(held.is_some() && lock(Some(&store), patience).await.is_none());
    drop(held);
    assert!(lock(Some(&store), Duration::from_secs(60)).await.is_some());
    assert!(lock(None, patience).await.is_none());
}
