//! The HTTP side: moving messages, and reporting how it went.
//!
//! [`client`] makes the exchanges, through `reqwest` or, on this machine, [`direct`];
//! [`streamable_http`] and [`http_sse`] are the two transports, alike in shape: an exchange is
//! started, its [`event`]s come back, and neither retries nor decides anything. What to make of an
//! end is decided in `bridge`, with the words of [`refusal`], [`cause`] and [`hint`] and the rules of
//! [`backoff`] and [`redirect`].

pub mod backoff;
pub mod body;
mod buffer;
pub mod build;
pub mod cause;
pub mod client;
pub mod direct;
pub mod event;
pub mod field;
pub mod hint;
pub mod http_sse;
pub mod redirect;
pub mod refusal;
pub mod report;
pub mod sse;
pub mod streamable_http;
