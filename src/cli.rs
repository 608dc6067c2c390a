//! The command line: every flag and subcommand, and no decision about them.
//!
//! [`Settings`] is what one source can say: the command line, the environment, a profile and the
//! file all end up as one each, and [`crate::config::Config::load`] decides between them.

pub mod argv;
pub mod key;
mod parse;
pub mod session;
pub mod sign_in;
pub mod table;
pub mod value;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
pub(crate) use parse::header_order;
pub use parse::parse;

use crate::{
    config::{Protocol, Strategy},
    demo::{Dialect, Era, Transport},
};
use sign_in::SignInSettings;
use value::{CommandLine, Level, PositiveSeconds, Seconds};

const EXAMPLES: &str = "\
Examples:
  A Composio session; the key comes from COMPOSIO_API_KEY:
    composio-bridge https://backend.composio.dev/tool_router/trs_.../mcp

  Any other server, with its credential taken from the environment:
    composio-bridge https://mcp.example.com/mcp --header 'Authorization: Bearer ${TOKEN}'

  A server named in the configuration file under [profiles.work]:
    composio-bridge --profile work

Environment:
  Every option can be set as COMPOSIO_BRIDGE_ and its name in capitals, such as
  COMPOSIO_BRIDGE_LOG_LEVEL for --log-level.
  COMPOSIO_API_KEY    the key for Composio's hosts; also COMPOSIO_USER_API_KEY (with
                      COMPOSIO_ORG_ID and COMPOSIO_PROJECT_ID) and COMPOSIO_CONSUMER_API_KEY
  COMPOSIO_BASE_URL   stands for https://backend.composio.dev, and may be given the key

Configuration file:
  ~/.config/composio-bridge/config.toml, on Windows %APPDATA%\\composio-bridge\\config.toml.
  The keys are the options' names; `url` and the table `headers` beside them. What stands under
  [profiles.NAME] is used with --profile NAME. An option given in several places is taken from
  the command line, the environment, the profile, the top of the file, in this order.

Exit codes:
  0 the client ended the conversation, 2 wrong usage, 3 wrong configuration, 4 not authorized,
  5 the remote server failed, 1 anything else";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "composio-bridge",
    version,
    about = "A local stdio bridge to a remote MCP server",
    long_about = "A local stdio bridge to a remote MCP server.\n\n\
        An MCP client launches it as a stdio server; it carries every message to the server at URL\n\
        over Streamable HTTP or HTTP+SSE and brings back the answers.",
    after_help = "`--help` says more about each option, and shows examples.",
    after_long_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    args_override_self = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// Read this configuration file instead of the usual one
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    pub config: Option<PathBuf>,

    /// Use the settings under [profiles.NAME] of the configuration file
    #[arg(long, value_name = "NAME", help_heading = "Configuration")]
    pub profile: Option<String>,

    /// What the options say.
    #[command(flatten)]
    pub settings: Settings,

    /// Something else than bridging.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// See the bridge at work with a sandbox on this machine; no account, no network
    Demo(Demo),
    /// Sign in to a server, in the browser; the options are those of bridging to it
    Login,
    /// Forget a sign-in
    Logout,
    /// See what is stored about sign-ins
    #[command(subcommand)]
    Auth(Auth),
    /// Store the Composio key, or see which keys there are
    Key(key::KeyCommand),
    /// See what a URL is, which key goes with it, and what is wrong with it
    Url(key::UrlCommand),
    /// Make Composio sessions, look into them, and use their tools
    Session(session::Session),
}

/// The subcommands of `composio-bridge auth`.
#[derive(Debug, Subcommand)]
pub enum Auth {
    /// List the sign-ins that are stored; never a token
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// The options of `composio-bridge demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// The transport between the bridge and the sandbox
    #[arg(long, value_enum, value_name = "TRANSPORT", default_value_t)]
    pub transport: Transport,

    /// What the sandbox speaks: until 2025-11-25, 2026-07-28, or both
    #[arg(long, value_enum, value_name = "ERA", default_value_t)]
    pub era: Era,

    /// What the client of the demo speaks: 2025-11-25, or 2026-07-28
    #[arg(long, value_enum, value_name = "ERA", default_value_t, conflicts_with = "serve")]
    pub client: Dialect,

    /// Only serve the sandbox, and print the lines to paste into a client's configuration
    #[arg(long)]
    pub serve: bool,

    /// With --serve: serve a stand-in for Composio's API, and print how to use it
    #[arg(long, requires = "serve", conflicts_with_all = ["transport", "era"])]
    pub composio: bool,
}

/// What one source says about the bridge; `None` or empty where it is silent.
#[derive(Debug, Clone, Default, Args)]
pub struct Settings {
    /// The remote MCP server; not needed when the profile or the configuration file names it
    pub url: Option<String>,

    /// The port that the sign-in page leads back to [default: any]
    pub callback_port: Option<String>,

    /// What else stands there, to be told apart from a subcommand.
    #[arg(hide = true)]
    pub surplus: Vec<String>,

    /// Which transports to try, in which order [default: http-first]
    #[arg(long, value_enum, value_name = "STRATEGY", help_heading = "Connection")]
    pub transport: Option<Strategy>,

    /// Which protocol to speak with the remote: until 2025-11-25, or 2026-07-28 [default: auto]
    #[arg(long, value_enum, value_name = "PROTOCOL", help_heading = "Connection")]
    pub protocol: Option<Protocol>,

    /// Allow http:// to a host that is not this machine
    #[arg(long, num_args = 0, default_missing_value = "true", help_heading = "Connection")]
    pub allow_http: Option<bool>,

    /// How long a connection may take, in seconds [default: 10]
    #[arg(
        long,
        value_name = "SECONDS",
        allow_negative_numbers = true,
        help_heading = "Connection"
    )]
    pub connect_timeout: Option<PositiveSeconds>,

    /// How long the response headers may take; 0 for ever [default: 300]
    #[arg(
        long,
        value_name = "SECONDS",
        allow_negative_numbers = true,
        help_heading = "Connection"
    )]
    pub headers_timeout: Option<Seconds>,

    /// How long a response may pause; 0 for ever [default: 300]
    #[arg(
        long,
        value_name = "SECONDS",
        allow_negative_numbers = true,
        help_heading = "Connection"
    )]
    pub body_timeout: Option<Seconds>,

    /// How long `initialize` waits for the remote before the bridge answers itself [default: 5]
    #[arg(
        long,
        value_name = "SECONDS",
        allow_negative_numbers = true,
        help_heading = "Connection"
    )]
    pub startup_grace: Option<Seconds>,

    /// How long the server's question may wait for the person's answer during a call [default: 720]
    #[arg(long, value_name = "SECONDS", help_heading = "Connection")]
    pub input_timeout: Option<PositiveSeconds>,

    /// Ping the remote, and reconnect when it does not answer
    #[arg(long, num_args = 0, default_missing_value = "true", help_heading = "Connection")]
    pub keep_alive: Option<bool>,

    /// How often to ping; implies --keep-alive [default: 30]
    #[arg(
        long,
        value_name = "SECONDS",
        allow_negative_numbers = true,
        help_heading = "Connection"
    )]
    pub ping_interval: Option<PositiveSeconds>,

    /// Do not keep cookies
    #[arg(long, num_args = 0, default_missing_value = "true", help_heading = "Connection")]
    pub disable_cookies: Option<bool>,

    /// Send this header with every request; ${VAR} is taken from the environment (repeatable)
    #[arg(long, value_name = "NAME: VALUE", help_heading = "Credentials")]
    pub header: Vec<String>,

    /// Send the headers of this file, one a line (repeatable)
    #[arg(long, value_name = "FILE", help_heading = "Credentials")]
    pub header_file: Vec<PathBuf>,

    /// Take the Composio API key from the first line of this file
    #[arg(long, value_name = "FILE", help_heading = "Credentials")]
    pub api_key_file: Option<PathBuf>,

    /// Take the Composio API key from the first line that this command prints
    ///
    /// The command is split at spaces, with quotes and backslashes as in a shell, and run without
    /// one.
    #[arg(long, value_name = "COMMAND", help_heading = "Credentials")]
    pub api_key_command: Option<CommandLine>,

    /// What is said about signing in.
    #[command(flatten)]
    pub sign_in: SignInSettings,

    /// What is said about a Composio session.
    #[command(flatten)]
    pub session: session::Configuration,

    /// Hide the tools that match this pattern; `*` stands for anything (repeatable)
    #[arg(long, value_name = "PATTERN", help_heading = "Tools")]
    pub ignore_tool: Vec<String>,

    /// Show only the tools that match this pattern (repeatable)
    #[arg(long, value_name = "PATTERN", help_heading = "Tools")]
    pub allow_tool: Vec<String>,

    /// Use this proxy: http://, https://, socks5:// or socks5h://
    #[arg(long, value_name = "URL", help_heading = "Network")]
    pub proxy: Option<String>,

    /// Use no proxy, or with `=HOSTS` none for these
    ///
    /// HOSTS is a list with commas as in the variable NO_PROXY, and replaces it.
    #[arg(
        long,
        value_name = "HOSTS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "*",
        help_heading = "Network"
    )]
    pub no_proxy: Option<String>,

    /// Accepted for mcp-remote's sake: the system's proxies are used anyway
    #[arg(long, num_args = 0, default_missing_value = "true", help_heading = "Network")]
    pub enable_proxy: Option<bool>,

    /// Trust the certificate authorities in this PEM file too (repeatable)
    ///
    /// The file that NODE_EXTRA_CA_CERTS names is trusted as well.
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub ca_file: Vec<PathBuf>,

    /// Identify with the certificate and private key in this PEM file
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub client_cert: Option<PathBuf>,

    /// Use IPv4 alone
    #[arg(long, num_args = 0, default_missing_value = "true", help_heading = "Network")]
    pub ipv4: Option<bool>,

    /// Log what happens, in detail: --log-level debug
    #[arg(long, num_args = 0, default_missing_value = "true", help_heading = "Logging")]
    pub debug: Option<bool>,

    /// Write nothing to stderr
    #[arg(long, num_args = 0, default_missing_value = "true", help_heading = "Logging")]
    pub silent: Option<bool>,

    /// How much to log [default: warn]
    #[arg(long, value_enum, value_name = "LEVEL", help_heading = "Logging")]
    pub log_level: Option<Level>,

    /// Log to this file too
    #[arg(long, value_name = "FILE", help_heading = "Logging")]
    pub log_file: Option<PathBuf>,

    /// `header` and `header_file` in the order they were given: the later wins.
    #[arg(skip)]
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
