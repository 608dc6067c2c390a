//! The command line: every flag and subcommand, and no decision about them.
//!
//! [`Settings`] is what one source can say: the command line, the environment, a profile and the
//! file all end up as one each, and [`crate::config::Config::load`] decides between them.

pub mod argv;
pub mod key;
mod parse;
pub mod server;
pub mod session;
mod settings;
pub mod sign_in;
pub mod table;
pub mod value;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
pub(crate) use parse::header_order;
pub use parse::parse;
pub use settings::{HeaderSource, Settings};

use crate::demo::{Dialect, Era, Transport};

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
    /// Manage MCP servers, the kind of endpoint that came before sessions
    Server(server::Server),
    /// Turn an MCP server into the session that replaces it
    Migrate(server::Migrate),
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

    /// Walk the whole way with a stand-in for Composio's API: key, session, account, client
    #[arg(long, conflicts_with_all = ["transport", "era", "client"])]
    pub composio: bool,
}
