//! A modern client and a modern remote: what is mirrored into headers, what closing means, and
//! what is never repeated.

mod errors;
mod headers;
mod streams;

use std::sync::Arc;

use crate::support::{bridge::Bridge, http::Request, modern::Modern};

fn connected(server: &Modern) -> Bridge {
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.discover();
    bridge
}

fn posted(server: &Modern, method: &str) -> Arc<Request> {
    server.await_request(|request| request.is_rpc(method))
}
