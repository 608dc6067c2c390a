//! Everything the bridge was told, in the form the rest of the program uses.
//!
//! [`Config::load`] is the one place where the command line, the environment and the file meet.
//!
//! - [`environment`]: the variables, read once.
//! - `layer`, `file`: what one source says, and one source over another.
//! - [`endpoint`]: which URL may be an endpoint.
//! - [`header`]: the headers that were named.
//! - [`session`]: a Composio session in the place of a URL.
//! - [`sign_in`], [`client`]: how to sign in, and in whose name.
//! - [`credential`], [`keys`], `key`: who may be given a key, which one, and getting it.

pub mod client;
pub mod credential;
pub mod endpoint;
pub mod environment;
mod file;
pub mod header;
mod key;
pub mod keys;
mod layer;
mod load;
pub mod session;
pub mod sign_in;

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;
use http::{HeaderName, HeaderValue};
use reqwest::Url;

use crate::composio::{
    key::{Key, Place},
    url::Shape,
};

/// Which transports are tried, and in which order (`--transport`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Strategy {
    /// Streamable HTTP, then HTTP+SSE.
    #[default]
    HttpFirst,
    /// HTTP+SSE, then Streamable HTTP.
    SseFirst,
    /// Streamable HTTP alone.
    HttpOnly,
    /// HTTP+SSE alone.
    SseOnly,
}

/// Which revisions of the protocol are spoken with the remote (`--protocol`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Protocol {
    /// Whatever the remote speaks, the client's own where there is a choice.
    #[default]
    Auto,
    /// Those that open with `initialize`: 2024-11-05 to 2025-11-25.
    Legacy,
    /// 2026-07-28.
    Modern,
}

/// Where a key that no header named comes from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// Already known.
    Value(Key),
    /// The first line that a command prints; run before the first message is sent.
    Command {
        /// The program and its arguments.
        words: Vec<String>,
        /// The organisation, should it be a user key.
        org: Option<String>,
        /// The project, should it be a user key.
        project: Option<String>,
        /// Where the key must be good for something.
        place: Place,
    },
}

/// Limits on waiting for the remote. `None` means no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// For a TCP and TLS connection.
    pub connect: Duration,
    /// From the sent request to the response headers.
    pub headers: Option<Duration>,
    /// Between two pieces of a response body.
    pub body: Option<Duration>,
}

/// Which proxy carries the requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProxyChoice {
    /// The environment's and the system's, except for a loopback endpoint.
    #[default]
    System,
    /// This one (`http://`, `https://`, `socks5://`, `socks5h://`), except for the hosts listed.
    Url {
        /// The proxy's URL, which may hold a user name and password.
        url: Url,
        /// The exceptions in `NO_PROXY` form, if any.
        except: Option<String>,
    },
    /// The system's, with these exceptions instead of `NO_PROXY`.
    SystemExcept(String),
    /// None at all.
    None,
}

/// How connections are made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Use IPv4 alone.
    pub ipv4: bool,
    /// The proxy.
    pub proxy: ProxyChoice,
    /// PEM files with further certificate authorities.
    pub ca_files: Vec<PathBuf>,
    /// A PEM file with the client's certificate and private key.
    pub client_cert: Option<PathBuf>,
    /// Keep cookies for the endpoint's origin, in memory.
    pub cookies: bool,
}

/// Which tools the local client sees. Patterns know `*`; case does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToolFilter {
    /// Only tools that match one of these, if there is any.
    pub allow: Vec<String>,
    /// Never tools that match one of these.
    pub ignore: Vec<String>,
}

/// Where and how much is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The most detailed level written.
    pub level: tracing::level_filters::LevelFilter,
    /// Keep stderr empty whatever happens (`--silent`).
    pub silent: bool,
    /// Also write to this file, created with mode 0600.
    pub file: Option<PathBuf>,
}

/// Everything a bridge needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The MCP endpoint. For a session that the bridge keeps, it is a stand-in of the same origin.
    pub endpoint: Url,
    /// The Composio session that the bridge keeps.
    pub session: Option<session::Wish>,
    /// What that is of Composio's; `None` where it is none of theirs.
    pub composio: Option<Shape>,
    /// The transports to try.
    pub strategy: Strategy,
    /// The protocol to speak with the remote.
    pub protocol: Protocol,
    /// Headers named for this endpoint, values marked sensitive. Later ones replaced earlier ones.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The key whose headers are to be added; `None` where a header already carries a credential
    /// or the endpoint is not one that may be given it.
    pub key: Option<KeySource>,
    /// How to sign in.
    pub sign_in: sign_in::SignIn,
    /// Whether a token of a sign-in may be sent: no header and no key carries a credential, and
    /// nobody on the way could read it (AU-1, SEC-7).
    pub may_sign_in: bool,
    /// Tool patterns.
    pub tools: ToolFilter,
    /// Limits on waiting.
    pub timeouts: Timeouts,
    /// Ping the remote this often and act when it does not answer (`--keep-alive`).
    pub ping_interval: Option<Duration>,
    /// How long `initialize` may wait for the remote before the bridge answers itself.
    pub startup_grace: Duration,
    /// How long what the server asks during a call may wait for its answer, where client and server
    /// are of different eras.
    pub input_timeout: Duration,
    /// How connections are made.
    pub network: Network,
    /// Logging.
    pub log: Log,
    /// The directory for what is remembered between runs; `None` where there is no home.
    pub state_dir: Option<PathBuf>,
    /// What the person should know although it is no error; logged once at warn level.
    pub warnings: Vec<String>,
    /// What was repaired; logged once at debug level.
    pub repairs: Vec<&'static str>,
}
