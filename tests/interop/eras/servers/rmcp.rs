//! A server of the modern era alone, made with rmcp: `interop-rmcp PORT`. It offers what
//! `behaviour.js` beside it offers, so that the matrix meets a second implementation of 2026-07-28.

#![expect(deprecated, reason = "rmcp marks logging as leaving MCP; 2026-07-28 still has it")]

use std::{
    borrow::Cow,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams,
        CompleteResult, ContentBlock, GetPromptRequestParams, GetPromptResponse, GetPromptResult,
        InputRequiredResult, JsonObject, ListPromptsResult, ListResourceTemplatesResult,
        ListResourcesResult, ListToolsResult, LoggingLevel, LoggingMessageNotificationParam,
        PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion,
        ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ServerConfig,
        SubscriptionFilter,
    },
    service::{RequestContext, SubscriptionContext},
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{broadcast, watch},
};

const NOTE: &str = "interop://note";
const NAMES: [&str; 3] = ["Ada", "Alan", "Grace"];
/// Has to come back as it is, so it holds what a careless way through JSON or HTTP would change.
const MARK: &str = "st.ate/with+special=chars and \"quotes\"";

type Answer<T> = Result<T, ErrorData>;
type Context = RequestContext<RoleServer>;

/// What changed, for whoever listens.
#[derive(Clone, Copy)]
enum Change {
    Tools,
    Note,
}

/// What the requests of one process share; there is no session.
struct Shared {
    grown: AtomicBool,
    cancelled: watch::Sender<bool>,
    meeting: watch::Sender<u8>,
    changes: broadcast::Sender<Change>,
}

#[derive(Clone)]
struct Handler(Arc<Shared>);

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok());
    let port: u16 = port.ok_or_else(|| std::io::Error::other("usage: interop-rmcp PORT"))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let handler = Handler(Arc::new(Shared {
        grown: AtomicBool::new(false),
        cancelled: watch::Sender::new(false),
        meeting: watch::Sender::new(0),
        changes: broadcast::Sender::new(16),
    }));
    let service: StreamableHttpService<Handler, LocalSessionManager> = StreamableHttpService::new(
        move || Ok(handler.clone()),
        Arc::default(),
        StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_stateless_protocol_metadata_required(true),
    );
    let service = TowerToHyperService::new(service);
    loop {
        let (stream, _) = listener.accept().await?;
        let service = service.clone();
        // A connection ends with an error whenever its client goes away: nobody to tell.
        tokio::spawn(async move {
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Handler {
    async fn progress(&self, arguments: &JsonObject, context: &Context) -> CallToolResponse {
        let steps = arguments.get("steps").and_then(Value::as_u64).unwrap_or(0);
        for step in 1..=steps {
            report(context, step as f64).await;
        }
        text("done")
    }

    async fn log(&self, context: &Context) -> CallToolResponse {
        for (level, words) in [(LoggingLevel::Info, "quiet"), (LoggingLevel::Error, "loud")] {
            if context.meta.log_level().is_some_and(|least| level as u8 >= least as u8) {
                let message = LoggingMessageNotificationParam::new(level, words.into());
                let _ = context.peer.notify_logging_message(message).await;
            }
        }
        text("logged")
    }

    /// The first call is answered when a second one has come.
    async fn meet(&self) -> CallToolResponse {
        self.0.meeting.send_modify(|calls| *calls += 1);
        // The sender lives as long as `self`.
        let _ = self.0.meeting.subscribe().wait_for(|calls| *calls >= 2).await;
        text("met")
    }

    async fn hang(&self, context: &Context) -> CallToolResponse {
        report(context, 0.0).await;
        context.ct.cancelled().await;
        self.0.cancelled.send_replace(true);
        text("too late")
    }

    async fn was_cancelled(&self) -> CallToolResponse {
        // The sender lives as long as `self`.
        let _ = self.0.cancelled.subscribe().wait_for(|cancelled| *cancelled).await;
        text("cancelled")
    }

    fn change(&self, change: Change) -> CallToolResponse {
        // An error says that nobody listens.
        let _ = self.0.changes.send(change);
        text("changed")
    }

    fn grow(&self) -> CallToolResponse {
        self.0.grown.store(true, Ordering::Relaxed);
        self.change(Change::Tools)
    }

    fn tools(&self) -> Value {
        let mut tools = vec![
            tool("echo", json!({ "message": { "type": "string" } })),
            tool("progress", json!({ "steps": { "type": "number" } })),
        ];
        let plain = ["log", "touch", "grow", "meet", "hang", "was_cancelled"];
        let asking = ["sample", "elicit_form", "elicit_url", "roots", "two_rounds"];
        tools.extend(plain.into_iter().chain(asking).map(|name| tool(name, json!({}))));
        if self.0.grown.load(Ordering::Relaxed) {
            tools.push(tool("grown", json!({})));
        }
        json!({ "tools": tools })
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        parse(json!({
            "protocolVersion": ProtocolVersion::V_2026_07_28,
            "capabilities": {
                "logging": {}, "completions": {}, "prompts": {},
                "tools": { "listChanged": true }, "resources": { "subscribe": true },
            },
            "serverInfo": { "name": "interop-eras", "version": "1.0.0" },
        }))
        .unwrap_or_default()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(&[ProtocolVersion::V_2026_07_28])
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Answer<ListToolsResult> {
        finished(self.tools())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Answer<CallToolResponse> {
        let arguments = request.arguments.clone().unwrap_or_default();
        Ok(match request.name.as_ref() {
            "echo" => text(arguments.get("message").and_then(Value::as_str).unwrap_or_default()),
            "progress" => self.progress(&arguments, &context).await,
            "log" => self.log(&context).await,
            "touch" => self.change(Change::Note),
            "grow" => self.grow(),
            "meet" => self.meet().await,
            "hang" => self.hang(&context).await,
            "was_cancelled" => self.was_cancelled().await,
            other => ask(other, &request, &context)?,
        })
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Answer<ListPromptsResult> {
        finished(json!({ "prompts": [
            { "name": "greet", "arguments": [{ "name": "name", "required": true }] },
        ]}))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: Context,
    ) -> Answer<GetPromptResponse> {
        let arguments = request.arguments.unwrap_or_default();
        let name = arguments.get("name").and_then(Value::as_str).unwrap_or_default();
        let result: GetPromptResult = finished(json!({ "messages": [
            { "role": "user", "content": { "type": "text", "text": format!("Greet {name}") } },
        ]}))?;
        Ok(result.into())
    }

    async fn complete(&self, request: CompleteRequestParams, _: Context) -> Answer<CompleteResult> {
        let typed = request.argument.value;
        let values: Vec<&str> =
            NAMES.into_iter().filter(|name| name.starts_with(typed.as_str())).collect();
        finished(json!({ "completion": { "values": values } }))
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Answer<ListResourcesResult> {
        finished(
            json!({ "resources": [{ "uri": NOTE, "name": "note", "mimeType": "text/plain" }] }),
        )
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Answer<ListResourceTemplatesResult> {
        finished(json!({ "resourceTemplates": [
            { "uriTemplate": "interop://item/{id}", "name": "item" },
        ]}))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: Context,
    ) -> Answer<ReadResourceResponse> {
        let uri = request.uri;
        let words = match uri.strip_prefix("interop://item/") {
            Some(id) => format!("item {id}"),
            None => "a note".into(),
        };
        let result: ReadResourceResult = finished(json!({ "contents": [
            { "uri": uri, "mimeType": "text/plain", "text": words },
        ]}))?;
        Ok(result.into())
    }

    fn accepted_subscription_filter(
        &self,
        wanted: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(wanted.supported_by(&self.get_info().capabilities))
    }

    /// Tells of every change until the listener is gone; the sink keeps to what was accepted.
    async fn listen(&self, context: SubscriptionContext) -> Answer<()> {
        let mut changes = self.0.changes.subscribe();
        loop {
            let change = tokio::select! {
                () = context.cancelled() => return Ok(()),
                change = changes.recv() => change,
            };
            let _ = match change {
                Ok(Change::Tools) => context.sink().notify_tool_list_changed().await,
                Ok(Change::Note) => context.sink().notify_resource_updated(NOTE).await,
                Err(_) => return Ok(()),
            };
        }
    }
}

/// A tool that puts questions to the client, those of a round at once, and says what was answered.
/// Between the rounds it keeps nothing but what the client brings back.
fn ask(name: &str, request: &CallToolRequestParams, context: &Context) -> Answer<CallToolResponse> {
    let rounds = rounds(name)
        .ok_or_else(|| ErrorData::invalid_params(format!("unknown tool: {name}"), None))?;
    let before = State::of(request)?;
    let mut answers = before.answers;
    for index in 0..rounds.get(before.round.wrapping_sub(1)).map_or(0, Vec::len) {
        let all = request.input_responses.as_ref();
        answers.push(all.and_then(|all| all.get(&key(index))).cloned().unwrap_or_default());
    }
    let Some(round) = rounds.get(before.round) else {
        return Ok(text(Value::Array(answers).to_string()));
    };
    for question in round {
        declared(question, context)?;
    }
    let questions: JsonObject =
        round.iter().cloned().enumerate().map(|(index, question)| (key(index), question)).collect();
    let state = json!({ "mark": MARK, "round": before.round + 1, "answers": answers });
    let round: InputRequiredResult = parse(json!({
        "resultType": "input_required",
        "inputRequests": questions,
        "requestState": state.to_string(),
    }))?;
    Ok(round.into())
}

/// What the client brings back: how many rounds there were, and their answers but the last ones.
#[derive(Default)]
struct State {
    round: usize,
    answers: Vec<Value>,
}

impl State {
    fn of(request: &CallToolRequestParams) -> Answer<Self> {
        let Some(state) = &request.request_state else { return Ok(State::default()) };
        let read: Value = serde_json::from_str(state).unwrap_or_default();
        match (&read["mark"], read["round"].as_u64(), &read["answers"]) {
            (Value::String(mark), Some(round), Value::Array(answers)) if mark == MARK => {
                Ok(State { round: round as usize, answers: answers.clone() })
            }
            _ => Err(ErrorData::invalid_params(format!("requestState came back as {state}"), None)),
        }
    }
}

fn key(index: usize) -> String {
    format!("question {index}")
}

fn rounds(tool: &str) -> Option<Vec<Vec<Value>>> {
    let roots = json!({ "method": "roots/list" });
    Some(match tool {
        "sample" => vec![vec![sample("say something")]],
        "elicit_form" => vec![vec![json!({ "method": "elicitation/create", "params": {
            "mode": "form", "message": "Who are you?",
            "requestedSchema": {
                "type": "object",
                "properties": { "name": { "type": "string" }, "integer": { "type": "integer" } },
                "required": ["name"],
            },
        }})]],
        // rmcp's type has an `elicitationId` even here, where the revision has none.
        "elicit_url" => vec![vec![json!({ "method": "elicitation/create", "params": {
            "mode": "url", "message": "Please sign in.", "elicitationId": "e1",
            "url": "https://interop.example/sign-in?state=a%2Fb",
        }})]],
        "roots" => vec![vec![roots]],
        "two_rounds" => vec![vec![roots, sample("first")], vec![sample("second")]],
        _ => return None,
    })
}

fn sample(words: &str) -> Value {
    json!({ "method": "sampling/createMessage", "params": {
        "messages": [{ "role": "user", "content": { "type": "text", "text": words } }],
        "maxTokens": 10,
    }})
}

/// A server may ask only for what this very request declares (26:mrtr).
fn declared(question: &Value, context: &Context) -> Answer<()> {
    let declared = serde_json::to_value(context.client_capabilities()).unwrap_or_default();
    let method = question["method"].as_str().unwrap_or_default();
    let url = question["params"]["mode"] == "url";
    let capability = method.split('/').next().unwrap_or_default();
    let there = &declared[capability];
    let (missing, required) = match url {
        true => (there["url"].is_null(), json!({ "elicitation": { "url": {} } })),
        false => (there.is_null(), json!({ capability: {} })),
    };
    if missing {
        return Err(ErrorData::missing_required_client_capability(parse(required)?));
    }
    Ok(())
}

async fn report(context: &Context, step: f64) {
    if let Some(token) = context.meta.get_progress_token() {
        // A client that has gone away ends the request, and with it this call.
        let _ = context.peer.notify_progress(ProgressNotificationParam::new(token, step)).await;
    }
}

fn tool(name: &str, properties: Value) -> Value {
    json!({ "name": name, "inputSchema": { "type": "object", "properties": properties } })
}

fn text(words: impl Into<String>) -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text(words)]).into()
}

/// A result that needs no further round.
fn finished<T: DeserializeOwned>(mut json: Value) -> Answer<T> {
    json["resultType"] = "complete".into();
    parse(json)
}

/// rmcp's types from JSON as the specification shows it; their own constructors hide it.
fn parse<T: DeserializeOwned>(json: Value) -> Answer<T> {
    serde_json::from_value(json).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}
