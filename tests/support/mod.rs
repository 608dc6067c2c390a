//! The test house: a scripted remote, one that others wrote, a proxy that cuts, and the real
//! executable on a leash.
//!
//! Everything here blocks with a generous deadline on an event; nothing sleeps for a fixed time.

pub mod authorization;
pub mod bridge;
pub mod composio;
pub mod cut;
pub mod hosts;
pub mod http;
pub mod http2;
pub mod json;
pub mod modern;
pub mod net;
pub mod platform;
pub mod remote;
pub mod rmcp;
pub mod server;
pub mod tls;
pub mod tunnel;

use std::time::Duration;

/// How long anything awaited may take before the test fails. Generous, because it is only ever
/// used up by a failure.
pub const DEADLINE: Duration = Duration::from_secs(30);
