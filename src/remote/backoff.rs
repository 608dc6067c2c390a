//! How long to wait before trying again. Pure: randomness is an argument.

use std::time::Duration;

/// Growing, capped, jittered waits.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// The first wait.
    pub base: Duration,
    /// No wait is longer.
    pub cap: Duration,
}

/// Between attempts to reach a remote that has not answered yet: short, as a client waits.
pub const CONNECT: Backoff =
    Backoff { base: Duration::from_millis(250), cap: Duration::from_secs(5) };

/// Between attempts to open an event stream again.
pub const STREAM: Backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(30) };

/// What a server that asks for no wait at all gets.
const LEAST: Duration = Duration::from_millis(100);

impl Backoff {
    /// The wait before attempt `attempt` (the first repetition is 0), shortened by up to a quarter
    /// as `random`, in 0..1, says.
    pub fn delay(self, attempt: u32, random: f64) -> Duration {
        let grown = self.base.saturating_mul(1 << attempt.min(16)).min(self.cap);
        grown.mul_f64(1.0 - 0.25 * random.clamp(0.0, 1.0))
    }

    /// The same, where the server asked for a first wait of `retry`: that is never cut short
    /// (LH-41), and further failures grow from it.
    pub fn delay_after(self, retry: Option<Duration>, attempt: u32, random: f64) -> Duration {
        match retry {
            None => self.delay(attempt, random),
            Some(retry) => {
                let cap = self.cap.max(retry);
                let grown = retry.max(LEAST).saturating_mul(1 << attempt.min(16));
                grown.min(cap).mul_f64(1.0 - 0.25 * random.clamp(0.0, 1.0)).max(retry.max(LEAST))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn grows_to_the_cap_and_jitters_downwards() {
        for (attempt, random, expected) in [
            (0, 0.0, MS(1000)),
            (1, 0.0, MS(2000)),
            (4, 0.0, MS(16000)),
            (5, 0.0, MS(30000)),
            (4_000_000_000, 0.0, MS(30000)),
            (0, 1.0, MS(750)),
            (9, 1.0, MS(22500)),
        ] {
            assert_eq!(STREAM.delay(attempt, random), expected, "{attempt} {random}");
        }
    }

    #[test]
    fn a_servers_retry_is_kept_and_never_cut_short() {
        for (retry, attempt, random, expected) in [
            (Some(MS(500)), 0, 1.0, MS(500)),
            (Some(MS(0)), 0, 0.0, MS(100)),
            (Some(MS(0)), 3, 0.0, MS(800)),
            (Some(MS(500)), 1, 0.0, MS(1000)),
            (Some(MS(60_000)), 3, 1.0, MS(60_000)),
            (None, 0, 0.0, MS(1000)),
        ] {
            assert_eq!(STREAM.delay_after(retry, attempt, random), expected, "{retry:?} {attempt}");
        }
    }
}
