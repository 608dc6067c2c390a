//! The command line from outside: what is refused and how, and what never shows.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

use crate::support::{
    bridge::{Bridge, executable},
    server::{Face, Server},
};

const MARKER: &str = "s3cr3t-m4rk3r";

/// Runs to the end with an empty stdin and nothing in the environment but these.
fn run(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let home = TempDir::new().expect("a temporary directory");
    run_at(home.path(), args, variables)
}

fn run_at(home: &Path, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let words = executable();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(args).env_clear().env("HOME", home).env("APPDATA", home);
    command.envs(variables.iter().copied()).stdin(Stdio::null());
    command.output().expect("the executable starts")
}

/// The exit code and stderr of a run that wrote nothing to stdout.
fn refused(args: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    let output = run(args, variables);
    assert!(output.stdout.is_empty(), "stdout is for the protocol: {output:?}");
    (output.status.code().expect("an exit code"), text(&output.stderr))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn write(home: &Path, name: &str, text: &str) -> String {
    let path = home.join(name);
    fs::create_dir_all(path.parent().expect("it is below home")).expect("it can be made");
    fs::write(&path, text).expect("it can be written");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
    }
    path.to_str().expect("the path is text").to_owned()
}

#[test]
fn mistakes_end_with_their_exit_code_and_say_what_is_wrong() {
    let url = "https://x.example/mcp";
    for (args, code, words) in [
        (vec![], 2, vec!["there is no URL", "--profile"]),
        (vec!["x.example"], 2, vec!["does not begin with https://"]),
        (vec![url, "--headr", "A: b"], 2, vec!["'--headr'", "'--header'"]),
        (vec![url, "--api-key", "k"], 2, vec!["'--api-key'", "'--api-key-file'"]),
        (vec![url, "--transport", "x"], 2, vec!["http-first, sse-first, http-only, sse-only"]),
        (vec![url, "--connect-timeout", "0"], 2, vec!["a number of seconds above 0"]),
        (vec![url, "--body-timeout", "-1"], 2, vec!["a number of seconds, 0 or more"]),
        (vec![url, "--log-level", "x"], 2, vec!["off, error, warn, info, debug, trace"]),
        (vec![url, "1", "2"], 2, vec!["too many after the URL"]),
        (vec!["demo", "--transport", "x"], 2, vec!["http, sse"]),
        (vec!["http://x.example/mcp"], 3, vec!["--allow-http"]),
        (vec!["https://u:p@x.example/mcp"], 3, vec!["a user name or a password"]),
        (vec!["https://x.example/{id}/mcp"], 3, vec!["{id}"]),
        (vec![url, "--header", "Authorization: ${NOT_SET}"], 3, vec!["authorization", "NOT_SET"]),
        (vec![url, "--header-file", "/none"], 3, vec!["/none"]),
        (vec![url, "--config", "/none.toml"], 3, vec!["/none.toml"]),
        (vec![url, "--profile", "none"], 3, vec!["no profile none"]),
        (vec!["http://localhost:9/", "--api-key-file", "/none"], 3, vec!["API key from /none"]),
    ] {
        let (status, stderr) = refused(&args, &[]);
        assert_eq!(status, code, "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: "), "{args:?}: {stderr}");
        for word in words {
            assert!(stderr.contains(word), "{args:?}: {word} is missing in: {stderr}");
        }
    }
}

#[test]
fn silent_leaves_only_the_exit_code() {
    let (status, stderr) = refused(&["http://x.example/", "--silent"], &[]);
    assert_eq!((status, stderr.as_str()), (3, ""));
}

#[test]
fn help_and_version_are_for_stdout() {
    let version = run(&["--version"], &[]);
    let expected = format!("composio-bridge {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.status.code(), text(&version.stdout)), (Some(0), expected));
    let variables: Vec<_> =
        ["URL", "HEADER", "PROXY", "API_KEY_FILE", "PROFILE", "CONFIG", "LOG_FILE"]
            .map(|name| format!("COMPOSIO_BRIDGE_{name}"))
            .into();
    let mut variables: Vec<_> = variables.iter().map(|name| (name.as_str(), MARKER)).collect();
    variables.push(("COMPOSIO_API_KEY", MARKER));
    for args in [&["-h"][..], &["--help"], &["https://x", "--help"], &["demo", "--help"]] {
        let help = run(args, &variables);
        let shown = text(&help.stdout);
        assert_eq!((help.status.code(), text(&help.stderr).as_str()), (Some(0), ""));
        assert!(shown.contains("Usage: composio-bridge") && !shown.contains(MARKER), "{shown}");
    }
    let long = text(&run(&["--help"], &[]).stdout);
    assert!(long.contains("Examples:") && long.contains("COMPOSIO_BRIDGE_LOG_LEVEL"), "{long}");
}

#[test]
fn a_mistake_in_the_file_is_shown_with_its_line() {
    let home = TempDir::new().expect("a temporary directory");
    let path =
        write(home.path(), "c.toml", "debug = false\n\nheder = 'x-api-key: s3cr3t-m4rk3r'\n");
    let output = run_at(home.path(), &["--config", &path], &[]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr.contains("c.toml, line 3: unknown key `heder`; did you mean"), "{stderr}");
    assert!(!stderr.contains(MARKER), "{stderr}");
}

#[test]
fn no_mistake_shows_a_secret() {
    let url = "https://x.example/mcp";
    let header = format!("x-api-key: {MARKER}");
    let two = format!("Authorization: Bearer {MARKER}");
    let control = format!("x-api-key: {MARKER}\u{1}");
    let [in_url, in_proxy, as_flag, as_path] = [
        format!("https://u:{MARKER}@x.example/"),
        format!("ftp://u:{MARKER}@x.example/"),
        format!("--api-key={MARKER}"),
        format!("http://{MARKER}.example/${{user_config.x}}"),
    ];
    for args in [
        vec![url, MARKER],
        vec![url, "1", MARKER],
        vec![MARKER],
        vec!["demo", MARKER],
        vec![&in_url],
        vec![&as_path],
        vec![url, "--proxy", &in_proxy],
        vec![url, &as_flag],
        vec![url, "--api-key", MARKER],
        vec![url, "--transport", MARKER],
        vec![url, "--connect-timeout", MARKER],
        vec![url, "--debug=s3cr3t-m4rk3r"],
        vec![url, "--header", &control],
        vec!["https://backend.composio.dev/x", "--header", &header, "--header", &two],
        vec!["--header", "x-api-key", MARKER],
    ] {
        let (status, stderr) = refused(&args, &[]);
        assert_ne!(status, 0, "{args:?}");
        assert!(!stderr.contains(MARKER), "{args:?}: {stderr}");
    }
    for variable in ["COMPOSIO_BRIDGE_URL", "COMPOSIO_BRIDGE_TRANSPORT", "COMPOSIO_BRIDGE_DEBUG"] {
        let (status, stderr) = refused(&[], &[(variable, MARKER)]);
        assert_ne!(status, 0, "{variable}");
        assert!(!stderr.contains(MARKER), "{variable}: {stderr}");
    }
}

/// Where a secret can come from, as arguments after the URL and as variables.
struct Source {
    args: Vec<String>,
    variable: Option<(&'static str, String)>,
    /// The header that arrives at the remote.
    header: &'static str,
}

fn sources(home: &Path) -> Vec<Source> {
    let key_file = write(home, "key", &format!("{MARKER}\n"));
    let header_file = write(home, "headers", &format!("Authorization: Bearer {MARKER}\n"));
    let config = format!("[profiles.p]\nheaders = {{ x-user-api-key = '{MARKER}' }}\n");
    let config = write(home, "c.toml", &config);
    let source = |args: &[&str], variable: Option<&'static str>, header| Source {
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        variable: variable.map(|name| (name, MARKER.to_owned())),
        header,
    };
    let literal = format!("x-api-key:{MARKER}");
    let mut sources = vec![
        source(&["--header", &literal], None, "x-api-key"),
        source(&["--header", "x-org-api-key:", MARKER], None, "x-org-api-key"),
        source(&["--header", "Authorization: Bearer ${T}"], Some("T"), "authorization"),
        source(&["--header-file", &header_file], None, "authorization"),
        source(&[], Some("COMPOSIO_API_KEY"), "x-api-key"),
        source(&["--api-key-file", &key_file], None, "x-api-key"),
        source(&["--config", &config, "--profile", "p"], None, "x-user-api-key"),
    ];
    if cfg!(unix) {
        let command = format!("sh -c 'echo {MARKER} >&2; cat \"{key_file}\"'");
        sources.push(source(&["--api-key-command", &command], None, "x-api-key"));
    }
    sources
}

#[test]
fn a_secret_reaches_the_remote_and_no_log() {
    let home = TempDir::new().expect("a temporary directory");
    for (number, level) in ["off", "warn", "debug", "trace"].into_iter().enumerate() {
        for (source_number, source) in sources(home.path()).into_iter().enumerate() {
            let log = home.path().join(format!("{number}-{source_number}.log"));
            let server = Server::start(Face::Http);
            server.rule(|request, exchange| {
                let is_call = request.is_rpc("tools/call");
                is_call.then(|| exchange.reply(500, &[], "broken")).is_some()
            });
            let log_file = log.to_str().expect("the path is text");
            let mut setup = Bridge::to(server.endpoint()).home(home.path());
            for arg in source.args.iter().map(String::as_str).chain([
                "--log-level",
                level,
                "--log-file",
                log_file,
            ]) {
                setup = setup.arg(arg);
            }
            if let Some((name, value)) = source.variable {
                setup = setup.env(name, value);
            }
            let mut bridge = setup.spawn();
            bridge.handshake("2025-06-18");
            bridge.call("7", "fails");
            let answer = bridge.answer_bytes("7");
            let stderr = bridge.end();
            let logged = fs::read_to_string(&log).unwrap_or_default();
            for (place, shown) in
                [("stderr", &stderr), ("log", &logged), ("stdout", &text(&answer))]
            {
                assert!(!shown.contains(MARKER), "{place} at {level}: {shown}");
            }
            let received = server.requests();
            assert!(!received.is_empty());
            for request in received {
                let value = request.header(source.header).unwrap_or_default();
                assert!(value.ends_with(MARKER), "{}: {}", source.header, request.dump());
            }
        }
    }
}
