//! Which transports are tried, in which order, and what is remembered of it.

use super::{Action, Known, Purpose, State, Timer, Transport, link::Link};
use crate::{
    config::{Protocol, Strategy},
    era::detect::{Outcome, suggests_modern},
    message::{Message, member},
    remote::{event::End, refusal},
    time::Millis,
};

/// How long `server/discover` may take where `initialize` is answered already.
const SECOND_OPINION: Millis = 2000;

impl State {
    /// The transports in the order to try them; what worked last goes first.
    pub(super) fn transports(&self) -> Vec<Transport> {
        use Transport::{HttpSse, Modern, StreamableHttp};
        let mut order = match self.settings.strategy {
            _ if self.settings.protocol == Protocol::Modern => vec![Modern],
            Strategy::HttpFirst => vec![StreamableHttp, HttpSse, Modern],
            Strategy::SseFirst => vec![HttpSse, StreamableHttp, Modern],
            Strategy::HttpOnly => vec![StreamableHttp, Modern],
            Strategy::SseOnly => vec![HttpSse],
        };
        if self.settings.protocol == Protocol::Legacy {
            order.retain(|transport| *transport != Modern);
        }
        if let Some(last) = self.settings.known
            && let Some(at) = order.iter().position(|transport| *transport == last.transport)
        {
            order[..=at].rotate_right(1);
        }
        order
    }

    /// The transport to try after one that has failed in this way, if any; `tried` are those that
    /// have failed in this round.
    pub(super) fn next_transport(
        &self,
        tried: &[Transport],
        purpose: &Purpose,
        end: &End,
    ) -> Option<Transport> {
        let mut left = self.transports();
        left.retain(|transport| !tried.contains(transport));
        let is_sse = self.connection.transport == Transport::HttpSse;
        if suggests_modern(Outcome::End(end)) && left.contains(&Transport::Modern) {
            return Some(Transport::Modern);
        }
        let is_other = match end {
            End::Status(refused) => refusal::suggests_other_transport(refused.status),
            End::Malformed(_) => is_sse && matches!(purpose, Purpose::Stream),
            End::NotModern(_) => true,
            _ => false,
        };
        // Who knows no POST knows nothing of 2026-07-28 either.
        let knows_post = |transport: &Transport| {
            *transport != Transport::Modern || is_sse || !is_status(end, 405)
        };
        left.into_iter().find(knows_post).filter(|_| is_other)
    }

    /// The remote has refused `initialize` as modern ones do: it is asked as one from now on, and
    /// that refusal is not what the client has to read.
    pub(super) fn lean_to_modern(&mut self) {
        self.settings.known = Some(Known { transport: Transport::Modern, at: self.now.wall });
        self.is_leaning = true;
        if let Link::Opening(opening) = &mut self.link {
            opening.answer = None;
        }
    }

    /// Keeps which transport worked, where that is worth knowing.
    pub(super) fn remember_transport(&mut self, is_news: bool) {
        let transport = self.connection.transport;
        let is_known = self.settings.known.is_some_and(|known| known.transport == transport);
        // Of a remote that was only taken for a modern one, nothing is kept yet.
        let is_news = is_news || std::mem::take(&mut self.is_leaning);
        if !is_news && (is_known || self.transports()[0] == transport) {
            return;
        }
        let known = Known { transport, at: self.now.wall };
        self.settings.known = Some(known);
        self.act(Action::RememberTransport(known));
    }

    /// Whether a remote that has answered `initialize` may be worth more as a modern one: without
    /// a session it can ask the client nothing and announce nothing (INV-7).
    pub(super) fn wants_second_opinion(&self, result: &str) -> bool {
        let is_fresh = self.settings.known.is_some_and(|known| known.is_legacy(self.now));
        let Link::Opening(opening) = &self.link else { return false };
        let tried = |transport| opening.failures.iter().any(|(tried, _)| *tried == transport);
        let can_answer = self
            .local
            .initialize
            .as_ref()
            .and_then(|initialize| initialize.param("capabilities"))
            .is_some_and(|all| {
                ["roots", "sampling", "elicitation"].iter().any(|one| member(all, one).is_some())
            });
        let capabilities = member(result, "capabilities").unwrap_or("{}");
        let announces = ["tools", "prompts", "resources"].iter().any(|list| {
            let says =
                |what| member(capabilities, list).and_then(|one| member(one, what)) == Some("true");
            says("listChanged") || says("subscribe")
        });
        self.settings.protocol == Protocol::Auto
            && self.connection.transport == Transport::StreamableHttp
            && self.connection.session.is_none()
            && !opening.is_recovery
            && !is_fresh
            && !tried(Transport::Modern)
            && (can_answer || announces)
    }

    /// Asks for it; the answer there is, is kept.
    pub(super) fn ask_second_opinion(&mut self, answer: &Message) {
        let Link::Opening(opening) = &mut self.link else { return };
        opening.legacy_answer = Some(answer.clone());
        self.connection.transport = Transport::Modern;
        self.connection.generation += 1;
        self.send_initialize();
        self.after(SECOND_OPINION, Timer::SecondOpinion(self.connection.generation));
    }

    pub(super) fn on_second_opinion_due(&mut self, generation: u32) {
        if generation == self.connection.generation && matches!(self.link, Link::Opening(_)) {
            self.take_legacy_answer(false);
        }
    }

    /// The remote is not modern, or does not say: its answer to `initialize` counts. Gives back
    /// whether there was one. It is remembered where the remote `is_legacy` for certain.
    pub(super) fn take_legacy_answer(&mut self, is_legacy: bool) -> bool {
        let Link::Opening(opening) = &mut self.link else { return false };
        let Some(answer) = opening.legacy_answer.take() else { return false };
        self.forget_connection();
        self.connection.transport = Transport::StreamableHttp;
        if is_legacy {
            self.remember_transport(true);
        }
        self.accept_handshake(&answer);
        true
    }
}

fn is_status(end: &End, status: u16) -> bool {
    matches!(end, End::Status(refused) if refused.status == status)
}
