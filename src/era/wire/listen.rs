//! Subscriptions that outlive a connection (26:subs; MD-40 to MD-44, MM-3).
//!
//! From its acknowledgement on, a subscription of the layer above lives as long as the remote
//! honours it: a stream that drops is asked for again under a new id, and what may have changed
//! meanwhile is announced.

use std::{borrow::Cow, collections::HashSet, time::Duration};

use bytes::Bytes;
use tracing::debug;

use super::{Flight, Role, Wire, answer::Carrier, end, meta};
use crate::{
    era::Step,
    message::{
        Message, elements, member,
        object::{Object, quote},
        unquote,
    },
    remote::{
        backoff::STREAM,
        event::{End, Event, ExchangeId, Refusal, StreamEnd},
        refusal,
    },
    time::{Millis, Now},
};

/// The longest `Retry-After` that is kept to.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// A stream that lasts so long has not failed, even where it brought nothing.
const SETTLED: Duration = Duration::from_secs(30);

/// A subscription.
#[derive(Debug)]
pub(super) struct Listen {
    /// The id, as a JSON token, by which the layer above knows it.
    id: String,
    /// The filter that the remote acknowledged at first, raw.
    honoured: Option<String>,
    /// Whether the stream there is now has been acknowledged.
    is_acknowledged: bool,
    /// Whether its result has gone up.
    is_over: bool,
    /// How many streams in a row have brought nothing.
    attempts: u32,
    /// When it is asked for again.
    pub(super) due: Option<Millis>,
}

impl Listen {
    pub(super) fn new(id: &str) -> Self {
        Listen {
            id: id.to_owned(),
            honoured: None,
            is_acknowledged: false,
            is_over: false,
            attempts: 0,
            due: None,
        }
    }

    /// A new stream is asked for: it has to be acknowledged of its own.
    pub(super) fn sent_again(&mut self) {
        self.is_acknowledged = false;
        self.due = None;
    }
}

/// What to do about a stream that ended.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// It is asked for again, after no less than this.
    Again(Option<Duration>),
    /// The remote does not serve it any more.
    Never,
}

impl Flight {
    /// Whether it is a subscription that the layer above takes for open.
    pub(super) fn is_reopening(&self) -> bool {
        matches!(&self.role, Role::Listen(listen) if listen.honoured.is_some())
    }
}

impl Wire {
    /// Whether the flight is a subscription that outlives its exchange.
    pub(super) fn survives(&self, above: ExchangeId) -> bool {
        let role = self.flights.get(&above).map(|flight| &flight.role);
        matches!(role, Some(Role::Listen(it)) if it.honoured.is_some() && !it.is_over)
    }

    fn listen_of(&mut self, above: ExchangeId) -> Option<&mut Listen> {
        match &mut self.flights.get_mut(&above)?.role {
            Role::Listen(listen) => Some(listen),
            _ => None,
        }
    }

    /// A notification on a listen stream. Nothing passes before the acknowledgement (MD-40).
    pub(super) fn on_listen_notification(
        &mut self,
        above: ExchangeId,
        message: &Message,
        steps: &mut Vec<Step>,
    ) {
        let Some(listen) = self.listen_of(above) else { return };
        let is_acknowledgement = message.method() == "notifications/subscriptions/acknowledged";
        if listen.is_over || listen.is_acknowledged == is_acknowledgement {
            debug!(exchange = above, "ignored on a listen stream: {}", message.summary());
            return;
        }
        if is_acknowledgement {
            listen.is_acknowledged = true;
            let filter = message.param("notifications").unwrap_or("{}");
            match &listen.honoured {
                None => listen.honoured = Some(filter.to_owned()),
                Some(before) if covers(filter, before) => return self.catch_up(above, steps),
                Some(_) => return self.end_subscription(above, steps),
            }
        } else {
            listen.attempts = 0;
        }
        let bytes = with_subscription(message, &listen.id);
        steps.push(Step::Up(Event::Message { exchange: above, bytes }));
    }

    /// The stream is there again: announces what may have changed meanwhile (XA-36, MM-3). What is
    /// known of the tools stays: it is most likely right, and repaired where it is not (MH-37).
    fn catch_up(&mut self, above: ExchangeId, steps: &mut Vec<Step>) {
        let Some(listen) = self.listen_of(above) else { return };
        let changes = changes(listen.honoured.as_deref().unwrap_or("{}"), &listen.id);
        let up = |text: String| Step::Up(Event::Message { exchange: above, bytes: text.into() });
        steps.extend(changes.into_iter().map(up));
    }

    /// The answer to a `subscriptions/listen`: its end in good order, or a refusal.
    pub(super) fn on_listen_response(
        &mut self,
        above: ExchangeId,
        answer: &Message,
        carrier: Carrier,
        now: Now,
        steps: &mut Vec<Step>,
    ) {
        let survives = self.survives(above);
        let Some(listen) = self.listen_of(above) else { return };
        if listen.is_over {
            return self.close(above, carrier, steps);
        }
        if let Some(error) = answer.error() {
            if !survives {
                return self.pass(above, answer.bytes().clone(), carrier, steps);
            }
            steps.extend(self.land(above).map(Step::Abort));
            return match after_error(error) {
                Next::Again(_) => self.listen_later(above, None, now),
                Next::Never => self.end_subscription(above, steps),
            };
        }
        listen.is_over = true;
        let bytes = with_subscription(answer, &listen.id);
        let result = Event::Message { exchange: above, bytes };
        let cancelled = Event::Message { exchange: above, bytes: cancelled(&listen.id) };
        steps.extend([Step::Up(result), Step::Up(cancelled)]);
        self.close(above, carrier, steps);
    }

    /// With a body the exchange of a subscription that is over has ended too.
    fn close(&mut self, above: ExchangeId, carrier: Carrier, steps: &mut Vec<Step>) {
        if carrier == Carrier::Body {
            self.forget(above);
            end(above, End::Stream(StreamEnd::default()), steps);
        }
    }

    /// The stream of a subscription has gone.
    pub(super) fn on_listen_ended(
        &mut self,
        above: ExchangeId,
        how: End,
        now: Now,
        steps: &mut Vec<Step>,
    ) {
        debug!(exchange = above, "a listen stream is gone: {how}");
        if let (Some(listen), End::Stream(stream)) = (self.listen_of(above), &how)
            && stream.lived >= SETTLED
        {
            listen.attempts = 0;
        }
        match after(&how) {
            Next::Again(asked) => self.listen_later(above, asked, now),
            Next::Never => self.end_subscription(above, steps),
        }
    }

    fn listen_later(&mut self, above: ExchangeId, asked: Option<Duration>, now: Now) {
        let Some(listen) = self.listen_of(above) else { return };
        let wait = STREAM.delay(listen.attempts, now.random);
        let wait = wait.max(asked.unwrap_or_default().min(LONGEST_WAIT));
        let due = now.mono.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        listen.attempts = listen.attempts.saturating_add(1);
        listen.due = Some(due);
        self.timers.insert((due, above));
    }

    /// Ends a subscription that the remote does not serve any more as it did: the result first,
    /// then the notification (MD-42, MD-43).
    fn end_subscription(&mut self, above: ExchangeId, steps: &mut Vec<Step>) {
        steps.extend(self.land(above).map(Step::Abort));
        let Some(Flight { role: Role::Listen(listen), .. }) = self.forget(above) else { return };
        let meta = subscription(&listen.id);
        let id = &listen.id;
        let result = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"complete","_meta":{meta}}}}}"#
        );
        for bytes in [result.into(), cancelled(id)] {
            steps.push(Step::Up(Event::Message { exchange: above, bytes }));
        }
        end(above, End::Stream(StreamEnd::default()), steps);
    }
}

/// What to do once the stream of a subscription ended like this.
fn after(end: &End) -> Next {
    match end {
        End::Status(refused) => after_status(refused),
        End::Redirected(_) | End::Unusable(_) | End::NotModern(_) => Next::Never,
        End::Stream(_)
        | End::Accepted(_)
        | End::Unsent(_)
        | End::Broken(_)
        | End::Silent(_)
        | End::Malformed(_)
        | End::TooLarge(_) => Next::Again(None),
    }
}

fn after_status(refused: &Refusal) -> Next {
    let answer = refusal::json_rpc_error(refused);
    if let Some(error) = answer.as_ref().and_then(Message::error)
        && after_error(error) == Next::Never
    {
        return Next::Never;
    }
    // A credential may be good again.
    let is_passing = refusal::is_passing(refused.status) && refused.status != 501;
    if is_passing || matches!(refused.status, 401 | 403 | 407) {
        Next::Again(refused.retry_after)
    } else {
        Next::Never
    }
}

/// What an error in the place of a stream says: these codes will not change by waiting.
fn after_error(error: &str) -> Next {
    let never = ["-32600", "-32601", "-32602", "-32020", "-32021", "-32022"];
    match member(error, "code") {
        Some(code) if never.contains(&code) => Next::Never,
        _ => Next::Again(None),
    }
}

/// Whether the acknowledged filter `now` honours all that `before` did (MD-41).
fn covers(now: &str, before: &str) -> bool {
    let Some(before) = Object::parse(before) else { return true };
    before.iter().all(|(kind, wanted)| {
        let given = member(now, &kind).unwrap_or("null");
        if wanted.starts_with('[') {
            let given: HashSet<Cow<'_, str>> = texts(given).collect();
            texts(wanted).all(|text| given.contains(&text))
        } else {
            wanted != "true" || given == "true"
        }
    })
}

/// The strings of an array.
fn texts(array: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let items = elements(array.as_bytes()).unwrap_or_default();
    items.into_iter().map(|item| unquote(item.get()))
}

/// One notification for everything that a filter covers.
fn changes(filter: &str, id: &str) -> Vec<String> {
    let meta = subscription(id);
    let mut all = Vec::new();
    for list in ["tools", "prompts", "resources"] {
        if member(filter, &format!("{list}ListChanged")) == Some("true") {
            all.push(format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/{list}/list_changed","params":{{"_meta":{meta}}}}}"#
            ));
        }
    }
    let uris = member(filter, "resourceSubscriptions").unwrap_or("[]");
    for uri in elements(uris.as_bytes()).unwrap_or_default() {
        all.push(format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":{},"_meta":{meta}}}}}"#,
            uri.get()
        ));
    }
    all
}

/// The `_meta` of what belongs to a subscription.
fn subscription(id: &str) -> String {
    format!("{{{}:{id}}}", quote(meta::SUBSCRIPTION_ID))
}

/// On stdio the end of a subscription is also told by this (MD-43).
fn cancelled(id: &str) -> Bytes {
    let text = format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
    );
    text.into()
}

/// A notification or a result, with `id` as the subscription it belongs to.
fn with_subscription(message: &Message, id: &str) -> Bytes {
    let outer = message.result().or(message.params());
    let inner = outer.and_then(|outer| member(outer, "_meta"));
    let is_known = inner.and_then(|inner| member(inner, meta::SUBSCRIPTION_ID)) == Some(id);
    let outer = Object::parse(outer.unwrap_or("{}"));
    let inner = Object::parse(inner.unwrap_or("{}"));
    let (Some(mut outer), Some(mut inner), false) = (outer, inner, is_known) else {
        return message.bytes().clone();
    };
    inner.set(meta::SUBSCRIPTION_ID, id);
    outer.set("_meta", inner.to_string());
    match message.result() {
        Some(_) => message.with_result(&outer.to_string()),
        None => message.with_params(&outer.to_string()),
    }
}
