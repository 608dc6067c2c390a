use std::{fs, path::PathBuf, time::Duration};

use secrecy::ExposeSecret;
use tempfile::TempDir;
use tracing::level_filters::LevelFilter;

use super::*;
use crate::{
    cli,
    config::{KeySource, Strategy},
};

#[path = "keys_tests.rs"]
mod keys_tests;

const COMPOSIO: &str = "https://backend.composio.dev/tool_router/trs_1/mcp";
const OTHER: &str = "https://x.example/mcp";

/// A home directory, its configuration file and variables.
struct Place {
    home: TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    fn new() -> Self {
        let home = TempDir::new().expect("a temporary directory");
        let text = home.path().to_str().expect("the path is text").to_owned();
        let name = if cfg!(windows) { "APPDATA" } else { "HOME" };
        Place { home, variables: vec![(name.into(), text)] }
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn file(self, text: &str) -> Self {
        let path = self.environment().config_file().expect("there is a home");
        fs::create_dir_all(path.parent().expect("it is below home")).expect("it can be made");
        fs::write(&path, text).expect("it can be written");
        self.restrict(path)
    }

    /// Writes another file, private to its owner.
    fn beside(self, name: &str, text: &str) -> Self {
        let path = self.home.path().join(name);
        fs::write(&path, text).expect("it can be written");
        self.restrict(path)
    }

    #[cfg(unix)]
    fn restrict(self, path: PathBuf) -> Self {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is ours");
        self
    }

    #[cfg(not(unix))]
    fn restrict(self, _path: PathBuf) -> Self {
        self
    }

    fn environment(&self) -> Environment {
        Environment::of(self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    fn try_load(&self, args: &[&str]) -> Result<Config, Error> {
        let args = std::iter::once("composio-bridge").chain(args.iter().copied());
        let cli = cli::parse(args.map(Into::into).collect()).expect("the usage is right");
        Config::load(cli, &self.environment())
    }

    fn load(&self, args: &[&str]) -> Config {
        self.try_load(args).expect("the configuration is right")
    }

    fn report(&self, args: &[&str]) -> String {
        self.try_load(args).expect_err("the configuration is wrong").report()
    }
}

fn key(config: &Config) -> Option<String> {
    match config.key.as_ref()? {
        KeySource::Value(key) => Some(key.secret().expose_secret().to_owned()),
        KeySource::Command { words, .. } => Some(words.join(" ")),
    }
}

fn headers(config: &Config) -> Vec<(&str, &str)> {
    config
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().expect("the tests use ASCII")))
        .collect()
}

#[test]
fn a_url_alone_gives_the_defaults_and_no_warning() {
    let config = Place::new().load(&[OTHER]);
    assert_eq!(config.endpoint.as_str(), OTHER);
    assert_eq!(config.strategy, Strategy::HttpFirst);
    assert!(config.headers.is_empty() && config.key.is_none() && config.warnings.is_empty());
    let seconds = Duration::from_secs;
    let timeouts =
        Timeouts { connect: seconds(10), headers: Some(seconds(300)), body: Some(seconds(300)) };
    assert_eq!(config.timeouts, timeouts);
    assert_eq!((config.ping_interval, config.startup_grace), (None, seconds(5)));
    assert_eq!(config.network, Network { cookies: true, ..Network::default() });
    assert_eq!(config.log, Log { level: LevelFilter::WARN, silent: false, file: None });
    assert_eq!(config.tools, ToolFilter::default());
}

#[test]
fn every_flag_arrives() {
    let place = Place::new().beside("ca.pem", "").beside("c.pem", "");
    let ca = place.home.path().join("ca.pem");
    let ca = ca.to_str().expect("text");
    #[rustfmt::skip]
    let config = place.load(&[
        "--header", "A:", "b", "http://x.example/mcp", "3334", "--allow-http", "--transport=sse-only",
        "--connect-timeout", "1.5", "--headers-timeout", "0", "--body-timeout=7", "--startup-grace", "0",
        "--ping-interval", "9", "--ignore-tool", "a*", "--ignore-tool", "b", "--allow-tool", "c",
        "--proxy", "u:p@p.example:3128", "--no-proxy=q.example", "--ca-file", ca, "--ca-file", "~/ca2.pem",
        "--client-cert", "c.pem", "--ipv4", "--enable-proxy", "--disable-cookies", "--debug", "--silent",
        "--log-file", "l.log",
    ]);
    let seconds = Duration::from_secs_f64;
    assert_eq!(headers(&config), [("a", "b")]);
    assert_eq!(config.strategy, Strategy::SseOnly);
    assert_eq!(config.timeouts.connect, seconds(1.5));
    assert_eq!((config.timeouts.headers, config.timeouts.body), (None, Some(seconds(7.0))));
    assert_eq!((config.startup_grace, config.ping_interval), (seconds(0.0), Some(seconds(9.0))));
    assert_eq!(
        (config.tools.ignore, config.tools.allow),
        (vec!["a*".into(), "b".into()], vec!["c".into()])
    );
    let proxy = Url::parse("http://u:p@p.example:3128").expect("a URL");
    assert_eq!(
        config.network.proxy,
        ProxyChoice::Url { url: proxy, except: Some("q.example".into()) }
    );
    assert!(config.network.ipv4 && !config.network.cookies);
    assert_eq!(config.network.client_cert, Some("c.pem".into()));
    assert_eq!(config.network.ca_files.len(), 2);
    assert!(cfg!(windows) || config.network.ca_files[1] == place.home.path().join("ca2.pem"));
    assert_eq!(
        config.log,
        Log { level: LevelFilter::DEBUG, silent: true, file: Some("l.log".into()) }
    );
}

#[test]
fn keep_alive_pings_every_30_seconds_and_log_level_beats_debug() {
    let config = Place::new().load(&[OTHER, "--keep-alive", "--debug", "--log-level", "error"]);
    assert_eq!(config.ping_interval, Some(Duration::from_secs(30)));
    assert_eq!(config.log.level, LevelFilter::ERROR);
}

#[test]
fn proxies() {
    for (args, expected) in [
        (vec!["--no-proxy"], ProxyChoice::None),
        (vec!["--no-proxy=*"], ProxyChoice::None),
        (vec!["--no-proxy=a,.b"], ProxyChoice::SystemExcept("a,.b".into())),
        (vec!["--enable-proxy"], ProxyChoice::System),
    ] {
        let args: Vec<_> = args.into_iter().chain([OTHER]).collect();
        assert_eq!(Place::new().load(&args).network.proxy, expected, "{args:?}");
    }
    let report = Place::new().report(&[OTHER, "--proxy", "ftp://u:SECRET@p.example"]);
    assert!(report.contains("socks5h://") && !report.contains("SECRET"), "{report}");
}

#[test]
fn flag_over_environment_over_profile_over_file() {
    let place = Place::new().file(
        "url = 'https://file.example/'\ntransport = 'sse-first'\nbody-timeout = 1\n\
         headers-timeout = 1\nconnect-timeout = 1\nignore-tool = ['file', 'x']\ndebug = true\n\
         [headers]\na = 'file'\nb = 'file'\nc = 'file'\nd = 'file'\n\
         [profiles.p]\nurl = 'https://profile.example/'\nbody-timeout = 2\nheaders-timeout = 2\n\
         connect-timeout = 2\nignore-tool = 'profile'\nheaders = { B = 'p', C = 'p', D = 'p' }\n",
    );
    let place = place
        .var("COMPOSIO_BRIDGE_HEADERS_TIMEOUT", "3")
        .var("COMPOSIO_BRIDGE_CONNECT_TIMEOUT", "3")
        .var("COMPOSIO_BRIDGE_HEADER", "c: e\nd: e")
        .var("COMPOSIO_BRIDGE_DEBUG", "0");

    let config = place.load(&["--profile", "p", "--connect-timeout", "4", "--header", "D: f"]);
    assert_eq!(config.endpoint.as_str(), "https://profile.example/");
    assert_eq!(config.strategy, Strategy::SseFirst);
    assert_eq!(config.timeouts.body, Some(Duration::from_secs(2)));
    assert_eq!(config.timeouts.headers, Some(Duration::from_secs(3)));
    assert_eq!(config.timeouts.connect, Duration::from_secs(4));
    assert_eq!(config.tools.ignore, ["profile"]);
    assert_eq!(config.log.level, LevelFilter::WARN);
    let mut headers = headers(&config);
    headers.sort_unstable();
    assert_eq!(headers, [("a", "file"), ("b", "p"), ("c", "e"), ("d", "f")]);

    let config = place.load(&[]);
    assert_eq!(config.endpoint.as_str(), "https://file.example/");
    assert_eq!(config.tools.ignore, ["file", "x"]);
}

#[test]
fn the_order_of_header_options_decides() {
    let place = Place::new().beside("h", "A: file\n");
    let file = place.home.path().join("h");
    let file = file.to_str().expect("text");
    let config = place.load(&[OTHER, "--header", "A: flag", "--header-file", file]);
    assert_eq!(headers(&config), [("a", "file")]);
    let config = place.load(&[OTHER, "--header-file", file, "--header", "A: flag"]);
    assert_eq!(headers(&config), [("a", "flag")]);
}

#[test]
fn a_key_of_the_environment_goes_to_composio_only() {
    let place = Place::new().var("COMPOSIO_API_KEY", " ak_1\n");
    assert_eq!(key(&place.load(&[COMPOSIO])).as_deref(), Some("ak_1"));
    assert_eq!(key(&place.load(&["http://localhost:1/mcp"])).as_deref(), Some("ak_1"));
    let config = place.load(&[OTHER]);
    assert_eq!((key(&config), config.warnings), (None, vec![]));
    let config = place.load(&["http://backend.composio.dev/x", "--allow-http"]);
    assert_eq!(key(&config), None);
    let place = place.var("COMPOSIO_BASE_URL", "https://x.example:444/api");
    assert_eq!(key(&place.load(&[OTHER])), None, "another port is another origin");
    assert_eq!(key(&place.load(&["https://x.example:444/mcp"])).as_deref(), Some("ak_1"));
    let unfilled = Place::new().var("COMPOSIO_API_KEY", "${user_config.api_key}");
    assert_eq!(key(&unfilled.load(&[COMPOSIO])), None);
    let broken = Place::new().var("COMPOSIO_API_KEY", "SEC\u{1}RET");
    assert!(broken.report(&[COMPOSIO]).contains("COMPOSIO_API_KEY cannot be sent"));
    assert_eq!(key(&broken.load(&[OTHER])), None, "it is not looked at where it is not used");
}

#[test]
fn a_key_named_for_this_start_is_not_withheld_silently() {
    let place = Place::new().beside("key", "ak_f\n");
    let config = place.load(&[OTHER, "--api-key-file", "~/key"]);
    assert_eq!((key(&config), config.warnings.len()), (None, 1));
    assert!(config.warnings[0].contains("x.example"), "{:?}", config.warnings);
}

#[cfg(unix)]
#[test]
fn the_strongest_source_of_a_key_wins() {
    let place = Place::new()
        .beside("flag", "flag")
        .beside("profile", "profile")
        .file("api-key-command = ['file', 'a b']\n[profiles.p]\napi-key-file = '~/profile'\n");
    let with = |place: &Place, args: &[&str]| {
        let args: Vec<_> = std::iter::once(COMPOSIO).chain(args.iter().copied()).collect();
        key(&place.load(&args))
    };
    assert_eq!(with(&place, &[]).as_deref(), Some("file a b"));
    assert_eq!(with(&place, &["--profile", "p"]).as_deref(), Some("profile"));
    let place = place.var("COMPOSIO_API_KEY", "env");
    assert_eq!(with(&place, &["--profile", "p"]).as_deref(), Some("env"));
    let command = ["--api-key-command", "flag 'a b'"];
    assert_eq!(with(&place, &command).as_deref(), Some("flag a b"));
    let both = ["--api-key-command", "x", "--api-key-file", "~/flag"];
    assert_eq!(with(&place, &both).as_deref(), Some("flag"));
    assert_eq!(with(&place, &["--header", "Authorization: Bearer ${COMPOSIO_API_KEY}"]), None);
}

#[test]
fn composio_gets_one_credential() {
    let report = Place::new().report(&[
        COMPOSIO,
        "--header=x-api-key: SECRET",
        "--header=Authorization: SECRET",
    ]);
    assert!(report.contains("x-api-key and authorization"), "{report}");
    assert!(!report.contains("SECRET"), "{report}");
}

#[test]
fn a_credential_on_the_command_line_is_warned_of_exactly_once() {
    let config = Place::new().load(&[COMPOSIO, "--header", "x-api-key: SECRET"]);
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].contains("x-api-key") && !config.warnings[0].contains("SECRET"));
}

#[test]
fn mistakes_in_the_file_name_line_and_key() {
    for (text, expected) in [
        (
            "\nconect-timeout = 1",
            "line 2: unknown key `conect-timeout`; did you mean `connect-timeout`?",
        ),
        (
            "[profiles.p]\nheader = 'SECRET'",
            "line 2: unknown key `header`; did you mean `headers`?",
        ),
        ("profile = 'p'", "line 1: unknown key `profile`"),
        ("help = true", "line 1: unknown key `help`"),
        ("zzzzzz = { SECRET = 1 }", "line 1: unknown key `zzzzzz`"),
        (
            "transport = 'SECRET'",
            "line 1: `transport` must be one of http-first, sse-first, http-only, sse-only",
        ),
        (
            "\n\nbody-timeout = 'SECRET'",
            "line 3: `body-timeout` must be a number of seconds, 0 or more",
        ),
        ("debug = 'SECRET'", "line 1: `debug` "),
        ("proxy = ['SECRET', 'SECRET']", "line 1: `proxy` can only have one value"),
        ("headers = 'x-api-key: SECRET'", "line 1: `headers` must be a table"),
        ("headers = { a = ['SECRET'] }", "line 1: `headers` must hold text"),
        ("log-file = { SECRET = 1 }", "line 1: `log-file` must be text"),
        ("api-key-command = []", "line 1: `api-key-command` must name a program"),
        ("api-key-command = \"a 'SECRET\"", "line 1: `api-key-command` has a quotation mark"),
        ("profiles = 1", "line 1: `profiles` must hold tables"),
        ("[profiles]\np = 1", "line 2: `p` must be a table"),
        ("a = 1\nb = = SECRET", "line 2: "),
    ] {
        let report = Place::new().file(text).report(&[OTHER]);
        assert!(report.contains("config.toml, ") && report.contains(expected), "{text}: {report}");
        assert!(!report.contains("SECRET"), "{text}: {report}");
    }
}

#[test]
fn a_named_file_must_be_there_and_a_profile_too() {
    let place = Place::new();
    assert!(place.report(&[OTHER, "--config", "~/none.toml"]).contains("none.toml"));
    assert!(place.report(&["--profile", "p"]).contains("no profile p"));
    let place = place.file("[profiles.a]\n[profiles.b]");
    assert!(place.report(&["--profile", "p"]).contains("it has a, b"));
    let place =
        place.beside("other.toml", "[profiles.p]\nurl = 'https://other.example'\nlog-file = 'l'");
    let path = place.home.path().join("other.toml");
    let place = place.var("COMPOSIO_BRIDGE_CONFIG", path.to_str().expect("text"));
    let place = place.var("COMPOSIO_BRIDGE_PROFILE", "p");
    let config = place.load(&[]);
    assert_eq!(config.endpoint.as_str(), "https://other.example/");
    assert_eq!(config.log.file, Some(place.home.path().join("l")), "relative to the file");
}

#[test]
fn what_is_no_endpoint_is_an_error_of_its_source() {
    let kind =
        |place: Place, args: &[&str]| place.try_load(args).expect_err("this is wrong").kind();
    assert_eq!(kind(Place::new(), &[]), Kind::Usage);
    assert_eq!(kind(Place::new(), &["${user_config.url}"]), Kind::Usage);
    assert_eq!(kind(Place::new(), &["x.example"]), Kind::Usage);
    assert_eq!(kind(Place::new().file("url = 'x.example'"), &[]), Kind::Config);
    assert_eq!(kind(Place::new(), &["http://x.example"]), Kind::Config);
    assert_eq!(kind(Place::new(), &[OTHER, "SECRET"]), Kind::Usage);
    assert!(!Place::new().report(&[OTHER, "SECRET"]).contains("SECRET"));
    assert_eq!(kind(Place::new().var("COMPOSIO_BRIDGE_IPV4", "x"), &[OTHER]), Kind::Config);
}

#[test]
fn nodes_variable_adds_certificates() {
    let place = Place::new().beside("extra.pem", "");
    let path = place.home.path().join("extra.pem");
    let place = place.var("NODE_EXTRA_CA_CERTS", path.to_str().expect("text"));
    let config = place.load(&[OTHER, "--ca-file", "a.pem"]);
    assert_eq!(config.network.ca_files, [PathBuf::from("a.pem"), path]);
    let config = Place::new().var("NODE_EXTRA_CA_CERTS", "/none.pem").load(&[OTHER]);
    assert_eq!((config.network.ca_files, config.warnings.len()), (vec![], 1));
}

#[cfg(unix)]
#[test]
fn a_file_with_credentials_should_be_private() {
    use std::os::unix::fs::PermissionsExt;
    for (text, mode, warned) in [
        ("headers = { x-api-key = 'k' }", 0o600, false),
        ("headers = { x-api-key = 'k' }", 0o644, true),
        ("headers = { x-api-key = '${HOME}' }", 0o644, false),
        ("headers = { a = 'b' }", 0o644, false),
    ] {
        let place = Place::new().file(text);
        let path = place.environment().config_file().expect("there is a home");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        assert_eq!(place.load(&[OTHER]).warnings.len(), usize::from(warned), "{text} {mode:o}");
    }
}
