//! The stdio side: lines in, lines out (spec: stdio transport, framing).

pub mod lines;
pub mod stdin;
pub mod stdout;
