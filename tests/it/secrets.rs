//! A secret goes to the endpoint's own origin and nowhere else: to no log, no error, no file.

use std::{fs, path::Path};

use crate::support::{
    bridge::{Bridge, Setup},
    json,
    remote::Remote,
    server::{Face, Server},
};

const MARKER: &str = "marker-7f3a-secret";
const BOTH: [Face; 2] = [Face::Http, Face::Sse];

/// The ways to give a credential, each with what it needs.
fn ways(home: &Path) -> Vec<fn(Setup, &Path) -> Setup> {
    fs::write(home.join("key"), format!("{MARKER}\n")).expect("a key file");
    fs::write(home.join("headers"), format!("x-api-key: {MARKER}\n")).expect("a header file");
    owner_alone(&home.join("key"));
    owner_alone(&home.join("headers"));
    vec![
        |setup, _| setup.arg("--header=x-api-key: ${SECRET}").env("SECRET", MARKER),
        |setup, _| setup.arg("--header=Authorization: Bearer ${SECRET}").env("SECRET", MARKER),
        |setup, _| setup.arg(format!("--header=x-api-key: {MARKER}")),
        |setup, home| setup.arg(format!("--header-file={}", home.join("headers").display())),
        |setup, _| setup.env("COMPOSIO_API_KEY", MARKER),
        |setup, home| setup.arg(format!("--api-key-file={}", home.join("key").display())),
        |setup, home| {
            setup.arg(format!("--api-key-command=/bin/cat {}", home.join("key").display()))
        },
    ]
}

#[cfg(unix)]
fn owner_alone(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("our own file");
}

#[cfg(not(unix))]
fn owner_alone(_: &Path) {}

/// Everything that makes a bridge talk: good calls, refusals, a cut, a redirect, a lost session.
fn eventful(face: Face, elsewhere: String) -> Server {
    let server = Server::start(face);
    server.on("initialize", |call| call.initialize(&[("set-cookie", "sid=cookie-9d1c-secret")]));
    server.on("tools/call", move |call| match call.marker().as_str() {
        "401" => call.http().reply(401, &[("www-authenticate", "Bearer")], "Invalid key"),
        "500" => call.http().reply(500, &[], "boom"),
        "cut" => call.http().reset(),
        "redirect" => call.http().reply(307, &[("location", &elsewhere)], ""),
        "lost" => call.http().reply(404, &[], ""),
        _ => call.behave(),
    });
    server
}

#[test]
fn a_secret_reaches_the_endpoint_and_is_in_no_log_no_error_and_no_answer() {
    let elsewhere = Remote::start(|_, exchange| exchange.reply(200, &[], ""));
    std::thread::scope(|scope| {
        for face in BOTH {
            let elsewhere = &elsewhere;
            scope.spawn(move || {
                let home = tempfile::tempdir().expect("a temporary directory");
                for (n, way) in ways(home.path()).into_iter().enumerate() {
                    tell_nobody(face, n, home.path(), way, elsewhere);
                }
            });
        }
    });
    assert_eq!(elsewhere.requests().len(), 0, "another origin was asked");
}

fn tell_nobody(
    face: Face,
    n: usize,
    home: &Path,
    way: fn(Setup, &Path) -> Setup,
    elsewhere: &Remote,
) {
    let server = eventful(face, elsewhere.url("/mcp?stolen"));
    let log = home.join(format!("log-{n}"));
    let setup = Bridge::over(face, &server)
        .arg("--log-level=trace")
        .arg(format!("--log-file={}", log.display()))
        .env("XDG_STATE_HOME", home.join("state").display().to_string());
    let mut bridge = way(setup, home).spawn();
    let mut said = bridge.handshake("2025-06-18").to_string();
    for (id, marker) in ["ok", "401", "500", "cut", "redirect", "lost"].iter().enumerate() {
        bridge.call(&id.to_string(), marker);
        said += &bridge.answer_to(&id.to_string()).to_string();
    }
    bridge.close_stdin();
    said += &bridge.rest().iter().map(|line| String::from_utf8_lossy(line)).collect::<String>();
    let stderr = bridge.end();
    let logged = fs::read_to_string(&log).expect("a log file");
    assert!(logged.len() > 100, "{face:?} {n}: at trace level something is logged");
    assert!(
        server.requests().iter().all(|request| request.dump().contains(MARKER)),
        "{face:?} {n}"
    );
    for (name, text) in [("answers", &said), ("stderr", &stderr), ("log", &logged)] {
        for secret in [MARKER, "cookie-9d1c-secret", "session-1"] {
            let line = text.lines().find(|line| line.contains(secret)).unwrap_or_default();
            assert!(line.is_empty(), "{face:?}, way {n}: {secret} in {name}: {line}");
        }
    }
    private(&log);
    nothing_below(&home.join("state"));
}

#[cfg(unix)]
fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(file).expect("a log file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", file.display());
}

#[cfg(not(unix))]
fn private(_: &Path) {}

fn nothing_below(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            nothing_below(&path);
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).expect("readable")).into_owned();
            assert!(!text.contains(MARKER) && !text.contains("session-1"), "{}", path.display());
        }
    }
}

#[test]
fn a_secret_in_the_query_of_the_endpoint_is_told_to_nobody() {
    let server = Server::start(Face::Http);
    server.rule(|request, exchange| {
        let keyed = request.path == "/secret-path?token=query-51e0-secret";
        if keyed {
            exchange.reply(500, &[], "boom");
        }
        keyed
    });
    let home = tempfile::tempdir().expect("a temporary directory");
    let log = home.path().join("log");
    let mut bridge = Bridge::to(server.url("/secret-path?token=query-51e0-secret"))
        .arg("--log-level=trace")
        .arg("--startup-grace=0.2")
        .arg(format!("--log-file={}", log.display()))
        .spawn();
    bridge.send(json::initialize("1", "2025-06-18"));
    let answer = bridge.answer_to("1").to_string();
    server.stop();
    bridge.call("2", "x");
    let stderr = bridge.end();
    let logged = fs::read_to_string(&log).expect("a log file");
    for text in [answer, stderr, logged] {
        assert!(!text.contains("query-51e0-secret"), "{text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_secret_from_the_environment_is_in_no_argument_list() {
    let server = Server::start(Face::Http);
    let mut bridge = Bridge::to(server.endpoint())
        .arg("--header=x-api-key: ${SECRET}")
        .env("SECRET", MARKER)
        .spawn();
    bridge.handshake("2025-06-18");
    let arguments = fs::read(format!("/proc/{}/cmdline", bridge.child.id())).expect("our child");
    assert!(!String::from_utf8_lossy(&arguments).contains(MARKER));
    bridge.finish();
}

#[test]
fn a_literal_secret_on_the_command_line_works_and_warns_once_without_the_value() {
    let server = Server::start(Face::Http);
    let mut bridge =
        Bridge::to(server.endpoint()).arg(format!("--header=X-Api-Key: {MARKER}")).spawn();
    bridge.handshake("2025-06-18");
    bridge.call_works("1");
    let stderr = bridge.end();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(
        stderr.to_ascii_lowercase().contains("x-api-key") && !stderr.contains(MARKER),
        "{stderr}"
    );
    assert!(server.requests().iter().all(|request| request.header("x-api-key") == Some(MARKER)));
}
