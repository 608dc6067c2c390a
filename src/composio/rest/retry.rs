//! When a request is made again. Pure: randomness is an argument.

use std::time::Duration;

use crate::remote::backoff::Backoff;

/// How often a request is made again, at most.
const TIMES: u32 = 2;

/// A server that asks for a longer wait is not waited for: the person is told.
const LONGEST: Duration = Duration::from_secs(60);

/// Where the server asks for no wait.
const WAITS: Backoff = Backoff { base: Duration::from_millis(500), cap: Duration::from_secs(8) };

/// What may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Anything that changes nothing, or changes it to the same: GET, DELETE, PATCH.
    Safe,
    /// What makes something new: only where it was certainly not made the first time.
    IfNotDone,
    /// What executes a tool.
    Never,
}

/// How a request failed, as far as that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// No connection came about: it was not executed.
    Unsent,
    /// The connection broke, or no answer came: it may have been executed.
    Broken,
    /// The server refused with this status.
    Refused {
        /// The status.
        status: u16,
        /// What `x-should-retry` says.
        should: Option<bool>,
        /// The wait that the server asks for.
        after: Option<Duration>,
    },
    /// Nothing that another attempt could change.
    ForGood,
}

impl Failed {
    /// Whether the request may have been executed all the same.
    pub fn may_be_done(self) -> bool {
        match self {
            Failed::Broken => true,
            Failed::Refused { status, .. } => matches!(status, 408 | 500..=599),
            Failed::Unsent | Failed::ForGood => false,
        }
    }
}

/// The wait before the request is made again for the time `attempt` (the first repetition is 0),
/// shortened by up to a quarter as `random`, in 0..1, says; `None` where it is not.
pub fn wait(repeat: Repeat, attempt: u32, failed: Failed, random: f64) -> Option<Duration> {
    if attempt >= TIMES || !may_again(repeat, failed) {
        return None;
    }
    match failed {
        Failed::Refused { after: Some(asked), .. } => (asked < LONGEST).then_some(asked),
        _ => Some(WAITS.delay(attempt, random)),
    }
}

fn may_again(repeat: Repeat, failed: Failed) -> bool {
    match (repeat, failed) {
        (Repeat::Never, _) | (_, Failed::ForGood) => false,
        (_, Failed::Refused { should: Some(false), .. }) => false,
        (Repeat::Safe, Failed::Refused { status, should, .. }) => {
            should == Some(true) || matches!(status, 408 | 409 | 429 | 500..=599)
        }
        (Repeat::IfNotDone, Failed::Refused { status, .. }) => status == 429,
        (Repeat::Safe, Failed::Broken) => true,
        (Repeat::IfNotDone, Failed::Broken) => false,
        (_, Failed::Unsent) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn refused(status: u16) -> Failed {
        Failed::Refused { status, should: None, after: None }
    }

    #[test]
    fn only_what_is_safe_is_repeated() {
        use Repeat::{IfNotDone, Never, Safe};
        for (failed, safe, if_not_done) in [
            (Failed::Unsent, true, true),
            (Failed::Broken, true, false),
            (Failed::ForGood, false, false),
            (refused(400), false, false),
            (refused(401), false, false),
            (refused(404), false, false),
            (refused(408), true, false),
            (refused(409), true, false),
            (refused(429), true, true),
            (refused(500), true, false),
            (refused(503), true, false),
            (Failed::Refused { status: 400, should: Some(true), after: None }, true, false),
            (Failed::Refused { status: 503, should: Some(false), after: None }, false, false),
            (Failed::Refused { status: 429, should: Some(false), after: None }, false, false),
        ] {
            let may = |repeat| wait(repeat, 0, failed, 0.0).is_some();
            assert_eq!((may(Safe), may(IfNotDone)), (safe, if_not_done), "{failed:?}");
            assert!(!may(Never), "{failed:?}");
        }
    }

    #[test]
    fn waits_grow_unless_the_server_says_how_long() {
        let ms = Duration::from_millis;
        let asked = |after| Failed::Refused { status: 429, should: None, after: Some(after) };
        for (attempt, failed, random, expected) in [
            (0, refused(503), 0.0, Some(ms(500))),
            (1, refused(503), 0.0, Some(ms(1000))),
            (1, refused(503), 1.0, Some(ms(750))),
            (2, refused(503), 0.0, None),
            (0, asked(ms(20)), 1.0, Some(ms(20))),
            (0, asked(ms(59_999)), 1.0, Some(ms(59_999))),
            (0, asked(ms(60_000)), 1.0, None),
        ] {
            assert_eq!(
                wait(Repeat::Safe, attempt, failed, random),
                expected,
                "{attempt} {failed:?}"
            );
        }
    }
}
