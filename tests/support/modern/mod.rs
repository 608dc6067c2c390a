//! A well-behaved and strict server of 2026-07-28 on the raw remote, any part of which a test can
//! replace by misbehaviour; on request with a legacy side beside it.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Condvar, Mutex, OnceLock},
};

mod call;
pub mod client;
mod listen;
pub mod strict;

pub use call::{Call, text_result};
use listen::Listen;

use super::{
    DEADLINE,
    http::{Exchange, Request},
    json,
    net::{await_some, lock},
    remote::Remote,
    server::{Face, Server},
};

/// The one version it speaks, unless told otherwise.
pub const VERSION: &str = "2026-07-28";

type Behaviour = dyn Fn(&mut Call) + Send + Sync;
type Rule = dyn Fn(&Arc<Request>, &mut Exchange) -> bool + Send + Sync;

/// A scripted server; derefs to its [`Remote`] for what came in.
pub struct Modern {
    remote: Remote,
    core: Arc<Core>,
}

/// Which eras it serves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Modern,
    Both,
    Legacy,
}

struct Core {
    state: Mutex<State>,
    changed: Condvar,
    terms: Mutex<Terms>,
    behaviours: Mutex<HashMap<String, Arc<Behaviour>>>,
    rules: Mutex<Vec<Arc<Rule>>>,
    legacy: OnceLock<Server>,
}

/// What a test may set.
#[derive(Clone)]
struct Terms {
    speaks: Speaks,
    tools: Vec<String>,
    discover: String,
    /// What is acknowledged of a filter; all of it where there is none.
    honoured: Option<String>,
}

#[derive(Default)]
struct State {
    executed: HashMap<String, usize>,
    cancelled: usize,
    listens: Vec<Listen>,
    objections: Vec<String>,
}

/// The tools that are listed unless a test says otherwise: one plain, one with mirrored parameters.
const TOOLS: [&str; 2] = [
    r#"{"name":"echo","inputSchema":{"type":"object","properties":{"marker":{"type":"string"}}}}"#,
    r#"{"name":"annotated","inputSchema":{"type":"object","properties":{"marker":{"type":"string"},"region":{"type":"string","x-mcp-header":"Region"},"count":{"type":"integer","x-mcp-header":"Count"},"dry":{"type":"boolean","x-mcp-header":"Dry"}}}}"#,
];

/// The result of `server/discover`.
pub const DISCOVER: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"logging":{},"completions":{}},"instructions":"Be kind.","ttlMs":60000,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"modern","version":"2"}}}"#;

impl Deref for Modern {
    type Target = Remote;
    fn deref(&self) -> &Remote {
        &self.remote
    }
}

impl Modern {
    pub fn start() -> Self {
        let terms = Terms {
            speaks: Speaks::Modern,
            tools: TOOLS.iter().map(|&tool| tool.to_owned()).collect(),
            discover: DISCOVER.to_owned(),
            honoured: None,
        };
        let core = Arc::new(Core {
            state: Mutex::default(),
            changed: Condvar::new(),
            terms: Mutex::new(terms),
            behaviours: Mutex::default(),
            rules: Mutex::default(),
            legacy: OnceLock::new(),
        });
        let serving = core.clone();
        let remote = Remote::start(move |request, exchange| serving.serve(request, exchange));
        Modern { remote, core }
    }

    /// The URL that a person would configure.
    pub fn endpoint(&self) -> String {
        self.url("/mcp")
    }

    /// Replaces what a method does.
    pub fn on(&self, method: &str, behaviour: impl Fn(&mut Call) + Send + Sync + 'static) -> &Self {
        lock(&self.core.behaviours).insert(method.to_owned(), Arc::new(behaviour));
        self
    }

    /// Puts a rule before everything else: it answers the HTTP request itself and returns true,
    /// or leaves it alone.
    pub fn rule(
        &self,
        rule: impl Fn(&Arc<Request>, &mut Exchange) -> bool + Send + Sync + 'static,
    ) -> &Self {
        lock(&self.core.rules).push(Arc::new(rule));
        self
    }

    /// Answers every request of this method with this status and body instead.
    pub fn refusing(&self, method: &str, status: u16, kind: &str, body: &str) -> &Self {
        let (method, kind, body) = (method.to_owned(), kind.to_owned(), body.to_owned());
        self.rule(move |request, exchange| {
            let refused = request.is_rpc(&method);
            if refused {
                exchange.reply(status, &[("content-type", &kind)], &body);
            }
            refused
        })
    }

    /// Lists these tools from now on.
    pub fn tools(&self, tools: &[&str]) -> &Self {
        lock(&self.core.terms).tools = tools.iter().map(|&tool| tool.to_owned()).collect();
        self
    }

    /// Answers `server/discover` with this result.
    pub fn discover(&self, result: &str) -> &Self {
        lock(&self.core.terms).discover = result.to_owned();
        self
    }

    /// Acknowledges this instead of what a listen asks for.
    pub fn honour(&self, filter: &str) -> &Self {
        lock(&self.core.terms).honoured = Some(filter.to_owned());
        self
    }

    /// Serves legacy clients too, without sessions, as many such servers do.
    pub fn dual(&self) -> &Self {
        self.legacy().stateless();
        lock(&self.core.terms).speaks = Speaks::Both;
        self
    }

    /// Serves legacy clients too, in sessions.
    pub fn dual_with_sessions(&self) -> &Self {
        lock(&self.core.terms).speaks = Speaks::Both;
        self
    }

    /// Serves legacy clients alone, as before an upgrade.
    pub fn only_legacy(&self) -> &Self {
        lock(&self.core.terms).speaks = Speaks::Legacy;
        self
    }

    /// Serves modern clients alone.
    pub fn only_modern(&self) -> &Self {
        lock(&self.core.terms).speaks = Speaks::Modern;
        self
    }

    /// The legacy side, for behaviour and executions; requests are recorded here, not there.
    pub fn legacy(&self) -> &Server {
        self.core.legacy()
    }

    /// What a strict server has found wrong with what the client sent.
    pub fn objections(&self) -> Vec<String> {
        lock(&self.core.state).objections.clone()
    }

    /// Nothing that the client sent was wrong.
    #[track_caller]
    pub fn is_content(&self) {
        let objections = self.objections();
        assert!(objections.is_empty(), "a strict server objects: {objections:#?}");
    }

    /// The JSON-RPC methods that came so far, in order; the HTTP method where there is none.
    pub fn heard(&self) -> Vec<String> {
        let name = |request: &Arc<Request>| request.rpc().unwrap_or_else(|| request.method.clone());
        self.requests().iter().map(name).collect()
    }

    /// How often a `tools/call` with this marker was executed.
    pub fn executions(&self, marker: &str) -> usize {
        lock(&self.core.state).executed.get(marker).copied().unwrap_or(0)
    }

    /// Waits until a `tools/call` with this marker is executing.
    pub fn await_execution(&self, marker: &str) {
        await_some(&self.core.state, &self.core.changed, DEADLINE, |state| {
            state.executed.contains_key(marker).then_some(())
        })
        .unwrap_or_else(|| panic!("{marker} was never executed"));
    }

    /// Waits until the client has closed `n` response streams that a behaviour was watching.
    pub fn await_cancelled(&self, n: usize) {
        await_some(&self.core.state, &self.core.changed, DEADLINE, |state| {
            (state.cancelled >= n).then_some(())
        })
        .unwrap_or_else(|| panic!("the client never closed {n} response streams"));
    }
}

impl Core {
    fn serve(self: &Arc<Self>, request: &Arc<Request>, exchange: &mut Exchange) {
        let rules = lock(&self.rules).clone();
        if rules.iter().any(|rule| rule(request, exchange)) {
            return;
        }
        let terms = lock(&self.terms).clone();
        let is_modern = strict::is_modern(request);
        let legacy = match terms.speaks {
            Speaks::Legacy => true,
            Speaks::Both => !is_modern,
            Speaks::Modern => false,
        };
        if legacy {
            return self.legacy().serve(request, exchange);
        }
        match strict::check(request, &terms.tools) {
            Ok(found) => {
                self.object(request, found.remarks);
                self.dispatch(request, exchange, found.id)
            }
            Err(refusal) => {
                // A legacy client that tries its luck does nothing wrong.
                if !request.is_rpc("initialize") {
                    self.object(request, vec![refusal.body.clone()]);
                }
                let kind = [("content-type", "application/json"), ("allow", "POST")];
                exchange.reply(refusal.status, &kind, refusal.body);
            }
        }
    }

    fn legacy(&self) -> &Server {
        self.legacy.get_or_init(|| Server::start(Face::Http))
    }

    fn object(&self, request: &Request, remarks: Vec<String>) {
        let of = |remark| format!("{remark}: {}", request.dump());
        lock(&self.state).objections.extend(remarks.into_iter().map(of));
    }

    fn dispatch(
        self: &Arc<Self>,
        request: &Arc<Request>,
        exchange: &mut Exchange,
        id: Option<String>,
    ) {
        let Some(id) = id else { return exchange.reply(202, &[], "") };
        let method = request.rpc().unwrap_or_default();
        let params = request.members().and_then(|all| all.raw("params").map(json::lenient));
        let behaviour = lock(&self.behaviours).get(&method).cloned();
        let params = params.unwrap_or_default();
        let mut call = Call { id, method, params, exchange, core: self };
        match behaviour {
            Some(behaviour) => behaviour(&mut call),
            None => call.behave(),
        }
    }
}
