//! Which era a remote is of, what proves it, what proves nothing, and what is remembered.

mod choice;
mod evidence;
mod memory;

use std::path::Path;

use crate::support::{
    bridge::Bridge,
    http::Request,
    modern::{Modern, client},
};

const JSON: &str = "application/json";

fn discover() -> String {
    client::request("1", "server/discover", "")
}

fn is_initialize(request: &Request) -> bool {
    request.is_rpc("initialize")
}

fn count(heard: &[String], method: &str) -> usize {
    heard.iter().filter(|name| *name == method).count()
}

/// One healthy run of a client of either era; what the remote heard of it.
fn run(server: &Modern, home: &Path, legacy: bool) -> Vec<String> {
    let before = server.requests().len();
    let mut bridge = Bridge::to(server.endpoint()).home(home).spawn();
    if legacy {
        bridge.handshake("2025-11-25");
        bridge.call_works("1");
    } else {
        bridge.modern_call_works("1");
    }
    bridge.close_stdin();
    bridge.rest();
    server.heard()[before..].to_vec()
}
