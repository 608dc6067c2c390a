//! A local stdio bridge to remote MCP servers: the library behind the `composio-bridge` executable,
//! for its tests and benches.
//!
//! # The map
//!
//! [`cli`] names every flag and subcommand and decides nothing. [`config`] turns argv, environment
//! and files into one [`Config`](config::Config), in one function, and knows who may be given a
//! key. [`logging`] writes stderr and the log file. [`command`] holds the subcommands, a file each.
//!
//! [`protocol`] has the words of the specification that are decided by: methods, lists, versions;
//! [`time`] is how time reaches those who decide. [`message`] reads the JSON-RPC envelope over the
//! raw bytes of a message; those bytes are never written back from a decoded form. [`local`] is the
//! stdio side: lines in, lines out. [`remote`] is the HTTP side: the client, the two transports,
//! event streams, and the words for refusals.
//!
//! [`bridge`] is the relay between them: [`bridge::state`] is a pure state machine that decides
//! everything, and a thin event loop around it does what it says. `bridge::switch` keeps one such
//! machine for each era that the client speaks, with the layers of [`era`] around it.
//!
//! [`era`] knows both eras of the protocol: which one a remote is of, what a remote of 2026-07-28
//! needs, and how to translate between the eras, a room each way. All of it is pure.
//!
//! [`auth`] signs a person or a program in with an authorization server, keeps the sign-in, and gives
//! the HTTP client the token for the next request.
//!
//! [`composio`] knows Composio's keys and URLs, and talks to its REST API: [`composio::rest`] is the
//! client, [`composio::session`] what is asked of a session and which were made here,
//! [`composio::server`] the same for MCP servers; `composio::keeper` makes a session when there is
//! none, or none any more.
//!
//! [`demo`] is the embedded sandbox remote and the scripted dialogue with it; `demo::server` is the
//! small MCP server behind it. `demo::composio` stands in for Composio's API in the same way. The
//! tests run the bridge against the sandbox, and against rmcp's server, which others wrote.
//!
//! [`kept`] writes the files that are for their owner alone, [`origin`] says whose an address is, and
//! [`json`] reads the members of what others wrote.
//!
//! [`error`] holds the one error type and its three faces: text, exit code, JSON-RPC error.
//!
//! Outside `src`, `packaging/layout.ld` tells the linker which functions an idle bridge never needs,
//! so that they do not cost it memory; a room that is seldom entered belongs on its list.
//!
//! A room still to come has its place: client configuration (`clients`).
//!
//! # How a message flows
//!
//! `stdin → local::stdin → local::lines → bridge::state decides → remote::streamable_http or
//! remote::http_sse → bridge::state → local::stdout`. A message is parsed once each way, for its
//! envelope alone. What goes out is the bytes that came in, unless an id has to be replaced (a
//! request repeated within a session), a tool is hidden, or a line break has to become a space.
//! Where client and remote are of different eras, the members that the specification moved are
//! rewritten, and every other byte of `params`, `result` and `_meta` stays what it was.
//!
//! # The rules
//!
//! 1. Deciding is pure, doing is thin: [`message`], [`era`], `bridge::state` and the policies import no
//!    runtime, no HTTP client and no clock; time and randomness are arguments. A test checks it.
//! 2. One file a transport, alike and not clever: a transport moves messages and reports how it
//!    ended. One task owns all state; there is no lock in `bridge`.
//! 3. Every edge is crossed once: one function builds the configuration, one type words errors,
//!    one task writes stdout.
//! 4. Every request of the client gets exactly one answer, unless the client gave it up.
//! 5. Nothing is executed twice: a `tools/call` that may have reached the remote is never sent
//!    again.
//! 6. Nothing the remote does ends the process.
//! 7. A healthy run writes nothing to stderr.

pub mod auth;
pub mod bridge;
pub mod cli;
pub mod command;
pub mod composio;
pub mod config;
pub mod demo;
pub mod era;
pub mod error;
pub mod json;
pub mod kept;
pub mod local;
pub mod logging;
pub mod message;
pub mod origin;
pub mod protocol;
pub mod remote;
pub mod time;
