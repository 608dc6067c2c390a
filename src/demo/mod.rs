//! A sandbox remote inside the executable, and a scripted client that shows the bridge at work.
//!
//! - [`sandbox`]: the remote, on loopback: Streamable HTTP at `/mcp` (rmcp's server) and
//!   HTTP+SSE at `/sse` beside it, both with the same tools.
//! - `handler`: what the sandbox serves: tools, a prompt, a resource, logging.
//! - `http_sse`: the HTTP+SSE face, which rmcp no longer has.
//! - [`script`]: launches the bridge as a client would, and plays a dialogue with it.
//!
//! Nothing here leaves the machine or needs an account. The tests use the sandbox as the remote
//! that keeps to the specification.

mod child;
mod handler;
mod http_sse;
pub mod sandbox;
pub mod script;

/// The transport between the bridge and the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Transport {
    /// Streamable HTTP, at `/mcp`.
    #[default]
    Http,
    /// HTTP+SSE of protocol version 2024-11-05, at `/sse`.
    Sse,
}

/// What `composio-bridge demo` was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// The transport that the dialogue uses.
    pub transport: Transport,
    /// Keep the sandbox running for a real client instead of playing the dialogue.
    pub serve: bool,
}

impl From<&crate::cli::Demo> for Options {
    fn from(options: &crate::cli::Demo) -> Self {
        Options { transport: options.transport, serve: options.serve }
    }
}
