//! The tests that drive the real executable.
#![expect(unreachable_pub, reason = "the support modules are shared as they are")]

#[path = "../support/mod.rs"]
mod support;

mod awkward;
mod bytes;
mod faults_both;
mod local;
mod sse;
mod streamable;
mod support_works;
