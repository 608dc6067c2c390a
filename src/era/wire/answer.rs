//! What a modern remote says, on its way up.

use bytes::Bytes;
use memchr::memmem;
use tracing::debug;

use super::{Flight, Role, Wire, end, repair::Repair};
use crate::{
    era::{
        Step,
        detect::{self, Outcome, Verdict},
    },
    message::{Kind, Message, same_id},
    remote::event::{End, Event, ExchangeId},
    time::Now,
};

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// As an event of a stream, which is still open.
    Stream,
    /// As the whole body, with which the exchange is over.
    Body,
}

impl Carrier {
    /// The report of a message to the layer above. A modern remote has no sessions (MH-8).
    pub(super) fn event(self, exchange: ExchangeId, bytes: Bytes) -> Event {
        match self {
            Carrier::Stream => Event::Message { exchange, bytes },
            Carrier::Body => Event::Answer { exchange, bytes, session: None },
        }
    }
}

impl Flight {
    /// Whether a request of our own runs in its place.
    fn is_listing(&self) -> bool {
        matches!(self.role, Role::ToolsCall(Repair::Listing(_)))
    }

    /// Whether messages for it pass as they are, unless they say something that concerns us.
    fn is_transparent(&self) -> bool {
        let is_simple = matches!(self.role, Role::Plain | Role::ToolsCall(_));
        is_simple && self.renamed.is_none() && !self.is_listing()
    }

    /// An answer under the id that the request came with.
    fn restore(&self, answer: Message) -> Message {
        match (&self.renamed, answer.id()) {
            (Some(renamed), Some(id)) if same_id(id, &renamed.sent) => {
                Message::parse(answer.with_id(&renamed.came)).unwrap_or(answer)
            }
            _ => answer,
        }
    }
}

impl Wire {
    pub(super) fn on_event(&mut self, event: Event, now: Now, steps: &mut Vec<Step>) {
        let (Event::Opened { exchange, .. }
        | Event::Endpoint { exchange, .. }
        | Event::Message { exchange, .. }
        | Event::Answer { exchange, .. }
        | Event::Ended { exchange, .. }) = event;
        let above = self.aliases.get(&exchange).copied().unwrap_or(exchange);
        let flight = self.flights.get(&above).filter(|flight| flight.below == Some(exchange));
        let Some(flight) = flight else {
            debug!(exchange, "ignored what came for an exchange that is over");
            return;
        };
        match event {
            Event::Opened { .. } if flight.is_listing() || flight.is_reopening() => {}
            Event::Opened { .. } => {
                steps.push(Step::Up(Event::Opened { exchange: above, session: None }));
            }
            Event::Endpoint { .. } => {}
            Event::Message { bytes, .. } => {
                self.on_text(above, bytes, Carrier::Stream, now, steps);
            }
            Event::Answer { bytes, .. } => {
                self.land(above);
                self.on_text(above, bytes, Carrier::Body, now, steps);
            }
            Event::Ended { end, .. } => {
                self.land(above);
                self.on_ended(above, end, now, steps);
            }
        }
    }

    fn on_text(
        &mut self,
        above: ExchangeId,
        bytes: Bytes,
        carrier: Carrier,
        now: Now,
        steps: &mut Vec<Step>,
    ) {
        let Some(flight) = self.flights.get_mut(&above) else { return };
        if flight.is_transparent() && !is_telling(&bytes) {
            // Without a method it is an answer.
            flight.is_answered = true;
            return self.pass(above, bytes, carrier, steps);
        }
        match Message::parse(bytes.clone()) {
            Ok(message) => self.on_message(above, message, carrier, now, steps),
            Err(_) if bytes.trim_ascii_start().first() == Some(&b'[') => {
                let why = "an array of messages, which this protocol version does not have";
                self.on_useless(above, why, carrier, now, steps);
            }
            Err(invalid) if flight.is_listing() || matches!(flight.role, Role::Listen(_)) => {
                self.on_useless(above, &invalid.to_string(), carrier, now, steps);
            }
            // The layer above says what is wrong with it.
            Err(_) => self.pass(above, bytes, carrier, steps),
        }
    }

    fn on_message(
        &mut self,
        above: ExchangeId,
        message: Message,
        carrier: Carrier,
        now: Now,
        steps: &mut Vec<Step>,
    ) {
        match message.kind() {
            // Servers never ask on a stream (MH-42).
            Kind::Request => self.on_useless(above, "a request", carrier, now, steps),
            Kind::Notification => self.on_notification(above, &message, carrier, now, steps),
            Kind::Response => self.on_response(above, message, carrier, now, steps),
        }
    }

    fn on_notification(
        &mut self,
        above: ExchangeId,
        message: &Message,
        carrier: Carrier,
        now: Now,
        steps: &mut Vec<Step>,
    ) {
        if message.method() == "notifications/tools/list_changed" {
            self.tools.forget();
        }
        let Some(flight) = self.flights.get(&above) else { return };
        if carrier == Carrier::Body {
            return self.on_useless(above, "a notification", carrier, now, steps);
        }
        match flight.role {
            Role::Listen(_) => self.on_listen_notification(above, message, steps),
            _ if flight.is_listing() => {}
            _ => self.pass(above, message.bytes().clone(), carrier, steps),
        }
    }

    fn on_response(
        &mut self,
        above: ExchangeId,
        answer: Message,
        carrier: Carrier,
        now: Now,
        steps: &mut Vec<Step>,
    ) {
        let Some(flight) = self.flights.get(&above) else { return };
        if flight.is_listing() {
            return self.on_page(above, &answer, carrier, steps);
        }
        if self.repeats(above, Outcome::Answer(&answer)) {
            return self.repeat(above, steps);
        }
        let Some(flight) = self.flights.get_mut(&above) else { return };
        flight.is_answered = true;
        let answer = flight.restore(answer);
        match flight.role {
            Role::ToolsList { is_first } => self.on_tools(above, &answer, is_first, carrier, steps),
            Role::Listen(_) => self.on_listen_response(above, &answer, carrier, now, steps),
            Role::Plain | Role::ToolsCall(_) => {
                self.pass(above, answer.bytes().clone(), carrier, steps);
            }
        }
    }

    /// A page of the client's own `tools/list` (MH-31, MH-36).
    fn on_tools(
        &mut self,
        above: ExchangeId,
        answer: &Message,
        is_first: bool,
        carrier: Carrier,
        steps: &mut Vec<Step>,
    ) {
        let bytes = match answer.result().and_then(|result| self.learn(result, is_first, steps)) {
            Some(shown) => answer.with_result(&shown),
            None => answer.bytes().clone(),
        };
        self.pass(above, bytes, carrier, steps);
    }

    /// Learns from a page of tools; gives it without those that are left out, where there are any.
    pub(super) fn learn(
        &mut self,
        result: &str,
        is_first: bool,
        steps: &mut Vec<Step>,
    ) -> Option<String> {
        let mut warnings = Vec::new();
        let shown = self.tools.learn(result, is_first, &mut warnings);
        steps.extend(warnings.into_iter().map(Step::Warn));
        shown
    }

    /// Hands a message up.
    pub(super) fn pass(
        &mut self,
        above: ExchangeId,
        bytes: Bytes,
        carrier: Carrier,
        steps: &mut Vec<Step>,
    ) {
        if carrier == Carrier::Body {
            self.forget(above);
        }
        steps.push(Step::Up(carrier.event(above, bytes)));
    }

    /// Something that is no answer. In the place of the answer it ends the exchange; beside it, it
    /// is nothing.
    fn on_useless(
        &mut self,
        above: ExchangeId,
        what: &str,
        carrier: Carrier,
        now: Now,
        steps: &mut Vec<Step>,
    ) {
        match carrier {
            Carrier::Stream => debug!(exchange = above, "ignored on a stream: {what}"),
            Carrier::Body => {
                self.on_ended(above, End::Malformed(format!("the answer is {what}")), now, steps);
            }
        }
    }

    fn on_ended(&mut self, above: ExchangeId, mut how: End, now: Now, steps: &mut Vec<Step>) {
        if let End::Stream(stream) = &mut how {
            // There is no resumption (MH-45).
            stream.last_event_id = None;
            stream.retry = None;
        }
        if self.repairs(above, &how) {
            return self.repair(above, how, steps);
        }
        let Some(flight) = self.flights.get_mut(&above) else { return };
        if let Role::ToolsCall(Repair::Listing(listing)) = &mut flight.role {
            let refusal = listing.take_refusal();
            self.forget(above);
            return end(above, refusal, steps);
        }
        if self.repeats(above, Outcome::End(&how)) {
            return self.repeat(above, steps);
        }
        if self.survives(above) {
            return self.on_listen_ended(above, how, now, steps);
        }
        self.forget(above);
        end(above, how, steps);
    }

    /// Whether a refusal asks for the same request once more (T62).
    fn repeats(&self, above: ExchangeId, outcome: Outcome<'_>) -> bool {
        let Some(flight) = self.flights.get(&above) else { return false };
        let is_refusal = match outcome {
            Outcome::Answer(answer) => answer.error().is_some(),
            Outcome::End(end) => matches!(end, End::Status(_)),
        };
        is_refusal
            && !flight.is_second
            && !flight.is_answered
            && flight.is_in_our_version()
            && detect::of_request(outcome) == Verdict::Again
    }
}

/// Whether a message may be another than a plain answer or one that concerns us. A member's name
/// is spelled out or holds escapes of `\u00`.
fn is_telling(bytes: &[u8]) -> bool {
    let holds = |needle: &[u8]| memmem::find(bytes, needle).is_some();
    let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
    !is_object || holds(b"\"method\"") || holds(b"-3202") || holds(b"\\u00")
}
