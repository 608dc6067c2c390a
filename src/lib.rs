//! A local stdio bridge to remote MCP servers.

pub mod bridge;
pub mod cli;
pub mod command;
pub mod config;
pub mod demo;
pub mod error;
pub mod local;
pub mod logging;
pub mod message;
pub mod remote;
