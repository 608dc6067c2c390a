//! A sandbox remote inside the executable, and a scripted client that shows the bridge at work.
//!
//! - [`sandbox`]: the remote, on loopback: Streamable HTTP at `/mcp` and HTTP+SSE at `/sse` beside
//!   it, both with the same tools.
//! - `toys`: what the sandbox offers: tools, a prompt, a resource.
//! - `server`: a small MCP server of both eras, for the sandbox and for the stand-in.
//! - [`composio`]: a stand-in for Composio's API, on loopback too.
//! - `loopback`: the HTTP server under both.
//! - [`script`]: launches the bridge as a client would, and plays a dialogue with it.
//!
//! Nothing here leaves the machine or needs an account. The server is our own, because that of
//! rmcp, against which the tests run the bridge, made the executable a fifth larger.

mod child;
pub mod composio;
mod loopback;
pub mod sandbox;
pub mod script;
mod server;
mod toys;

/// The transport between the bridge and the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Transport {
    /// Streamable HTTP, at `/mcp`.
    #[default]
    Http,
    /// HTTP+SSE of protocol version 2024-11-05, at `/sse`.
    Sse,
}

/// The revisions of the protocol that the sandbox speaks at `/mcp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Era {
    /// Those that open with `initialize`: 2024-11-05 to 2025-11-25.
    #[default]
    Legacy,
    /// 2026-07-28 alone; legacy clients are refused.
    Modern,
    /// All of them.
    Dual,
}

/// The protocol version that the scripted client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Dialect {
    /// 2025-11-25, which opens with `initialize`.
    #[default]
    Legacy,
    /// 2026-07-28, which opens with `server/discover`.
    Modern,
}

/// What `composio-bridge demo` was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// The transport that the dialogue uses.
    pub transport: Transport,
    /// What the sandbox speaks.
    pub era: Era,
    /// What the scripted client speaks.
    pub client: Dialect,
    /// Keep the sandbox running for a real client instead of playing the dialogue.
    pub serve: bool,
    /// Serve the stand-in for Composio's API in the place of the sandbox.
    pub composio: bool,
}
