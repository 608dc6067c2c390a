//! What can be measured: something that makes calls when told to.

use std::time::Duration;

/// The tool whose result is about 100 bytes.
pub const SMALL: &str = "small";

/// A running process that makes calls to the server.
pub trait Subject {
    /// Makes so many calls of a tool, one after the other; how long each took.
    fn one_by_one(&mut self, tool: &str, calls: usize) -> Vec<Duration>;

    /// Makes so many small calls, 64 of them under way at any time; how long all took.
    fn in_flight(&mut self, calls: usize) -> Duration;

    /// The process.
    fn pid(&self) -> u32;
}

/// Calls under way at the same time in [`Subject::in_flight`].
pub const FLIGHT: usize = 64;

/// The revisions that a client or a server speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// Up to 2025-11-25.
    Legacy,
    /// 2026-07-28.
    Modern,
}

/// A `tools/call` without arguments.
pub fn call(id: usize, tool: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{}},"_meta":{{"progressToken":1}}}}}}"#
    )
}

/// The same of a modern client.
pub fn modern_call(id: usize, tool: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{}},"_meta":{{{METADATA},"progressToken":1}}}}}}"#
    )
}

const METADATA: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}"#;

/// What a modern client begins with.
pub fn discover() -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":0,"method":"server/discover","params":{{"_meta":{{{METADATA}}}}}}}"#
    )
}

/// The request that opens every session.
pub const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;

/// The notification that follows it.
pub const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
