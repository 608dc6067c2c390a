//! What the bridge knows about Composio.
//!
//! - [`key`]: the kinds of keys, and the header that each belongs in.
//! - [`key_store`]: the key that is kept on this machine.
//! - [`url`]: what a URL is, how it is repaired, what is wrong with it.
//! - [`rest`]: the client of the REST API.
//! - [`server`]: the MCP servers that came before sessions, and what replaces one.
//! - [`keeper`]: the session that a bridge keeps for itself.
//! - [`session`]: what is asked of a Composio session, and which were made here.

pub mod keeper;
pub mod key;
pub mod key_store;
pub mod rest;
pub mod server;
pub mod session;
pub mod url;
