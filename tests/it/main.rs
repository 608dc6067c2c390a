//! The tests that drive the real executable.

#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod awkward;
mod bytes;
mod cli;
mod ending;
mod faults_both;
mod faults_http;
mod faults_sse;
mod local;
mod secrets;
mod sse;
mod startup;
mod streamable;
mod support_works;

mod conformant;
mod demo;
