//! Signing in: where a sign-in comes from, and how it is kept.

pub mod mcp_remote;
