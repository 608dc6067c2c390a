//! What the bridge knows about Composio.
//!
//! - [`key`]: the kinds of keys, and the header that each belongs in.
//! - [`key_store`]: the key that is kept on this machine.
//! - [`url`]: what a URL is, how it is repaired, what is wrong with it.

pub mod key;
pub mod key_store;
pub mod url;
