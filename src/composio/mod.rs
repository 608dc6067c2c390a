//! What the bridge knows about Composio.
//!
//! - [`key`]: the kinds of keys, and the header that each belongs in.

pub mod key;
