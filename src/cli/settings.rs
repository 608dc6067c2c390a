//! The options of bridging: what one source can say.

use std::{any::Any, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};

use super::{
    session,
    sign_in::SignInSettings,
    table::{Row, Takes, argument},
    value::{CommandLine, Level, PositiveSeconds, Seconds},
};
use crate::config::{Protocol, Strategy};

/// What one source says about the bridge; `None` or empty where it is silent. The tables below say
/// what the options are for.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The first word: the remote MCP server.
    pub url: Option<String>,
    /// The second: the port that the sign-in page leads back to.
    pub callback_port: Option<String>,
    /// What else stands there, to be told apart from a subcommand.
    pub surplus: Vec<String>,
    /// `--transport`.
    pub transport: Option<Strategy>,
    /// `--protocol`.
    pub protocol: Option<Protocol>,
    /// `--allow-http`.
    pub allow_http: Option<bool>,
    /// `--connect-timeout`.
    pub connect_timeout: Option<PositiveSeconds>,
    /// `--headers-timeout`.
    pub headers_timeout: Option<Seconds>,
    /// `--body-timeout`.
    pub body_timeout: Option<Seconds>,
    /// `--startup-grace`.
    pub startup_grace: Option<Seconds>,
    /// `--input-timeout`.
    pub input_timeout: Option<PositiveSeconds>,
    /// `--keep-alive`.
    pub keep_alive: Option<bool>,
    /// `--ping-interval`.
    pub ping_interval: Option<PositiveSeconds>,
    /// `--disable-cookies`.
    pub disable_cookies: Option<bool>,
    /// `--header`.
    pub header: Vec<String>,
    /// `--header-file`.
    pub header_file: Vec<PathBuf>,
    /// `--api-key-file`.
    pub api_key_file: Option<PathBuf>,
    /// `--api-key-command`.
    pub api_key_command: Option<CommandLine>,
    /// What is said about signing in.
    pub sign_in: SignInSettings,
    /// What is said about a Composio session.
    pub session: session::Configuration,
    /// `--ignore-tool`.
    pub ignore_tool: Vec<String>,
    /// `--allow-tool`.
    pub allow_tool: Vec<String>,
    /// `--proxy`.
    pub proxy: Option<String>,
    /// `--no-proxy`.
    pub no_proxy: Option<String>,
    /// `--enable-proxy`.
    pub enable_proxy: Option<bool>,
    /// `--ca-file`.
    pub ca_file: Vec<PathBuf>,
    /// `--client-cert`.
    pub client_cert: Option<PathBuf>,
    /// `--ipv4`.
    pub ipv4: Option<bool>,
    /// `--debug`.
    pub debug: Option<bool>,
    /// `--silent`.
    pub silent: Option<bool>,
    /// `--log-level`.
    pub log_level: Option<Level>,
    /// `--log-file`.
    pub log_file: Option<PathBuf>,
    /// `header` and `header_file` in the order they were given: the later wins.
    pub headers_in_order: Vec<HeaderSource>,
}

/// One `--header` or `--header-file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderSource {
    /// `Name: value`.
    Line(String),
    /// A file with such lines.
    File(PathBuf),
}

/// Options by what they are about; those about signing in come after the credentials.
const BEFORE_SIGN_IN: [(&str, &[Row]); 2] =
    [("Connection", &CONNECTION), ("Credentials", &CREDENTIALS)];
const AFTER_SIGN_IN: [(&str, &[Row]); 3] =
    [("Tools", &TOOLS), ("Network", &NETWORK), ("Logging", &LOGGING)];

const CONNECTION: [Row; 11] = [
    (
        "transport",
        Takes::Other("STRATEGY", || value_parser!(Strategy).into()),
        "Which transports to try, in which order [default: http-first]",
    ),
    (
        "protocol",
        Takes::Other("PROTOCOL", || value_parser!(Protocol).into()),
        "Which protocol to speak with the remote: until 2025-11-25, or 2026-07-28 [default: auto]",
    ),
    ("allow-http", Takes::Nothing, "Allow http:// to a host that is not this machine"),
    ("connect-timeout", Takes::Seconds, "How long a connection may take, in seconds [default: 10]"),
    (
        "headers-timeout",
        Takes::SecondsOrZero,
        "How long the response headers may take; 0 for ever [default: 300]",
    ),
    (
        "body-timeout",
        Takes::SecondsOrZero,
        "How long a response may pause; 0 for ever [default: 300]",
    ),
    (
        "startup-grace",
        Takes::SecondsOrZero,
        "How long `initialize` waits for the remote before the bridge answers itself [default: 5]",
    ),
    (
        "input-timeout",
        Takes::Seconds,
        "How long the server's question may wait for the person's answer during a call [default: 720]",
    ),
    ("keep-alive", Takes::Nothing, "Ping the remote, and reconnect when it does not answer"),
    ("ping-interval", Takes::Seconds, "How often to ping; implies --keep-alive [default: 30]"),
    ("disable-cookies", Takes::Nothing, "Do not keep cookies"),
];

const CREDENTIALS: [Row; 4] = [
    (
        "header",
        Takes::Texts("NAME: VALUE"),
        "Send this header with every request; ${VAR} is taken from the environment (repeatable)",
    ),
    ("header-file", Takes::Files, "Send the headers of this file, one a line (repeatable)"),
    ("api-key-file", Takes::File, "Take the Composio API key from the first line of this file"),
    (
        "api-key-command",
        Takes::Other("COMMAND", || value_parser!(CommandLine).into()),
        "Take the Composio API key from the first line that this command prints\n\n\
         The command is split at spaces, with quotes and backslashes as in a shell, and run without \
         one.",
    ),
];

const TOOLS: [Row; 2] = [
    (
        "ignore-tool",
        Takes::Texts("PATTERN"),
        "Hide the tools that match this pattern; `*` stands for anything (repeatable)",
    ),
    (
        "allow-tool",
        Takes::Texts("PATTERN"),
        "Show only the tools that match this pattern (repeatable)",
    ),
];

const NETWORK: [Row; 6] = [
    ("proxy", Takes::Text("URL"), "Use this proxy: http://, https://, socks5:// or socks5h://"),
    (
        "no-proxy",
        Takes::Text("HOSTS"),
        "Use no proxy, or with `=HOSTS` none for these\n\n\
         HOSTS is a list with commas as in the variable NO_PROXY, and replaces it.",
    ),
    (
        "enable-proxy",
        Takes::Nothing,
        "Accepted for mcp-remote's sake: the system's proxies are used anyway",
    ),
    (
        "ca-file",
        Takes::Files,
        "Trust the certificate authorities in this PEM file too (repeatable)\n\n\
         The file that NODE_EXTRA_CA_CERTS names is trusted as well.",
    ),
    ("client-cert", Takes::File, "Identify with the certificate and private key in this PEM file"),
    ("ipv4", Takes::Nothing, "Use IPv4 alone"),
];

const LOGGING: [Row; 4] = [
    ("debug", Takes::Nothing, "Log what happens, in detail: --log-level debug"),
    ("silent", Takes::Nothing, "Write nothing to stderr"),
    (
        "log-level",
        Takes::Other("LEVEL", || value_parser!(Level).into()),
        "How much to log [default: warn]",
    ),
    ("log-file", Takes::File, "Log to this file too"),
];

impl Args for Settings {
    fn augment_args(command: Command) -> Command {
        let place = |name, word| Arg::new(name).value_name(word);
        let command = command
            .arg(place("url", "URL").help(
                "The remote MCP server; not needed when the profile or the configuration file names it",
            ))
            .arg(
                place("callback-port", "CALLBACK_PORT")
                    .help("The port that the sign-in page leads back to [default: any]"),
            )
            .arg(place("surplus", "SURPLUS").num_args(1..).action(ArgAction::Append).hide(true));
        let command = SignInSettings::augment_args(with(command, &BEFORE_SIGN_IN));
        let command = session::Configuration::augment_args(command);
        with(command, &AFTER_SIGN_IN).mut_arg("no-proxy", |arg| {
            arg.num_args(0..=1).require_equals(true).default_missing_value("*")
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn with(command: Command, tables: &[(&'static str, &[Row])]) -> Command {
    let command = tables.iter().fold(command, |command, (heading, rows)| {
        command.next_help_heading(*heading).args(rows.iter().map(argument))
    });
    command.next_help_heading(None)
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut settings = Self::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        one(matches, "url", &mut self.url);
        one(matches, "callback-port", &mut self.callback_port);
        all(matches, "surplus", &mut self.surplus);
        one(matches, "transport", &mut self.transport);
        one(matches, "protocol", &mut self.protocol);
        one(matches, "allow-http", &mut self.allow_http);
        one(matches, "connect-timeout", &mut self.connect_timeout);
        one(matches, "headers-timeout", &mut self.headers_timeout);
        one(matches, "body-timeout", &mut self.body_timeout);
        one(matches, "startup-grace", &mut self.startup_grace);
        one(matches, "input-timeout", &mut self.input_timeout);
        one(matches, "keep-alive", &mut self.keep_alive);
        one(matches, "ping-interval", &mut self.ping_interval);
        one(matches, "disable-cookies", &mut self.disable_cookies);
        all(matches, "header", &mut self.header);
        all(matches, "header-file", &mut self.header_file);
        one(matches, "api-key-file", &mut self.api_key_file);
        one(matches, "api-key-command", &mut self.api_key_command);
        self.sign_in.update_from_arg_matches(matches)?;
        self.session.update_from_arg_matches(matches)?;
        all(matches, "ignore-tool", &mut self.ignore_tool);
        all(matches, "allow-tool", &mut self.allow_tool);
        one(matches, "proxy", &mut self.proxy);
        one(matches, "no-proxy", &mut self.no_proxy);
        one(matches, "enable-proxy", &mut self.enable_proxy);
        all(matches, "ca-file", &mut self.ca_file);
        one(matches, "client-cert", &mut self.client_cert);
        one(matches, "ipv4", &mut self.ipv4);
        one(matches, "debug", &mut self.debug);
        one(matches, "silent", &mut self.silent);
        one(matches, "log-level", &mut self.log_level);
        one(matches, "log-file", &mut self.log_file);
        Ok(())
    }
}

/// The last value of an option, where there is one.
fn one<T: Any + Clone + Send + Sync>(matches: &ArgMatches, name: &str, setting: &mut Option<T>) {
    if let Some(value) = matches.get_one::<T>(name) {
        *setting = Some(value.clone());
    }
}

/// All values of an option, where there are any.
fn all<T: Any + Clone + Send + Sync>(matches: &ArgMatches, name: &str, setting: &mut Vec<T>) {
    if let Some(values) = matches.get_many::<T>(name) {
        *setting = values.cloned().collect();
    }
}
