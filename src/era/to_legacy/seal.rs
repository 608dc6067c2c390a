//! The `requestState` of a held call: a handle that nobody can make up, bound to its request
//! (XB-45).

use std::fmt::{self, Write as _};

use ring::hmac;
use serde_json::Value;

use crate::message::{Message, object::Object};

/// What a `requestState` names: a held call, and which round of it. Each is good for once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handle {
    /// The number of the call.
    pub call: u64,
    /// The round.
    pub round: u32,
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.call, self.round)
    }
}

/// Makes and checks `requestState`s.
pub(super) struct Seal(hmac::Key);

/// Without the key.
impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Seal(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The state for `handle`, good for a request like `request` only.
    pub(super) fn state(&self, handle: Handle, request: &Message) -> String {
        let mut state = handle.to_string();
        state.push('.');
        for byte in hmac::sign(&self.0, bound(handle, request).as_bytes()).as_ref() {
            // Writing into a string cannot fail.
            let _ = write!(state, "{byte:02x}");
        }
        state
    }

    /// The handle in `state`, where it is one of ours for a request like `request`.
    pub(super) fn open(&self, state: &str, request: &Message) -> Option<Handle> {
        let (handle, tag) = state.rsplit_once('.')?;
        let (call, round) = handle.split_once('.')?;
        let handle = Handle { call: call.parse().ok()?, round: round.parse().ok()? };
        let tag = unhex(tag)?;
        hmac::verify(&self.0, bound(handle, request).as_bytes(), &tag).ok()?;
        Some(handle)
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// Handle, method and parameters, the latter in one spelling: a client may write the members of a
/// repeated request in another order.
fn bound(handle: Handle, request: &Message) -> String {
    let mut params = request.params().and_then(Object::parse).unwrap_or_default();
    for name in ["_meta", "inputResponses", "requestState"] {
        params.remove(name);
    }
    let params = params.to_string();
    let mut text = format!("{handle}\n{}\n", request.method());
    match serde_json::from_str::<Value>(&params) {
        // Its members are sorted.
        Ok(value) => text.push_str(&value.to_string()),
        // Too deep, or with numbers beyond all bounds: then as it stands.
        Err(_) => text.push_str(&params),
    }
    text
}
