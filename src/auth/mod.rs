//! Signing in: what it takes to get an access token from an authorization server.
//!
//! - [`browser`]: opens the sign-in page, and nothing else, in the person's browser.
//! - [`callback`]: waits on loopback for the browser to bring the answer back.
//! - [`mcp_remote`]: the sign-ins of mcp-remote.

pub mod browser;
pub mod callback;
pub mod mcp_remote;
