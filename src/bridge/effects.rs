//! Doing what the state machine says: exchanges as tasks, and the memory's file work.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc::{self, UnboundedSender},
    task::{AbortHandle, JoinHandle},
};
use tracing::{debug, warn};

use super::{
    memory::{Memory, Remembered},
    state::{Action, Input, Known},
    store::Store,
};
use crate::{
    auth::{
        joint::Joint,
        news::{News, Want},
    },
    config::Config,
    logging::PERSON,
    remote::{
        body::Sent,
        client::{Client, Connector},
        event::{End, Event, ExchangeId, Get, GetRoute, Post, Route},
        http_sse,
        report::Reporter,
        streamable_http,
    },
};

/// How often it is looked whether somebody has signed in by hand.
const BY_HAND: Duration = Duration::from_secs(2);

/// How long a request that was just sent and has no answer yet may travel before its cancellation
/// follows it, on what is most likely another connection. Nobody waits for a cancellation.
const CANCEL_GAP: Duration = Duration::from_millis(100);

/// How long ending the session may take when the process ends.
const DELETE_LIMIT: Duration = Duration::from_millis(500);

/// Everything that is going on.
pub struct Effects {
    connector: Connector,
    exchanges: BTreeMap<ExchangeId, (AbortHandle, Sent)>,
    events: Reporter,
    replies: UnboundedSender<Input>,
    store: Store,
    keeper: Option<UnboundedSender<Keep>>,
    delete: Option<JoinHandle<()>>,
    sign_in: Option<JoinHandle<()>>,
    /// Looks whether somebody signs in by hand, where the bridge does not ask any more.
    by_hand: Option<JoinHandle<()>>,
    /// What the person has to do, for a machine that asks later.
    waiting: Option<News>,
}

/// Something to keep.
enum Keep {
    Answer(Remembered, String),
    Transport(Known),
}

impl Effects {
    /// Nothing is going on yet; an encrypted client is being made.
    pub fn new(
        config: Arc<Config>,
        store: Store,
        events: Reporter,
        replies: UnboundedSender<Input>,
    ) -> Self {
        let connector = Connector::new(config);
        let early = connector.clone();
        tokio::spawn(async move { drop(early.client().await) });
        Effects {
            connector,
            exchanges: BTreeMap::new(),
            events,
            replies,
            store,
            keeper: None,
            delete: None,
            sign_in: None,
            by_hand: None,
            waiting: None,
        }
    }

    /// Does one thing. Writing and ending are the event loop's.
    pub fn perform(&mut self, action: Action) {
        match action {
            Action::Post(post) => self.post(post),
            Action::Get(get) => self.get(get),
            Action::Delete { session, version } => self.delete(session, version),
            Action::Abort(exchange) => self.abort(exchange),
            Action::Renew => {
                debug!("making new connections");
                self.connector = self.connector.renewed();
            }
            Action::Remember(what, text) => self.keep(Keep::Answer(what, text)),
            Action::RememberTransport(known) => self.keep(Keep::Transport(known)),
            Action::Recall => self.recall(),
            Action::SignIn(want) => self.sign_in(want),
            Action::Warn(text) => warn!("{text}"),
            Action::Ask(text) => warn!(target: PERSON, "{text}"),
            Action::Write(_) | Action::Relay(..) | Action::OtherEra(..) => {}
            Action::Reconnected | Action::Exit => {}
        }
    }

    /// An event has arrived; forgets the exchange it ended.
    pub fn arrived(&mut self, event: &Event) {
        self.events.arrived(event);
        match event {
            Event::Opened { exchange, .. } => debug!(exchange, "a stream opened"),
            Event::Ended { exchange, end } => debug!(exchange, "ended: {end}"),
            _ => {}
        }
        if let Event::Ended { exchange, .. } | Event::Answer { exchange, .. } = event {
            self.exchanges.remove(exchange);
        }
    }

    /// Waits for the session to end, a little.
    pub async fn finish(mut self) {
        if let Some(delete) = self.delete.take() {
            let _ = tokio::time::timeout(DELETE_LIMIT, delete).await;
        }
    }

    fn post(&mut self, post: Post) {
        debug!(exchange = post.exchange, bytes = post.body.len(), "POST");
        let sent = Sent::default();
        let before = post.after.and_then(|exchange| self.exchanges.get(&exchange)).cloned();
        let (exchange, of_task) = (post.exchange, sent.clone());
        let (connector, events) = (self.connector.clone(), self.events.clone());
        let task = tokio::spawn(async move {
            if let Some((task, sent)) = before {
                has_arrived(&task, &sent).await;
            }
            let Some(client) = ready(&connector, exchange, &events).await else { return };
            match post.route {
                Route::Streamable { .. } | Route::Modern(_) => {
                    streamable_http::post(client, post, of_task, &events).await;
                }
                Route::HttpSse { .. } => http_sse::post(client, post, of_task, &events).await,
            }
        });
        self.exchanges.insert(exchange, (task.abort_handle(), sent));
    }

    fn get(&mut self, get: Get) {
        debug!(exchange = get.exchange, resumes = get.last_event_id.is_some(), "GET");
        let exchange = get.exchange;
        let (connector, events) = (self.connector.clone(), self.events.clone());
        let task = tokio::spawn(async move {
            let Some(client) = ready(&connector, exchange, &events).await else { return };
            match get.route {
                GetRoute::Streamable { .. } => streamable_http::get(client, get, &events).await,
                GetRoute::HttpSse => http_sse::get(client, get, &events).await,
                // Answered by the translation; a transport never sees it.
                GetRoute::Modern => {}
            }
        });
        self.exchanges.insert(exchange, (task.abort_handle(), Sent::default()));
    }

    fn delete(&mut self, session: Arc<str>, version: Option<Arc<str>>) {
        let connector = self.connector.clone();
        self.delete = Some(tokio::spawn(async move {
            if let Ok(client) = connector.client().await {
                streamable_http::delete(client, &session, &version).await;
            }
        }));
    }

    fn abort(&mut self, exchange: ExchangeId) {
        if let Some((task, _)) = self.exchanges.remove(&exchange) {
            task.abort();
        }
    }

    fn recall(&mut self) {
        let (connector, store) = (self.connector.clone(), self.store.clone());
        let replies = self.replies.clone();
        tokio::spawn(async move {
            // A key that is not there yet must not hold up the answer.
            let credential =
                tokio::time::timeout(Duration::from_millis(200), connector.credential());
            let memory = match credential.await {
                Ok(credential) => store.recall(&credential),
                Err(_) => Memory::default(),
            };
            let _ = replies.send(Input::Recalled(Box::new(memory)));
        });
    }

    /// Signs in, unless that is under way. What comes of it is for all that asked.
    fn sign_in(&mut self, want: Want) {
        if self.sign_in.as_ref().is_some_and(|task| !task.is_finished()) {
            if let Some(news) = self.waiting.clone() {
                let _ = self.replies.send(Input::SignIn(Box::new(news)));
            }
            return;
        }
        let Some(source) = self.connector.tokens().cloned() else { return };
        let (config, replies) = (Arc::clone(self.connector.config()), self.replies.clone());
        self.sign_in = Some(tokio::spawn(async move {
            let tell = |news| drop(replies.send(Input::SignIn(Box::new(news))));
            let joint = Joint { config: &config, source: &source, want: &want, tell: &tell };
            let news = joint.sign_in().await;
            tell(news);
        }));
    }

    /// What became of the sign-in is being told.
    pub fn told(&mut self, news: &News) {
        self.waiting = matches!(news, News::Waiting(_)).then(|| news.clone());
        if let Some(task) = self.by_hand.take() {
            task.abort();
        }
        if let News::Failed { error: Some(_), is_passing: false } = news
            && let Some(source) = self.connector.tokens().cloned()
        {
            let replies = self.replies.clone();
            self.by_hand = Some(tokio::spawn(async move {
                while !source.has_news() {
                    tokio::time::sleep(BY_HAND).await;
                }
                source.look_again().await;
                let _ = replies.send(Input::SignIn(Box::new(News::SignedIn)));
            }));
        }
    }

    /// Files are written by one task, after what a client waits for.
    fn keep(&mut self, what: Keep) {
        let keeper = self.keeper.get_or_insert_with(|| {
            let (sender, mut kept) = mpsc::unbounded_channel();
            let (connector, store) = (self.connector.clone(), self.store.clone());
            tokio::spawn(async move {
                while let Some(what) = kept.recv().await {
                    let written = match what {
                        Keep::Answer(what, text) => {
                            store.remember(&connector.credential().await, what, &text)
                        }
                        Keep::Transport(known) => store.keep_transport(known),
                    };
                    if let Err(error) = written {
                        debug!(%error, "could not write to the state directory");
                    }
                }
            });
            sender
        });
        let _ = keeper.send(what);
    }
}

/// The client, or the end of the exchange that wanted it.
async fn ready<'c>(
    connector: &'c Connector,
    exchange: ExchangeId,
    events: &Reporter,
) -> Option<&'c Client> {
    match connector.client().await {
        Ok(client) => Some(client),
        Err(error) => {
            events.report(Event::Ended { exchange, end: End::Unusable(error) }).await;
            None
        }
    }
}

/// Waits until the request of another exchange has surely arrived, or never will.
async fn has_arrived(task: &AbortHandle, sent: &Sent) {
    let mut travelled = Duration::ZERO;
    let step = Duration::from_millis(5);
    while travelled < CANCEL_GAP && !sent.is_answered() && !task.is_finished() {
        tokio::time::sleep(step).await;
        if sent.get() {
            travelled += step;
        }
    }
}
