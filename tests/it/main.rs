//! The tests that drive the real executable.

#[path = "../support/mod.rs"]
mod support;

mod awkward;
mod bytes;
mod faults_both;
mod local;
mod sse;
mod streamable;
mod support_works;
