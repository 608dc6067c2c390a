//! The session commands with the stand-in for Composio's API, one after the other as a person would.

use std::{
    thread,
    time::{Duration, Instant},
};

use composio_bridge::demo::composio::{Failure, KeyKind, StandIn};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    DEADLINE,
    composio::exchange,
    platform::{Ran, run_at},
};

/// The stand-in, and somebody who uses it.
struct Walk {
    stand_in: StandIn,
    key: String,
    home: TempDir,
}

impl Walk {
    fn start() -> Self {
        let stand_in = StandIn::start().expect("a loopback port is free");
        let key = stand_in.key(KeyKind::Project);
        Walk { stand_in, key, home: tempfile::tempdir().expect("a directory") }
    }

    fn run(&self, words: &[&str]) -> Ran {
        let (base, key) = (self.stand_in.base_url(), self.key.as_str());
        let variables = [("COMPOSIO_BASE_URL", base.as_str()), ("COMPOSIO_API_KEY", key)];
        let ran = run_at(self.home.path(), &[&["session"], words].concat(), &variables, "");
        assert!(!ran.stdout.contains(key) && !ran.stderr.contains(key), "{ran:?}");
        ran
    }

    /// Waits until a link is asked for that nobody has looked at yet.
    fn await_link(&self) {
        let end = Instant::now() + DEADLINE;
        while !self.stand_in.seen().iter().any(|one| one.target.ends_with("/link")) {
            assert!(Instant::now() < end, "no link was asked for");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn json(&self, words: &[&str]) -> Value {
        self.run(&[words, &["--json"]].concat()).json()
    }
}

const MAIL: &str = r#"{"recipient_email":"a@b.example","body":"Hello","subject":"Hi"}"#;

/// From a key to a tool's result, and to the end of the session.
#[test]
fn a_person_walks_from_a_session_to_a_sent_mail() {
    let walk = Walk::start();
    let made = walk.json(&["create", "--user=u1", "--toolkit=gmail,github"]);
    let id = made["session_id"].as_str().expect("an id").to_owned();
    assert_eq!(walk.stand_in.sessions(), [id.as_str()]);
    assert_eq!(made["config"]["toolkits"]["enabled"], json!(["gmail", "github"]));

    let send = ["execute", "GMAIL_SEND_EMAIL", "--arguments", MAIL];
    let report = walk.run(&send);
    assert_eq!(report.code, Some(5), "{report:?}");
    assert!(walk.run(&["toolkits"]).healthy().contains("gmail   not connected"));

    let link = walk.json(&["authorize", "gmail"]);
    let url = link["redirect_url"].as_str().expect("a link").to_owned();
    let page = url.strip_prefix(&walk.stand_in.base_url()).expect("its own page");
    walk.stand_in.seen();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| walk.run(&["authorize", "github", "--wait", "--timeout=20"]));
        assert_eq!(exchange(&walk.stand_in, "GET", page, &[], "").status, 200);
        walk.await_link();
        walk.stand_in.connect("u1", "github").expect("an app of its own");
        let text = waiting.join().expect("it ends").healthy();
        assert!(text.contains("Connected github: ca_"), "{text}");
    });
    assert!(walk.run(&["toolkits", "--connected"]).healthy().contains("gmail   ACTIVE ca_"));
    let sent = walk.json(&send);
    assert_eq!(sent["error"], Value::Null, "{sent}");

    walk.run(&["update", "--workbench=false"]).healthy();
    assert_eq!(walk.json(&["show"])["config"]["workbench"]["enable"], false);
    assert_eq!(walk.json(&["history"])["items"].as_array().map(Vec::len), Some(2));
    assert!(walk.run(&["list"]).healthy().contains(&id));
    walk.run(&["delete", "--yes"]).healthy();
    assert!(walk.stand_in.sessions().is_empty());
    assert_eq!(walk.json(&["list"]), json!([]));
}

#[test]
fn what_the_stand_in_refuses_is_told() {
    let walk = Walk::start();
    let fail = |times, status, retry_after: &str| {
        let (path, retry_after) = (String::new(), retry_after.to_owned());
        walk.stand_in.fail(Failure { times, path, status, retry_after });
    };
    fail(2, 429, "0");
    walk.run(&["create", "--user=u1", "--toolkit=gmail"]).healthy();
    fail(2, 500, "0");
    walk.run(&["show"]).healthy();
    fail(1, 500, "");
    walk.run(&["execute", "GMAIL_SEND_EMAIL", "--arguments={}"]).failed(5, &["may have been done"]);
    walk.run(&["create", "--user=u1", "--tool=GMAIL_NO_SUCH"]).failed(5, &["HTTP 400"]);

    let id = walk.stand_in.sessions().remove(0);
    walk.stand_in.delete_session(&id);
    walk.run(&["tools"]).failed(5, &["HTTP 404", "deleted"]);
    assert!(walk.run(&["list"]).healthy().contains("gone, and forgotten"));
    walk.stand_in.revoke(&walk.key);
    walk.run(&["show", "--session", &id]).failed(4, &["HTTP 401", "Invalid API key", "key show"]);
}

/// Every operation that reads, against what the stand-in holds to be the schema.
#[test]
fn every_list_is_read() {
    let walk = Walk::start();
    walk.run(&["create", "--user=u1", "--preset=direct-tools", "--toolkit=gmail"]).healthy();
    let tools = walk.json(&["tools", "--all", "--limit=1"]);
    let slugs: Vec<_> =
        tools["items"].as_array().expect("a list").iter().map(|t| &t["slug"]).collect();
    assert!(slugs.len() > 2 && slugs.contains(&&json!("GMAIL_SEND_EMAIL")), "{slugs:?}");
    assert!(walk.run(&["configs"]).healthy().contains("sc_"));
    assert!(walk.run(&["search", "send an email"]).healthy().contains("session authorize gmail"));
    walk.run(&["mounts", "files"]).healthy();
    let put = walk.run(&["mounts", "files", "--upload-url=a.txt"]).healthy();
    assert!(put.starts_with("http://127.0.0.1"), "{put}");
    walk.run(&["attach", r#"{"custom_tools":[]}"#]).healthy();
}
