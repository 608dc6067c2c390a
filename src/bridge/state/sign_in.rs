//! What happens while somebody signs in: what the client is told meanwhile, and how it goes on.
//!
//! Without a token there is no connection, and [`Link::SigningIn`] is where it stands until there
//! is one. A token that is not good for one request (403, `insufficient_scope`) stops nothing but
//! that request, which waits for the person's consent.

use serde_json::json;

use super::{Action, Held, Link, Purpose, State, link::Opening, sessionless::DISCOVER};
use crate::{
    auth::news::{News, Want},
    bridge::pending::{Key, Stage},
    era::{
        meta,
        promised::{ACKNOWLEDGED, Promised},
    },
    error::{Error, Kind},
    message::{Message, object::Object},
    protocol::{MODERN_VERSIONS, Method},
    remote::{
        backoff::CONNECT,
        event::{End, Refusal},
    },
    time::Millis,
};

/// How soon after a sign-in a refusal means that its token is no good (AU-50).
const SETTLED: Millis = 10_000;

/// How long the same scopes are not asked for again, and how many sets of scopes may be asked for
/// in that time (AU-43).
const STEP_UP_REST: Millis = 600_000;
const MOST_STEP_UPS: usize = 3;

/// The connection, while somebody signs in.
#[derive(Debug)]
pub(super) struct Pause {
    /// Where it goes on.
    back: Back,
    since: Millis,
    /// What the remote refused for want of a token, and what it wants.
    refusal: Refusal,
    want: Want,
    /// What is told meanwhile.
    pub error: Error,
    /// Whether that says what the person has to do.
    is_told: bool,
    /// Whether the sign-in has begun: a probe alone begins none (ST-7).
    is_begun: bool,
}

/// Where the connection goes on after a sign-in.
#[derive(Debug)]
enum Back {
    /// With the handshake.
    Handshake(Opening),
    /// With this session, or without any as before.
    Link(Link),
}

/// What is known of signing in.
#[derive(Debug, Default)]
pub(super) struct SigningIn {
    /// Nothing but a probe has come so far.
    is_probed: bool,
    /// It came to nothing, and is not begun again by itself (AU-55).
    is_declined: bool,
    /// Why it came to nothing the last time.
    why: Option<Error>,
    /// It could not even begin; not tried before this time, and how often that was so.
    not_before: Millis,
    failures: u32,
    /// When somebody last signed in.
    at: Option<Millis>,
    /// The requests that wait for more scopes.
    stepping_up: Vec<Key>,
    /// What they are told if that takes long.
    step_up: Option<Error>,
    /// The scopes that were asked for, and when.
    asked: Vec<(String, Millis)>,
    /// What was told in the remote's place.
    pub promised: Promised,
}

impl SigningIn {
    /// Until something other than a probe has come, no person is bothered.
    pub fn wait_for_earnest(&mut self) {
        self.is_probed = true;
    }
}

impl State {
    /// Something other than a probe has come from the client.
    pub(super) fn note_earnest(&mut self) {
        self.signing_in.is_probed = false;
        if let Link::SigningIn(pause) = &mut self.link
            && !std::mem::replace(&mut pause.is_begun, true)
        {
            let want = pause.want.clone();
            self.act(Action::SignIn(want));
        }
    }

    /// What a refusal asks for, where that may be had now.
    fn wanted(&mut self, refused: &Refusal) -> Option<Want> {
        let want = Want::of(refused)?;
        let state = &mut self.signing_in;
        if !want.is_step_up && state.at.is_some_and(|at| self.now.mono < at + SETTLED) {
            let error = Error::new(Kind::Authorization, "signing in did not help");
            state.why = Some(error.because("the server refuses the token that it brought"));
            state.is_declined = true;
        }
        let may = !state.is_declined && self.now.mono >= state.not_before;
        may.then_some(want)
    }

    /// The remote takes the token that there is.
    pub(super) fn note_token_works(&mut self) {
        self.signing_in.is_declined = false;
        self.signing_in.why = None;
    }

    /// Whether signing in could not begin a short while ago.
    pub(super) fn sign_in_rests(&self) -> bool {
        self.now.mono < self.signing_in.not_before
    }

    /// The handshake is refused for want of a token. Whether that is waited for.
    pub(super) fn sign_in_for_handshake(&mut self, end: &End) -> bool {
        let End::Status(refused) = end else { return false };
        let Some(want) = self.wanted(refused) else { return false };
        if want.is_step_up && !self.may_step_up(&want) {
            return false;
        }
        let Link::Opening(opening) = std::mem::replace(&mut self.link, Link::Idle) else {
            return false;
        };
        self.forget_connection();
        self.pause(Back::Handshake(opening), refused, want);
        true
    }

    /// A request is refused for want of a token, or of one that is good for more. Whether that is
    /// waited for; the request did not run.
    pub(super) fn sign_in_for(&mut self, key: Key, refused: &Refusal) -> bool {
        let Some(want) = self.wanted(refused) else { return false };
        if want.is_step_up {
            return self.step_up(key, want);
        }
        let request = self.requests.get(key).filter(|_| self.sessionless);
        if request.is_some_and(|request| request.message.method() == DISCOVER) {
            // What a probe is told must not depend on a person.
            return want.challenge.is_some() && self.answer_probe(key);
        }
        let back = match &self.link {
            Link::SigningIn(_) => None,
            Link::Open => Some(Link::Open),
            Link::Ready => Some(Link::Ready),
            Link::Trial(_) => Some(Link::Trial(None)),
            _ => return false,
        };
        self.wait_in_front(key);
        if let Some(back) = back {
            self.pause(Back::Link(back), refused, want);
        }
        true
    }

    /// Holds a request before all others; it waits for the person, as long as calls wait.
    fn wait_in_front(&mut self, key: Key) {
        let deadline = self.now.mono + self.settings.call_wait;
        if let Some(request) = self.requests.get_mut(key) {
            request.stage = Stage::Held;
            request.deadline = Some(deadline);
        }
        self.held.push_front(Held::Request(key));
        self.watch_deadlines(deadline);
    }

    /// A client of 2026-07-28 that asks what there is, or to be told of changes, is not kept waiting
    /// for a person either.
    pub(super) fn hasten(&mut self, key: Key) {
        let Link::SigningIn(pause) = &self.link else { return };
        let deadline = (pause.since + self.settings.grace).max(self.now.mono);
        let Some(request) = self.requests.get_mut(key).filter(|_| self.sessionless) else { return };
        let is_acknowledged = self.signing_in.promised.has(request.id());
        if matches!(request.method, Method::List(_) | Method::Listen) {
            request.deadline = Some(deadline).filter(|_| !is_acknowledged);
            self.watch_deadlines(deadline);
        }
    }

    /// Answers such a request in the place of the remote, whose lists are empty so far. Whether it
    /// was one.
    pub(super) fn answer_for_the_absent(&mut self, key: Key) -> bool {
        if !self.sessionless || !matches!(self.link, Link::SigningIn(_)) {
            return false;
        }
        let Some(request) = self.requests.get_mut(key) else { return false };
        match request.method {
            Method::List(list) => {
                let id = request.id().to_owned();
                let result = json!({
                    "resultType": "complete", (list.name()): [], "ttlMs": 0, "cacheScope": "private",
                });
                let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
                let batch = request.batch;
                self.requests.remove(key);
                self.held.retain(|held| !matches!(held, Held::Request(held) if *held == key));
                self.signing_in.promised.empty(list);
                self.reply(answer.into(), batch);
            }
            Method::Listen => {
                request.deadline = None;
                let filter = request.message.param("notifications").unwrap_or("{}");
                let told = self.signing_in.promised.subscription(request.id(), filter);
                self.act(Action::Write(told));
            }
            _ => return false,
        }
        true
    }

    /// The remote acknowledges a subscription. Where the client has heard that before, it hears what
    /// has changed since. Whether that is so.
    pub(super) fn is_acknowledged_again(&mut self, key: Key, message: &Message) -> bool {
        let Some(request) = self.requests.get(key) else { return false };
        let promised = &mut self.signing_in.promised;
        if message.method() != ACKNOWLEDGED {
            return false;
        }
        let filter = request.message.param("notifications").unwrap_or("{}");
        let Some(changed) = promised.keep(request.id(), filter) else { return false };
        changed.into_iter().for_each(|bytes| self.act(Action::Write(bytes)));
        true
    }

    fn pause(&mut self, back: Back, refused: &Refusal, want: Want) {
        let is_begun = !self.signing_in.is_probed;
        let error = Error::new(Kind::Authorization, self.sign_in_attempt())
            .because("the sign-in page is being looked for");
        let (refusal, asked) = (refused.clone(), want.clone());
        let since = self.now.mono;
        let pause = Pause { back, since, refusal, want, error, is_told: false, is_begun };
        self.link = Link::SigningIn(Box::new(pause));
        let held = self.requests.keys(|request| matches!(request.stage, Stage::Held));
        held.into_iter().for_each(|key| self.hasten(key));
        if is_begun {
            self.act(Action::SignIn(asked));
        } else if self.local.unanswered_initialize().is_some() {
            self.act(Action::Recall);
        }
    }

    fn sign_in_attempt(&self) -> String {
        format!("{} wants you to sign in", self.settings.origin)
    }

    fn step_up(&mut self, key: Key, want: Want) -> bool {
        if !self.may_step_up(&want) {
            return false;
        }
        let deadline = self.now.mono + self.settings.call_wait;
        let Some(request) = self.requests.get_mut(key) else { return false };
        request.stage = Stage::Delayed;
        request.deadline = Some(deadline);
        self.watch_deadlines(deadline);
        self.signing_in.stepping_up.push(key);
        self.act(Action::SignIn(want));
        true
    }

    /// Whether these scopes may be asked for; they count as asked for from now on (AU-43).
    fn may_step_up(&mut self, want: &Want) -> bool {
        let now = self.now.mono;
        let scope = want.scope().to_owned();
        let asked = &mut self.signing_in.asked;
        asked.retain(|(_, at)| now < at + STEP_UP_REST);
        let is_new = asked.iter().all(|(known, _)| *known != scope);
        let may = is_new && asked.len() < MOST_STEP_UPS;
        if may {
            asked.push((scope, now));
        }
        may
    }

    /// What a new request is told at once, where the person knows what to do and has not done it.
    pub(super) fn sign_in_in_the_way(&self, key: Key) -> Option<Error> {
        let Link::SigningIn(pause) = &self.link else { return None };
        let method = self.requests.get(key).map(|request| request.method);
        let is_served = match method {
            Some(Method::List(_)) => self.sessionless || self.provisional.is_open(),
            Some(Method::Listen) => self.sessionless,
            _ => false,
        };
        (pause.is_told && !is_served).then(|| pause.error.clone())
    }

    /// What a request is told that has waited for the person long enough.
    pub(super) fn sign_in_awaited_by(&mut self, key: Key) -> Option<Error> {
        if let Link::SigningIn(pause) = &self.link {
            return Some(pause.error.clone());
        }
        let at = self.signing_in.stepping_up.iter().position(|known| *known == key)?;
        self.signing_in.stepping_up.swap_remove(at);
        let plain = || Error::new(Kind::Authorization, self.sign_in_attempt());
        Some(self.signing_in.step_up.clone().unwrap_or_else(plain))
    }

    /// The sentence for an end, with what became of signing in.
    pub(super) fn explain_refusal(&self, attempted: &str, end: &End) -> Error {
        let error = self.explain(attempted, end);
        let is_wanted = matches!(end, End::Status(refused) if Want::of(refused).is_some());
        match &self.signing_in.why {
            Some(why) if is_wanted => error.because(why.to_string()),
            _ => error,
        }
    }

    /// What became of a sign-in, which may be another machine's.
    pub(super) fn on_sign_in(&mut self, news: News) {
        match news {
            News::Waiting(what) => self.on_sign_in_waits(&what),
            News::SignedIn => self.on_signed_in(),
            News::Failed { error, is_passing } => self.on_sign_in_failed(error, is_passing),
        }
    }

    fn on_sign_in_waits(&mut self, what: &str) {
        let error = Error::new(Kind::Authorization, self.sign_in_attempt())
            .because(what)
            .hint("what was refused works as soon as you have");
        let is_stepping_up = !self.signing_in.stepping_up.is_empty();
        match &mut self.link {
            Link::SigningIn(pause) => {
                pause.error = error.clone();
                pause.is_told = true;
            }
            _ if is_stepping_up => {}
            _ => return,
        }
        self.act(Action::Ask(error.to_string()));
        self.signing_in.step_up = Some(error);
    }

    fn on_signed_in(&mut self) {
        let stepped_up = std::mem::take(&mut self.signing_in.stepping_up);
        let asked = std::mem::take(&mut self.signing_in.asked);
        let is_first = stepped_up.is_empty();
        let mut promised = std::mem::take(&mut self.signing_in.promised);
        promised.retain(|id| self.has_request(id));
        self.signing_in = SigningIn { asked, promised, ..SigningIn::default() };
        if is_first {
            self.signing_in.at = Some(self.now.mono);
        }
        match std::mem::replace(&mut self.link, Link::Idle) {
            Link::SigningIn(pause) => match pause.back {
                Back::Handshake(opening) => self.open(opening),
                Back::Link(link) => {
                    self.link = link;
                    self.advance();
                }
            },
            // Somebody else's sign-in is good for this one too.
            Link::Refused(error, since) => {
                self.link = Link::Refused(error, since);
                self.wake_link();
            }
            link => self.link = link,
        }
        stepped_up.into_iter().for_each(|key| self.resend(key));
    }

    fn on_sign_in_failed(&mut self, error: Option<Error>, is_passing: bool) {
        let stepped_up = std::mem::take(&mut self.signing_in.stepping_up);
        let is_paused = matches!(self.link, Link::SigningIn(_));
        if is_paused && is_passing {
            let wait = CONNECT.delay(self.signing_in.failures, self.now.random).as_millis();
            let wait = Millis::try_from(wait).unwrap_or(Millis::MAX);
            self.signing_in.failures += 1;
            self.signing_in.not_before = self.now.mono.saturating_add(wait);
        }
        for key in stepped_up {
            let told = Error::new(Kind::Authorization, self.attempted(key));
            let why = error.as_ref().map_or("the server does not say how".into(), Error::to_string);
            self.fail(key, &told.because(format!("more scopes are wanted: {why}")));
        }
        if is_paused {
            self.signing_in.is_declined = !is_passing;
            self.signing_in.why = error;
            self.go_on_refused();
        }
    }

    /// What was refused for want of a token is told now, with what became of the sign-in.
    fn go_on_refused(&mut self) {
        let Link::SigningIn(pause) = std::mem::replace(&mut self.link, Link::Idle) else { return };
        let end = End::Status(Box::new(pause.refusal));
        match pause.back {
            Back::Handshake(opening) => {
                self.link = Link::Opening(opening);
                self.on_handshake_ended(&Purpose::Initialize, end);
            }
            Back::Link(link) => {
                self.link = link;
                for key in self.requests.keys(|request| matches!(request.stage, Stage::Held)) {
                    let error = self.explain_refusal(&self.attempted(key), &end);
                    self.fail(key, &error);
                }
                self.advance();
            }
        }
    }

    /// The result of `initialize`, with a word about signing in where that is waited for.
    pub(super) fn with_sign_in_told(&self, result: String) -> String {
        let Link::SigningIn(pause) = &self.link else { return result };
        let Some(mut members) = Object::parse(&result) else { return result };
        members.set("instructions", json!(self.instructions(&pause.error)).to_string());
        members.to_string()
    }

    /// What the model is told in the remote's place.
    pub(super) fn instructions(&self, why: &Error) -> String {
        format!(
            "This server is not connected yet: {why}. composio-bridge keeps trying; \
             tools, prompts and resources appear by themselves as soon as it is."
        )
    }

    /// Answers a probe in the place of a remote that says nothing without a token (ST-7, ST-25).
    fn answer_probe(&mut self, key: Key) -> bool {
        let Some(request) = self.requests.remove(key) else { return false };
        let id = request.id();
        let error = Error::new(Kind::Authorization, self.sign_in_attempt())
            .because("that begins with the first use of it");
        let changes = json!({ "listChanged": true });
        let result = json!({
            "resultType": "complete",
            "supportedVersions": MODERN_VERSIONS,
            "capabilities": {
                "tools": changes, "prompts": changes, "resources": changes, "completions": {},
            },
            "instructions": self.instructions(&error),
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": { (meta::SERVER_INFO): {
                "name": "composio-bridge", "version": env!("CARGO_PKG_VERSION"),
            } },
        });
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        self.reply(answer.into(), request.batch);
        true
    }
}
