//! A stand-in for Composio's API and the MCP endpoints behind it, on loopback: as Composio documents
//! both, with four apps, in memory, and without any effect.
//!
//! - `door`: the table of operations, credentials, planned failures.
//! - `shape`, `schema`: what the bodies of requests must look like; `reply`: errors and pages.
//! - `state`: what is remembered; `catalogue`: the apps and their tools.
//! - `session`, `view`, `account`, `execute`, `search`, `mounts`: sessions and what is done with them.
//! - `server`, `instance`: the older MCP servers.
//! - `mcp`: the endpoints that MCP clients speak with.

mod account;
mod catalogue;
mod door;
mod execute;
mod instance;
mod mcp;
mod mounts;
mod reply;
mod schema;
mod search;
mod server;
mod session;
mod shape;
mod site;
mod state;
mod view;

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::HeaderMap;
use serde_json::Value;

use state::{Key, State, new_id};

use super::loopback::Loopback;

/// The port that [`StandIn::start_preferred`] tries first.
pub const PREFERRED_PORT: u16 = 7677;

/// The kinds of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// `ak_`, of a project, in `x-api-key`.
    Project,
    /// The same of another project, which sees nothing of the first.
    OtherProject,
    /// `uak_`, of a person, in `x-user-api-key`.
    User,
    /// Of an organisation, in `x-org-api-key`; good for nothing here.
    Organisation,
    /// `ck_`, in `x-consumer-api-key`; good for nothing here.
    Consumer,
    /// A token in `Authorization`.
    Bearer,
}

/// A failure that requests are to meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How many requests meet it, at least one.
    pub times: usize,
    /// A part of the path of the requests; empty for any.
    pub path: String,
    /// What they are answered with.
    pub status: u16,
    /// The value of `Retry-After`; empty for none.
    pub retry_after: String,
}

/// A request that came in.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Such as `POST`.
    pub method: String,
    /// The path and the query.
    pub target: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The JSON of a request of the API; null for messages of MCP and where there is none.
    pub body: Value,
}

/// A running stand-in; it stops when this is dropped.
pub struct StandIn {
    loopback: Loopback,
    world: Arc<World>,
}

/// What the server's thread and the handle share.
pub(super) struct World {
    state: Mutex<State>,
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        // What is remembered is for trying things out; a half-made change in it does no harm.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StandIn {
    /// Starts one on any free port of 127.0.0.1; it accepts connections at return.
    ///
    /// # Errors
    /// What the operating system says when it gives no port or no thread.
    pub fn start() -> io::Result<Self> {
        Self::start_on(0)
    }

    /// The same on [`PREFERRED_PORT`], or on any free port where that one is taken.
    ///
    /// # Errors
    /// As [`StandIn::start`].
    pub fn start_preferred() -> io::Result<Self> {
        Self::start_on(PREFERRED_PORT).or_else(|_| Self::start_on(0))
    }

    fn start_on(port: u16) -> io::Result<Self> {
        let keys = [
            ("ak_", KeyKind::Project, 0),
            ("ak_", KeyKind::Project, 1),
            ("uak_", KeyKind::User, 0),
            ("oak_", KeyKind::Organisation, 0),
            ("ck_", KeyKind::Consumer, 0),
            ("tok_", KeyKind::Bearer, 0),
        ];
        let keys = keys.map(|(prefix, kind, project)| Key { text: new_id(prefix), kind, project });
        let state = State {
            base: String::new(),
            keys: keys.into(),
            sessions: BTreeMap::new(),
            servers: BTreeMap::new(),
            accounts: Vec::new(),
            files: BTreeMap::new(),
            failures: Vec::new(),
            seen: Vec::new(),
        };
        let world = Arc::new(World { state: Mutex::new(state) });
        let served = world.clone();
        let loopback = Loopback::start(port, move |address| {
            served.state().base = format!("http://{address}");
            site::answering(served)
        })?;
        world.state().base = format!("http://{}", loopback.address());
        Ok(StandIn { loopback, world })
    }

    /// The URL that stands for `https://backend.composio.dev`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.loopback.address())
    }

    /// A key that is known here.
    pub fn key(&self, kind: KeyKind) -> String {
        let (kind, project) = match kind {
            KeyKind::OtherProject => (KeyKind::Project, 1),
            kind => (kind, 0),
        };
        let state = self.world.state();
        let key = state.keys.iter().find(|key| (key.kind, key.project) == (kind, project));
        key.map(|key| key.text.clone()).unwrap_or_default()
    }

    /// Makes a key unknown.
    pub fn revoke(&self, key: &str) {
        self.world.state().keys.retain(|known| known.text != key);
    }

    /// The id of the auth config of an app, such as `gmail`.
    pub fn auth_config(&self, toolkit: &str) -> String {
        catalogue::auth_config(toolkit)
    }

    /// Connects a user's account for an app, without a link; its id, or none where there is no such
    /// app.
    pub fn connect(&self, user: &str, toolkit: &str) -> Option<String> {
        let toolkit = catalogue::toolkit(toolkit)?;
        Some(self.world.state().open_account(0, user, toolkit, true).id.clone())
    }

    /// The ids of the sessions that exist.
    pub fn sessions(&self) -> Vec<String> {
        self.world.state().sessions.keys().cloned().collect()
    }

    /// Deletes a session behind its client's back; whether it was there.
    pub fn delete_session(&self, id: &str) -> bool {
        self.world.state().sessions.remove(id).is_some()
    }

    /// Lets the next requests fail.
    pub fn fail(&self, failure: Failure) {
        self.world.state().failures.push(failure);
    }

    /// Takes back the failures that nothing has met yet.
    pub fn heal(&self) {
        self.world.state().failures.clear();
    }

    /// All requests until now, and forgets them.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.world.state().seen)
    }

    /// Serves until the process is ended from outside.
    pub fn run_for_ever(self) {
        self.loopback.run_for_ever();
    }
}
