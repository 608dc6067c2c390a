//! What a person reads where no connection comes about.

use super::{State, Transport};
use crate::{
    error::{Error, Kind},
    remote::{event::End, hint, refusal},
};

impl State {
    pub(super) fn connect_attempt(&self) -> String {
        format!("could not connect to {}", self.settings.origin)
    }

    /// The sentence for an end.
    pub(super) fn explain(&self, attempted: &str, end: &End) -> Error {
        match end {
            End::Status(refused) => refusal::describe(attempted, refused),
            End::Unsent(cause) | End::Broken(cause) => {
                let error = Error::new(Kind::Unreachable, attempted).because(cause.as_str());
                with_network_hint(error, cause)
            }
            End::Silent(limit) => Error::new(Kind::Unreachable, attempted)
                .because(format!("no answer for {}s", limit.as_secs_f64())),
            End::Stream(end) => Error::new(Kind::Unreachable, attempted)
                .because(end.broken.clone().unwrap_or_else(|| "the stream ended early".to_owned())),
            End::NotModern(cause) => Error::new(Kind::Protocol, attempted).because(cause.as_str()),
            End::TooLarge(cause) => Error::new(Kind::Limit, attempted).because(cause.as_str()),
            End::Malformed(cause) => Error::new(Kind::Protocol, attempted)
                .because(cause.as_str())
                .hint("check that the URL is an MCP endpoint"),
            End::Accepted(status) => Error::new(Kind::Protocol, attempted)
                .because(format!("HTTP {status} without an answer")),
            End::Redirected(origin) => self.redirected(attempted, origin),
            End::Unusable(error) => error.clone(),
        }
    }
}

/// Whether trying again can help without anybody changing anything.
pub(super) fn is_passing(end: &End) -> bool {
    match end {
        End::Unsent(_) | End::Broken(_) | End::Silent(_) | End::Stream(_) => true,
        End::Status(refused) => refusal::is_passing(refused.status),
        End::Accepted(_) | End::Malformed(_) | End::TooLarge(_) => false,
        End::Unusable(error) => {
            let is_refused = error.http_status().is_some_and(refusal::is_passing);
            is_refused || error.kind() == Kind::Unreachable
        }
        End::Redirected(_) | End::NotModern(_) => false,
    }
}

/// Where two transports were tried, both failures are told.
pub(super) fn with_all_attempts(error: Error, failures: &[(Transport, Error)]) -> Error {
    if failures.len() < 2 {
        return error;
    }
    let texts = failures.iter().map(|(transport, error)| {
        let name = match transport {
            Transport::StreamableHttp => "Streamable HTTP",
            Transport::HttpSse => "HTTP+SSE",
            Transport::Modern => "MCP 2026-07-28",
        };
        format!("over {name}: {}", error.cause())
    });
    // A credential that is refused somewhere is what there is to do something about.
    let telling = failures.iter().find(|(_, error)| error.kind() == Kind::Authorization);
    let first = &telling.unwrap_or(&failures[0]).1;
    let mut all = Error::new(first.kind(), first.attempted());
    all = all.because(texts.collect::<Vec<_>>().join("; "));
    if let Some(status) = first.http_status() {
        all = all.with_status(status);
    }
    match first.hints() {
        [] => all.hint("check that the URL is an MCP endpoint"),
        hints => hints.iter().fold(all, |all, hint| all.hint(hint)),
    }
}

/// Adds what to try, by what the network said.
pub(super) fn with_network_hint(error: Error, cause: &str) -> Error {
    error.hint(hint::of_network(cause))
}
