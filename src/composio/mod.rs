//! What the bridge knows about Composio.
//!
//! - [`key`]: the kinds of keys, and the header that each belongs in.
//! - [`key_store`]: the key that is kept on this machine.

pub mod key;
pub mod key_store;
