//! Reading, waiting and writing, around the state machine that decides.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::{
    sync::mpsc::{self, Receiver, UnboundedReceiver},
    time::{Sleep, sleep_until},
};
use tracing::{debug, warn};

use super::{
    effects::Effects,
    shutdown::Endings,
    state::{Action, Input, Settings},
    store::Store,
    switch::Switch,
    tools::Filter,
};
use crate::{
    config::{Config, KeySource},
    error::{Error, Kind},
    local::{
        lines::{Line, Lines},
        stdin::Stdin,
        stdout::Stdout,
    },
    origin,
    remote::{body::MESSAGE_LIMIT, event::Event, report::Reporter},
    time::{Millis, Now},
};

/// How much may wait for a client that does not read before nothing more is read from the remote,
/// in bytes.
const BACKLOG_LIMIT: usize = 32 * 1024 * 1024;

/// How long a call waits for a remote that is not there.
const CALL_WAIT: Duration = Duration::from_secs(45);

/// How long the last answers may take to be written.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// Serves the local client until it goes away.
///
/// # Errors
/// Only what prevents serving at all; whatever the remote does is answered to the client.
pub fn run(config: Config) -> Result<(), Error> {
    for warning in &config.warnings {
        warn!("{warning}");
    }
    for repair in &config.repairs {
        debug!("the URL was repaired: {repair}");
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
            Error::new(Kind::Unexpected, "could not start").because(error.to_string())
        })?;
    // As a task it runs as soon as another task wakes it; what is blocked on runs after a poll of
    // the operating system.
    let _ = runtime.block_on(runtime.spawn(serve(Arc::new(config))));
    // Threads that read or write a terminal may never come back.
    runtime.shutdown_background();
    Ok(())
}

async fn serve(config: Arc<Config>) {
    let started = Instant::now();
    let store = Store::new(config.state_dir.as_deref(), &place(&config), &context(&config));
    let (reporter, events) = Reporter::new();
    let (reply, replies) = mpsc::unbounded_channel();
    let settings = settings(&config, &store);
    let now = now(started);
    let mut relay = Relay {
        started,
        switch: Switch::new(settings, secret(), now),
        effects: Effects::new(config, store, reporter, reply),
        stdout: Stdout::open(),
        actions: Vec::new(),
        is_over: false,
    };
    relay.run(events, replies).await;
    let Relay { effects, mut stdout, .. } = relay;
    let flushed = async { while stdout.backlog() > 0 && stdout.written().await.is_ok() {} };
    let _ = tokio::join!(tokio::time::timeout(FLUSH_LIMIT, flushed), effects.finish());
}

struct Relay {
    started: Instant,
    switch: Switch,
    effects: Effects,
    stdout: Stdout,
    actions: Vec<Action>,
    is_over: bool,
}

impl Relay {
    async fn run(&mut self, mut events: Receiver<Event>, mut replies: UnboundedReceiver<Input>) {
        let mut stdin = Stdin::open();
        let mut lines = Lines::new(MESSAGE_LIMIT);
        let mut endings = Endings::watch();
        let mut batch = Vec::with_capacity(64);
        let mut stdin_open = true;
        let mut alarm = Box::pin(sleep_until(self.started.into()));
        while !self.is_over {
            let has_deadline = self.set(&mut alarm);
            let backlog = self.stdout.backlog();
            tokio::select! {
                read = stdin.read(), if stdin_open && backlog < BACKLOG_LIMIT => {
                    if read.is_empty() {
                        stdin_open = false;
                        lines.finish().into_iter().for_each(|line| self.take_line(line));
                        self.take(Input::LocalClosed);
                    } else {
                        lines.push(read, |line| self.take_line(line));
                    }
                }
                _ = events.recv_many(&mut batch, 64), if backlog < BACKLOG_LIMIT => {
                    for event in batch.drain(..) {
                        self.effects.arrived(&event);
                        self.take(Input::Remote(event));
                    }
                }
                written = self.stdout.written(), if backlog > 0 => self.check(&written),
                () = alarm.as_mut(), if has_deadline => self.take(Input::Tick),
                Some(input) = replies.recv() => {
                    if let Input::SignIn(news) = &input {
                        self.effects.told(news);
                    }
                    self.take(input);
                }
                reason = endings.next() => {
                    debug!(reason, "ending");
                    self.take(Input::Stop);
                }
            }
            let written = self.stdout.write();
            self.check(&written);
        }
    }

    /// Sets the alarm to the next deadline, if there is one.
    fn set(&self, alarm: &mut std::pin::Pin<Box<Sleep>>) -> bool {
        let Some(at) = self.switch.next_deadline() else { return false };
        let at = tokio::time::Instant::from_std(self.started + Duration::from_millis(at));
        if alarm.deadline() != at {
            alarm.as_mut().reset(at);
        }
        true
    }

    fn take_line(&mut self, line: Line) {
        self.take(match line {
            Line::Whole(bytes) => Input::Line(bytes),
            Line::TooLong => Input::LongLine,
        });
    }

    fn take(&mut self, input: Input) {
        let mut actions = std::mem::take(&mut self.actions);
        self.switch.handle(input, now(self.started), &mut actions);
        for action in actions.drain(..) {
            match action {
                Action::Write(message) | Action::Relay(message, _) => self.write(message),
                Action::Exit => self.is_over = true,
                other => self.effects.perform(other),
            }
        }
        self.actions = actions;
    }

    fn write(&mut self, message: Bytes) {
        self.stdout.push(message);
    }

    /// A stdout that nobody reads ends everything.
    fn check(&mut self, written: &std::io::Result<()>) {
        if written.is_err() && !self.is_over {
            self.take(Input::Stop);
        }
    }
}

fn now(started: Instant) -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { mono: millis(started.elapsed()), wall: millis(wall), random: fastrand::f64() }
}

fn millis(span: Duration) -> Millis {
    Millis::try_from(span.as_millis()).unwrap_or(Millis::MAX)
}

/// What the endpoint is called in the memory: a session that is kept has no URL of its own yet.
fn place(config: &Config) -> String {
    match &config.session {
        Some(wish) => format!("{} {}", config.endpoint, wish.body),
        None => config.endpoint.to_string(),
    }
}

/// What is known beforehand of the credential that will be sent.
fn context(config: &Config) -> String {
    let headers = config.headers.iter();
    let mut lines: Vec<String> = headers
        .map(|(name, value)| format!("{name}:{}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.sort();
    lines.extend(config.key.as_ref().map(KeySource::identity));
    lines.join("\n")
}

/// What nobody can guess, for states that a client carries back (XB-45).
fn secret() -> [u8; 32] {
    let mut secret = [0; 32];
    // Where the system has no randomness, nothing encrypted works either.
    if SystemRandom::new().fill(&mut secret).is_err() {
        fastrand::fill(&mut secret);
    }
    secret
}

fn settings(config: &Config, store: &Store) -> Settings {
    Settings {
        origin: origin::origin(&config.endpoint),
        strategy: config.strategy,
        protocol: config.protocol,
        known: store.transport(),
        grace: millis(config.startup_grace),
        input_wait: millis(config.input_timeout),
        call_wait: millis(CALL_WAIT),
        answer_wait: config.timeouts.headers.map(millis),
        ping_interval: config.ping_interval.map(millis),
        filter: Filter::new(&config.tools),
    }
}
