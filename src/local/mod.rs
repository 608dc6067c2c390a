//! The stdio side: lines in, lines out (spec: stdio transport, framing).

pub mod http;
pub mod lines;
#[cfg(unix)]
mod pipe;
pub mod stdin;
pub mod stdout;
