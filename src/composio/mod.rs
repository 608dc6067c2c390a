//! What the bridge knows about Composio.
//!
//! - [`key`]: the kinds of keys, and the header that each belongs in.
//! - [`rest`]: the client of the REST API.

pub mod key;
pub mod rest;

/// A digest of a text, as a name that gives the text away to nobody who cannot guess it.
fn digest(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
