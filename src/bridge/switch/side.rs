//! One state machine, and the layers that its client's and its remote's eras want around it.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;

use crate::{
    bridge::{
        memory::Remembered,
        state::{Action, DRAIN, Input, State},
    },
    era::{
        Layer, Step,
        promised::Promised,
        to_legacy::{ToLegacy, Turn},
        to_modern::ToModern,
        wire::Wire,
    },
    message::Message,
    remote::event::{Event, ExchangeId, GetRoute, Route},
    time::{Millis, Now},
};

/// How many exchanges each of a side's parts may number; more than a process lives to see.
pub const RANGE: ExchangeId = 1 << 48;

/// A state machine with what is around it.
#[derive(Debug)]
pub struct Side {
    core: State,
    /// Above it, for a modern client with a legacy remote.
    above: Option<Box<ToLegacy>>,
    /// Below it, once the remote is taken for a modern one.
    below: Option<Box<Below>>,
    make: Make,
    /// Whether the remote was last seen to have a stream of its own.
    listening: Option<bool>,
    /// When the wait for what is unanswered ends, once the client says nothing more.
    closing: Option<Millis>,
    /// Nothing more comes from the state machine.
    is_done: bool,
    /// The client has said something that no mere probe says.
    is_earnest: bool,
}

/// How the layers below are made.
#[derive(Debug, Clone)]
pub struct Make {
    /// The host of the endpoint.
    pub host: String,
    /// The first number for exchanges of the layers' own.
    pub exchanges: ExchangeId,
    /// The start of the request ids that the layers make up.
    pub own_id: String,
    /// Whether the client is legacy.
    pub translates: bool,
    /// How long the remote's question may wait for its answer.
    pub input_wait: Millis,
}

#[derive(Debug)]
struct Below {
    to_modern: Option<ToModern>,
    wire: Wire,
    /// The state machine's exchanges that the layers have taken over.
    taken: BTreeSet<ExchangeId>,
    /// The exchanges that the layers have with the transports.
    begun: BTreeSet<ExchangeId>,
}

/// Something on its way between the parts.
enum Way {
    Act(Action),
    ToCore(Input),
    FromToModern(Step),
    FromWire(Step),
    FromAbove(Turn),
}

/// What a side asks for that is not for the transports.
#[derive(Debug)]
pub enum Ask {
    /// The remote is of the other era than it was taken for.
    OtherEra {
        /// What is unanswered.
        messages: Vec<Message>,
        /// What was told in the remote's place.
        promised: Promised,
        /// Which era that is.
        is_legacy: bool,
    },
    /// What was remembered is wanted.
    Recall,
}

impl Side {
    /// A side around a state machine.
    pub fn new(core: State, above: Option<Box<ToLegacy>>, make: Make) -> Self {
        Side {
            core,
            above,
            below: None,
            make,
            listening: None,
            closing: None,
            is_done: false,
            is_earnest: false,
        }
    }

    /// The state machine.
    pub fn core(&self) -> &State {
        &self.core
    }

    /// The same, to change.
    pub fn core_mut(&mut self) -> &mut State {
        &mut self.core
    }

    /// How much is kept, by name.
    #[cfg(test)]
    pub fn sizes(&self) -> Vec<(&'static str, usize)> {
        let mut all = self.core.sizes();
        all.extend(self.above.iter().flat_map(|above| above.sizes()));
        if let Some(below) = &self.below {
            all.extend(below.to_modern.iter().flat_map(ToModern::sizes));
            all.extend(below.wire.sizes());
        }
        all
    }

    /// Whether its client's messages go on as they are.
    pub fn is_transparent(&self) -> bool {
        self.above.is_none()
    }

    /// Whether nothing more comes of it.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// When the next [`Input::Tick`] is due.
    pub fn next_deadline(&self) -> Option<Millis> {
        if self.is_done {
            return None;
        }
        let below = self.below.as_ref();
        [
            self.core.next_deadline(),
            self.closing,
            self.above.as_ref().and_then(|above| above.next_deadline()),
            below.and_then(|below| below.wire.next_deadline()),
            below.and_then(|below| below.to_modern.as_ref()?.next_deadline()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Takes in what happened, in the whole of it.
    pub fn handle(
        &mut self,
        input: Input,
        now: Now,
        actions: &mut Vec<Action>,
        asks: &mut Vec<Ask>,
    ) {
        if self.is_done {
            return;
        }
        let mut ways = VecDeque::new();
        if self.above.is_none() && self.below.is_none() {
            let start = actions.len();
            self.core.handle(input, now, actions);
            if actions[start..].iter().all(is_plain) {
                return;
            }
            ways.extend(actions.drain(start..).map(Way::Act));
        } else {
            self.enter(input, now, &mut ways);
        }
        loop {
            let Some(way) = ways.pop_front() else {
                self.close_when_idle(now, &mut ways);
                if ways.is_empty() {
                    return;
                }
                continue;
            };
            match way {
                Way::Act(action) => self.act(action, now, &mut ways, actions, asks),
                Way::ToCore(input) => self.tell(input, now, &mut ways),
                Way::FromToModern(step) => self.translated(step, now, &mut ways, actions),
                Way::FromWire(step) => self.wired(step, now, &mut ways, actions),
                Way::FromAbove(Turn::Local(bytes)) => actions.push(Action::Write(bytes)),
                Way::FromAbove(Turn::Core(bytes)) => self.tell(Input::Line(bytes), now, &mut ways),
                Way::FromAbove(Turn::Warn(text)) => actions.push(Action::Warn(text)),
            }
        }
    }

    fn enter(&mut self, input: Input, now: Now, ways: &mut VecDeque<Way>) {
        match input {
            Input::Message(message) => match &mut self.above {
                Some(above) => {
                    let mut turns = Vec::new();
                    let is_probe = message.method() == "server/discover";
                    above.on_local(message, now, &mut turns);
                    go(ways, turns, Way::FromAbove);
                    if !is_probe && !std::mem::replace(&mut self.is_earnest, true) {
                        ways.push_back(Way::ToCore(Input::Earnest));
                    }
                }
                None => self.tell(Input::Message(message), now, ways),
            },
            Input::Remote(event) => self.on_event(event, now, ways),
            Input::Tick => self.tick(now, ways),
            Input::LocalClosed => match &mut self.above {
                Some(above) => {
                    let mut turns = Vec::new();
                    above.close(now, &mut turns);
                    go(ways, turns, Way::FromAbove);
                    self.closing = Some(now.mono + DRAIN);
                }
                None => self.tell(input, now, ways),
            },
            Input::Stop => self.end(input, now, ways),
            other => self.tell(other, now, ways),
        }
    }

    /// Nothing more is waited for above.
    fn end(&mut self, input: Input, now: Now, ways: &mut VecDeque<Way>) {
        ways.push_front(Way::ToCore(input));
        if let Some(above) = &mut self.above {
            let mut turns = Vec::new();
            above.end(now, &mut turns);
            go(ways, turns, Way::FromAbove);
        }
    }

    /// The state machine would end as soon as it has nothing to do: it hears of the end of the
    /// input only when the layer above has nothing more for it.
    fn close_when_idle(&mut self, now: Now, ways: &mut VecDeque<Way>) {
        let (Some(due), Some(above)) = (self.closing, &self.above) else { return };
        let is_idle = above.is_idle();
        if is_idle || due <= now.mono {
            self.closing = None;
            let input = if is_idle { Input::LocalClosed } else { Input::Stop };
            self.end(input, now, ways);
        }
    }

    fn tell(&mut self, input: Input, now: Now, ways: &mut VecDeque<Way>) {
        let mut actions = Vec::new();
        self.core.handle(input, now, &mut actions);
        go(ways, actions, Way::Act);
        // The layer above cannot see whether a GET stream brings anything (XB-12).
        let listening = self.core.is_listening();
        if let Some(above) = &mut self.above
            && std::mem::replace(&mut self.listening, listening) != listening
            && let Some(is_listening) = listening
        {
            let mut turns = Vec::new();
            above.listening(is_listening, now, &mut turns);
            ways.extend(turns.into_iter().map(Way::FromAbove));
        }
    }

    fn tick(&mut self, now: Now, ways: &mut VecDeque<Way>) {
        ways.push_front(Way::ToCore(Input::Tick));
        if let Some(above) = &mut self.above {
            let mut turns = Vec::new();
            above.tick(now, &mut turns);
            go(ways, turns, Way::FromAbove);
        }
        if let Some(below) = &mut self.below {
            let mut steps = Vec::new();
            below.wire.tick(now, &mut steps);
            go(ways, std::mem::take(&mut steps), Way::FromWire);
            if let Some(to_modern) = &mut below.to_modern {
                to_modern.tick(now, &mut steps);
                go(ways, steps, Way::FromToModern);
            }
        }
    }

    fn on_event(&mut self, event: Event, now: Now, ways: &mut VecDeque<Way>) {
        let exchange = event.exchange();
        let below = match &mut self.below {
            Some(below) if below.begun.contains(&exchange) => below,
            // A layer has given it up, and serves the state machine's by another.
            Some(below) if below.taken.contains(&exchange) => return,
            _ => return self.tell(Input::Remote(event), now, ways),
        };
        if event.is_last() {
            below.begun.remove(&exchange);
        }
        let mut steps = Vec::new();
        below.wire.event(event, now, &mut steps);
        go(ways, steps, Way::FromWire);
    }

    /// The state machine wants something.
    fn act(
        &mut self,
        action: Action,
        now: Now,
        ways: &mut VecDeque<Way>,
        actions: &mut Vec<Action>,
        asks: &mut Vec<Ask>,
    ) {
        match action {
            Action::Write(bytes) => self.say(bytes, None, now, ways, actions),
            Action::Relay(bytes, key) => {
                let during = key.and_then(|key| self.core.id_of(key)).map(str::to_owned);
                self.say(bytes, during, now, ways, actions);
            }
            Action::Post(post) if matches!(post.route, Route::Modern(_)) => {
                self.below().taken.insert(post.exchange);
                self.down(ways, |layer, steps| layer.post(post, now, steps));
            }
            Action::Get(get) if get.route == GetRoute::Modern => {
                self.below().taken.insert(get.exchange);
                self.down(ways, |layer, steps| layer.get(get, now, steps));
            }
            Action::Abort(exchange) => {
                if self.below.as_mut().is_some_and(|below| below.taken.remove(&exchange)) {
                    self.down(ways, |layer, steps| layer.abort(exchange, now, steps));
                } else {
                    actions.push(Action::Abort(exchange));
                }
            }
            Action::OtherEra(messages, promised) => {
                self.is_done = true;
                let mut turns = Vec::new();
                let unsent = self.above.as_mut().map(|above| above.take_unsent(&mut turns));
                go(ways, turns, Way::FromAbove);
                let is_legacy = unsent.is_none();
                let messages = unsent.unwrap_or(messages);
                asks.push(Ask::OtherEra { messages, promised: *promised, is_legacy });
            }
            Action::Remember(Remembered::Initialize, text) if self.above.is_some() => {
                if let Some(above) = &mut self.above {
                    above.learn_remote(&text);
                }
                actions.push(Action::Remember(Remembered::Initialize, text));
            }
            Action::Reconnected => {
                if let Some(above) = &mut self.above {
                    let mut turns = Vec::new();
                    above.reconnected(&mut turns);
                    go(ways, turns, Way::FromAbove);
                }
            }
            Action::Recall => asks.push(Ask::Recall),
            Action::Exit => self.is_done = true,
            other => actions.push(other),
        }
    }

    /// The state machine says something to its client.
    fn say(
        &mut self,
        bytes: Bytes,
        during: Option<String>,
        now: Now,
        ways: &mut VecDeque<Way>,
        actions: &mut Vec<Action>,
    ) {
        let Some(above) = &mut self.above else { return actions.push(Action::Write(bytes)) };
        // Whatever the state machine writes is a message.
        let Ok(message) = Message::parse(bytes) else { return };
        let mut turns = Vec::new();
        above.on_core(message, during.as_deref(), now, &mut turns);
        go(ways, turns, Way::FromAbove);
    }

    /// The layers below, made when they are first needed.
    fn below(&mut self) -> &mut Below {
        self.below.get_or_insert_with(|| Box::new(Below::new(&self.make)))
    }

    /// Hands something to the topmost layer below.
    fn down(
        &mut self,
        ways: &mut VecDeque<Way>,
        tell: impl FnOnce(&mut dyn Layer, &mut Vec<Step>),
    ) {
        let below = self.below();
        let mut steps = Vec::new();
        match &mut below.to_modern {
            Some(to_modern) => {
                tell(to_modern, &mut steps);
                go(ways, steps, Way::FromToModern);
            }
            None => {
                tell(&mut below.wire, &mut steps);
                go(ways, steps, Way::FromWire);
            }
        }
    }

    fn translated(
        &mut self,
        step: Step,
        now: Now,
        ways: &mut VecDeque<Way>,
        actions: &mut Vec<Action>,
    ) {
        let Some(below) = &mut self.below else { return };
        let mut steps = Vec::new();
        match step {
            Step::Up(event) => return self.up(event, now, ways),
            Step::Post(post) => below.wire.post(post, now, &mut steps),
            Step::Abort(exchange) => below.wire.abort(exchange, now, &mut steps),
            Step::Warn(text) => actions.push(Action::Warn(text)),
        }
        go(ways, steps, Way::FromWire);
    }

    fn wired(&mut self, step: Step, now: Now, ways: &mut VecDeque<Way>, actions: &mut Vec<Action>) {
        let Some(below) = &mut self.below else { return };
        match step {
            Step::Up(event) => match &mut below.to_modern {
                Some(to_modern) => {
                    let mut steps = Vec::new();
                    to_modern.event(event, now, &mut steps);
                    go(ways, steps, Way::FromToModern);
                }
                None => self.up(event, now, ways),
            },
            Step::Post(post) => {
                below.begun.insert(post.exchange);
                actions.push(Action::Post(post));
            }
            Step::Abort(exchange) => {
                below.begun.remove(&exchange);
                actions.push(Action::Abort(exchange));
            }
            Step::Warn(text) => actions.push(Action::Warn(text)),
        }
    }

    /// The layers report to the state machine.
    fn up(&mut self, event: Event, now: Now, ways: &mut VecDeque<Way>) {
        if let Some(below) = self.below.as_mut().filter(|_| event.is_last()) {
            below.taken.remove(&event.exchange());
        }
        self.tell(Input::Remote(event), now, ways);
    }
}

/// What comes of something is dealt with before anything that was on its way already.
fn go<T>(ways: &mut VecDeque<Way>, parts: Vec<T>, way: impl Fn(T) -> Way) {
    for part in parts.into_iter().rev() {
        ways.push_front(way(part));
    }
}

/// Whether an action concerns neither the layers nor the other side.
fn is_plain(action: &Action) -> bool {
    match action {
        Action::Post(post) => !matches!(post.route, Route::Modern(_)),
        Action::Get(get) => get.route != GetRoute::Modern,
        Action::OtherEra(..) | Action::Reconnected | Action::Recall | Action::Exit => false,
        _ => true,
    }
}

impl Below {
    fn new(make: &Make) -> Self {
        let own_id = |part: &str| format!("{}{part}-", make.own_id);
        Below {
            to_modern: make
                .translates
                .then(|| ToModern::new(&make.host, make.exchanges, &own_id("a"), make.input_wait)),
            wire: Wire::new(make.exchanges + RANGE, &own_id("w")),
            taken: BTreeSet::new(),
            begun: BTreeSet::new(),
        }
    }
}
