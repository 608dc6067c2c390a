//! The two sides of the bridge, one for each era that the local client may speak, and which
//! message goes to which. Pure, as all that it is made of.
//!
//! A client of 2024-11-05 to 2025-11-25 has the legacy side to itself; it begins with the first
//! message and looks for a remote at `initialize`. The modern side begins with the first request
//! that carries the metadata of 2026-07-28. Most clients use one of them; one that tries both has
//! both, and neither knows of the other.

mod front;
mod side;

use bytes::Bytes;

use super::state::{Action, Input, Known, OWN_ID, Settings, State, Transport, trim};
use crate::{
    config::Protocol,
    era::{
        promised::Promised,
        to_legacy::{ToLegacy, refuse_held},
    },
    message::Message,
    remote::event::ExchangeId,
    time::{Millis, Now},
};
use front::{Said, classify};
use side::{Ask, Make, RANGE, Side};

/// How many parts of a side number exchanges.
const PARTS: ExchangeId = 4;

/// How often the modern side may change its mind about the remote's era.
const MOST_TURNS: u8 = 2;

/// Both sides.
#[derive(Debug)]
pub struct Switch {
    settings: Settings,
    secret: [u8; 32],
    token: u32,
    legacy: Side,
    modern: Option<Side>,
    /// Sides that have been made, so that none shares its numbers with another.
    made: ExchangeId,
    turns: u8,
    /// What the modern client was told in the remote's place, until a side takes it over.
    promised: Promised,
    /// The sides that wait for what was remembered, in order; whether it is the modern one.
    recalls: std::collections::VecDeque<bool>,
    is_closed: bool,
    is_over: bool,
}

impl Switch {
    /// Two sides that have seen nothing yet. `secret` is what nobody else can guess.
    pub fn new(settings: Settings, secret: [u8; 32], now: Now) -> Self {
        let token = (now.random * f64::from(u32::MAX)) as u32;
        let legacy = State::new(settings.clone(), now);
        let make = make(&settings, token, 0, true);
        Switch {
            settings,
            secret,
            token,
            legacy: Side::new(legacy, None, make),
            modern: None,
            made: 1,
            turns: 0,
            promised: Promised::default(),
            recalls: std::collections::VecDeque::new(),
            is_closed: false,
            is_over: false,
        }
    }

    /// When [`Input::Tick`] is due, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Millis> {
        let modern = self.modern.as_ref().and_then(Side::next_deadline);
        [self.legacy.next_deadline(), modern].into_iter().flatten().min()
    }

    /// Takes in what happened; what is to be done about it is added to `actions`.
    pub fn handle(&mut self, input: Input, now: Now, actions: &mut Vec<Action>) {
        match input {
            Input::Line(line) => self.on_line(line, now, actions),
            Input::Message(message) => self.on_message(message, now, actions),
            Input::LongLine => self.tell(false, Input::LongLine, now, actions),
            Input::Remote(event) => {
                let is_modern = self.is_of_modern(event.exchange());
                match is_modern {
                    Some(is_modern) => self.tell(is_modern, Input::Remote(event), now, actions),
                    None => tracing::debug!("an event of a side that is gone"),
                }
            }
            Input::Recalled(memory) => {
                if let Some(is_modern) = self.recalls.pop_front() {
                    self.tell(is_modern, Input::Recalled(memory), now, actions);
                }
            }
            Input::SignIn(news) => {
                self.tell_both(|| Input::SignIn(news.clone()), now, actions);
            }
            Input::Earnest => self.tell_both(|| Input::Earnest, now, actions),
            Input::Tick => self.tell_both(|| Input::Tick, now, actions),
            Input::Stop => self.tell_both(|| Input::Stop, now, actions),
            Input::LocalClosed => {
                self.is_closed = true;
                self.tell_both(|| Input::LocalClosed, now, actions);
            }
        }
        let is_done = self.legacy.is_done() && self.modern.as_ref().is_none_or(Side::is_done);
        if is_done && !std::mem::replace(&mut self.is_over, true) {
            actions.push(Action::Exit);
        }
    }

    fn on_line(&mut self, line: Bytes, now: Now, actions: &mut Vec<Action>) {
        let line = trim(line);
        if line.is_empty() {
            return;
        }
        match Message::parse(line.clone()) {
            Ok(message) => self.on_message(message, now, actions),
            // What is no single message is the legacy side's to refuse, or to take apart.
            Err(_) => self.tell(false, Input::Line(line), now, actions),
        }
    }

    fn on_message(&mut self, message: Message, now: Now, actions: &mut Vec<Action>) {
        match classify(message) {
            Said::Legacy(message) => self.tell(false, Input::Message(message), now, actions),
            Said::Modern(message) => self.hear_modern(message, now, actions),
            Said::Either(message) => {
                let is_modern = self.modern.is_some() && !self.is_about_legacy(&message);
                self.tell(is_modern, Input::Message(message), now, actions);
            }
            Said::Refused(answer) => {
                self.legacy.core_mut().note_modern_client();
                actions.push(Action::Write(answer));
            }
        }
    }

    /// Whether a notification that does not say so is for the legacy side, where both are in use.
    fn is_about_legacy(&self, message: &Message) -> bool {
        let legacy = self.legacy.core();
        match message.param("requestId") {
            Some(id) if message.method() == "notifications/cancelled" => legacy.has_request(id),
            _ => legacy.has_client(),
        }
    }

    fn hear_modern(&mut self, message: Message, now: Now, actions: &mut Vec<Action>) {
        if self.modern.is_none() {
            self.legacy.core_mut().note_modern_client();
            let is_legacy = match self.settings.protocol {
                Protocol::Auto => self.settings.known.is_some_and(|known| known.is_legacy(now)),
                Protocol::Legacy => true,
                Protocol::Modern => false,
            };
            self.modern = Some(self.modern_side(is_legacy, now));
        }
        self.tell_modern(message, now, actions);
    }

    fn tell_modern(&mut self, message: Message, now: Now, actions: &mut Vec<Action>) {
        let is_passed_on = self.turns > 0 && self.modern.as_ref().is_some_and(Side::is_transparent);
        let refused = is_passed_on.then(|| refuse_held(&self.secret, &message)).flatten();
        match refused {
            Some(answer) => actions.push(Action::Write(answer)),
            None => self.tell(true, Input::Message(message), now, actions),
        }
    }

    /// The side for a modern client.
    fn modern_side(&mut self, is_legacy: bool, now: Now) -> Side {
        let first = self.made * PARTS * RANGE;
        self.made += 1;
        let make = make(&self.settings, self.token, first, false);
        let mut settings = self.settings.clone();
        if !is_legacy {
            return Side::new(State::sessionless(settings, now).numbered(first), None, make);
        }
        let may_turn = settings.protocol == Protocol::Auto && self.turns < MOST_TURNS;
        settings.protocol = Protocol::Legacy;
        let own_id = format!("{}b{}-", make.own_id, self.made);
        let above = Box::new(
            ToLegacy::new(self.secret, &own_id, settings.input_wait)
                .numbered(u64::from(self.turns) << 32)
                .promising(std::mem::take(&mut self.promised)),
        );
        let core = State::new(settings, now).numbered(first).translated(may_turn);
        Side::new(core, Some(above), make)
    }

    /// The modern side's remote is of the other era than it was taken for: the side begins anew.
    fn turn(
        &mut self,
        unanswered: Vec<Message>,
        is_legacy: bool,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        self.turns += 1;
        self.settings.known = None;
        if is_legacy {
            let known = Known { transport: Transport::StreamableHttp, at: now.wall };
            self.settings.known = Some(known);
            actions.push(Action::RememberTransport(known));
        }
        let side = self.modern_side(is_legacy, now);
        self.modern = Some(side);
        for message in unanswered {
            self.tell_modern(message, now, actions);
        }
        if self.is_closed {
            self.tell(true, Input::LocalClosed, now, actions);
        }
    }

    fn is_of_modern(&self, exchange: ExchangeId) -> Option<bool> {
        match exchange / (PARTS * RANGE) {
            0 => Some(false),
            side if side + 1 == self.made => Some(true),
            _ => None,
        }
    }

    /// How much is kept, by name; everything that may be kept only while something waits for it.
    #[cfg(test)]
    fn sizes(&self) -> Vec<(&'static str, usize)> {
        let mut all = self.legacy.sizes();
        all.extend(self.modern.iter().flat_map(Side::sizes));
        all.push(("recalls", self.recalls.len()));
        all
    }

    fn tell_both(&mut self, input: impl Fn() -> Input, now: Now, actions: &mut Vec<Action>) {
        self.tell(false, input(), now, actions);
        if self.modern.is_some() {
            self.tell(true, input(), now, actions);
        }
    }

    fn tell(&mut self, is_modern: bool, input: Input, now: Now, actions: &mut Vec<Action>) {
        let side = match &mut self.modern {
            Some(modern) if is_modern => modern,
            _ => &mut self.legacy,
        };
        let mut asks = Vec::new();
        side.handle(input, now, actions, &mut asks);
        for ask in asks {
            match ask {
                Ask::OtherEra { messages, promised, is_legacy } => {
                    self.promised = promised;
                    self.turn(messages, is_legacy, now, actions);
                }
                Ask::Recall => {
                    self.recalls.push_back(is_modern);
                    actions.push(Action::Recall);
                }
            }
        }
    }
}

fn make(settings: &Settings, token: u32, first: ExchangeId, translates: bool) -> Make {
    let host = settings.origin.split("//").nth(1).unwrap_or(&settings.origin).to_owned();
    let own_id = format!("{OWN_ID}{token:08x}-");
    Make { host, exchanges: first + RANGE, own_id, translates, input_wait: settings.input_wait }
}

#[cfg(test)]
mod tests;
