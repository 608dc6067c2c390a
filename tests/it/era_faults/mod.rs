//! What a modern remote, or the way to it, can do wrong: each fault costs one request, and the
//! next one works.

mod answers;
mod held;
mod upgrade;

use crate::support::{bridge::Bridge, json, modern::client, server::Face};

const BOTH: [Face; 2] = [Face::Http, Face::Sse];

/// A client of either era, connected.
fn connected(url: String, legacy: bool) -> Bridge {
    let mut bridge = Bridge::to(url).spawn();
    if legacy {
        bridge.handshake("2025-11-25");
    } else {
        bridge.discover();
    }
    bridge
}

fn call(bridge: &mut Bridge, legacy: bool, id: &str, marker: &str) {
    bridge.send(if legacy { json::call(id, marker) } else { client::call(id, marker) });
}

fn works(bridge: &mut Bridge, legacy: bool, id: &str) {
    if legacy {
        bridge.call_works(id);
    } else {
        bridge.modern_call_works(id);
    }
}
