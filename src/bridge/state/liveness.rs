//! Whether the remote is still there: `--keep-alive`, and a machine that slept.

use super::{Action, Link, Own, State, Timer};
use crate::{
    bridge::pending::{Request, Stage},
    time::{Millis, Now},
};

/// How far the wall clock must run ahead before the machine has slept, in milliseconds.
const SLEPT: u64 = 10_000;

/// How long after a sleep the stream of HTTP+SSE may take to bring something.
const WOKEN: Millis = 15_000;

/// How many pings in a row may stay unanswered, with nothing else heard either.
const MISSED: u8 = 2;

impl State {
    pub(super) fn schedule_ping(&mut self) {
        let is_scheduled = self.timers.values().any(|timer| matches!(timer, Timer::Ping));
        // 2026-07-28 knows no ping.
        let interval =
            self.settings.ping_interval.filter(|interval| *interval > 0 && !self.is_modern());
        if let Some(interval) = interval.filter(|_| !is_scheduled) {
            self.after(interval, Timer::Ping);
        }
    }

    pub(super) fn on_ping_due(&mut self) {
        let Some(interval) = self.settings.ping_interval else { return };
        self.after(interval, Timer::Ping);
        if !matches!(self.link, Link::Ready) || self.is_modern() {
            self.unanswered_pings = 0;
            return;
        }
        let is_pinging = self.own.iter().any(|(_, own)| *own == Own::Ping);
        let is_silent = self.now.mono.saturating_sub(self.heard) >= interval;
        if is_pinging && is_silent {
            self.unanswered_pings += 1;
            if self.unanswered_pings >= MISSED {
                return self.presume_dead();
            }
        } else {
            self.unanswered_pings = 0;
        }
        self.own.retain(|(_, own)| *own != Own::Ping);
        self.ask(Own::Ping, "ping", "");
    }

    /// The remote does not answer: everything that waits for it is settled, on new connections.
    fn presume_dead(&mut self) {
        self.unanswered_pings = 0;
        self.own.retain(|(_, own)| *own != Own::Ping);
        self.act(Action::Renew);
        let cause = "the remote does not answer pings";
        let waiting = self.requests.keys(|request| request.exchange().is_some());
        for key in &waiting {
            if let Some(exchange) = self.requests.get(*key).and_then(Request::exchange) {
                self.abort(exchange);
            }
        }
        if self.is_sse() {
            return self.lose_session(self.connection.generation, cause);
        }
        for key in waiting {
            match self.requests.get(key).map(|request| &request.stage) {
                Some(Stage::Resuming(_)) => self.resume_later(key, cause),
                _ => self.repeat_or_fail(key, cause),
            }
        }
        self.listen_anew();
    }

    /// A stream that was open before the machine slept has had its time to show that it works.
    pub(super) fn on_wake_due(&mut self, generation: u32, woken: Millis) {
        if generation == self.connection.generation
            && self.heard < woken
            && matches!(self.link, Link::Ready)
        {
            self.presume_dead();
        }
    }

    /// The wall clock ran ahead of the other: the machine has slept, and its connections, though
    /// they look open, may lead nowhere.
    pub(super) fn notice_sleep(&mut self, now: Now) {
        let awake = now.mono.saturating_sub(self.now.mono);
        let passed = now.wall.saturating_sub(self.now.wall);
        if passed < awake + SLEPT {
            return;
        }
        self.now = now;
        self.act(Action::Renew);
        match &self.link {
            Link::Waiting(opening, _) => {
                let opening = opening.clone();
                self.open(opening);
            }
            Link::Ready if self.is_sse() => {
                self.own.retain(|(_, own)| *own != Own::Ping);
                self.ask(Own::Ping, "ping", "");
                // Even in the same millisecond, what was heard before does not count.
                self.heard = self.heard.min(now.mono.saturating_sub(1));
                self.after(WOKEN, Timer::Wake(self.connection.generation, now.mono));
            }
            _ => self.listen_anew(),
        }
    }
}
