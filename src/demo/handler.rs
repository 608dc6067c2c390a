//! What the sandbox serves, whichever transport carried the request.

#![expect(
    deprecated,
    reason = "rmcp marks logging as leaving MCP; every protocol version served here has it"
)]

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams,
        CompleteResult, ContentBlock, ElicitRequestParams, ElicitationAction,
        GetPromptRequestParams, GetPromptResponse, JsonObject, ListPromptsResult,
        ListResourcesResult, ListToolsResult, LoggingLevel, LoggingMessageNotificationParam,
        PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion,
        ReadResourceRequestParams, ReadResourceResponse, ResourceUpdatedNotificationParam,
        ServerConfig, SetLevelRequestParams, SubscribeRequestParams, UnsubscribeRequestParams,
    },
    service::{Peer, RequestContext},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::{sync::watch, task::AbortHandle};

/// The one resource: the text that `echo` was last called with.
const LAST_ECHO: &str = "sandbox://last-echo";

/// The most steps that `count` takes.
const MAX_STEPS: u64 = 10_000;

/// The longest time that `wait`, and each step of `count`, may take, in milliseconds.
const MAX_WAIT: u64 = 60_000;

/// State that all sessions of one sandbox see.
pub(super) struct Shared {
    last_echo: watch::Sender<String>,
}

impl Default for Shared {
    fn default() -> Self {
        Shared { last_echo: watch::Sender::new("(nothing yet)".into()) }
    }
}

/// One session of the sandbox.
pub(super) struct Handler {
    shared: Arc<Shared>,
    level: Mutex<LoggingLevel>,
    subscription: Mutex<Option<AbortHandle>>,
}

impl Handler {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Handler { shared, level: Mutex::new(LoggingLevel::Info), subscription: Mutex::default() }
    }

    fn echo(&self, arguments: &JsonObject) -> Result<CallToolResult, ErrorData> {
        let text = string(arguments, "text")?;
        self.shared.last_echo.send_replace(text.clone());
        Ok(text_result(text))
    }

    /// Waits on request, so that it can be seen which calls run beside each other.
    async fn wait(
        &self,
        arguments: &JsonObject,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let pause = number(arguments, "ms", 100).min(MAX_WAIT);
        sleep_unless_cancelled(pause, context).await?;
        Ok(text_result(format!("waited {pause} ms")))
    }

    /// Counts aloud: one progress notification a step, and one log message at the end.
    async fn count(
        &self,
        arguments: &JsonObject,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let steps = number(arguments, "steps", 5).min(MAX_STEPS);
        let pause = number(arguments, "ms", 50).min(MAX_WAIT);
        let token = context.meta.get_progress_token();
        for step in 1..=steps {
            sleep_unless_cancelled(pause, context).await?;
            if let Some(token) = token.clone() {
                let progress = ProgressNotificationParam::new(token, step as f64)
                    .with_total(steps as f64)
                    .with_message(format!("step {step} of {steps}"));
                // A client that has gone away ends the session, and with it this call.
                let _ = context.peer.notify_progress(progress).await;
            }
        }
        self.log(&context.peer, format!("counted to {steps}")).await;
        Ok(text_result(format!("counted to {steps}")))
    }

    /// Asks the person for a name by elicitation, and greets.
    async fn ask(&self, context: &RequestContext<RoleServer>) -> Result<CallToolResult, ErrorData> {
        let question: ElicitRequestParams = parse(json!({
            "mode": "form",
            "message": "What is your name?",
            "requestedSchema": {
                "type": "object",
                "properties": { "name": { "type": "string", "title": "Name" } },
                "required": ["name"],
            },
        }))?;
        let answer = match context.peer.create_elicitation(question).await {
            Ok(answer) => answer,
            Err(error) => {
                let text = format!("this client cannot be asked: {error}");
                return Ok(CallToolResult::error(vec![ContentBlock::text(text)]));
            }
        };
        let name = answer.content.as_ref().and_then(|content| content["name"].as_str());
        Ok(text_result(match (answer.action, name) {
            (ElicitationAction::Accept, Some(name)) => format!("Hello, {name}!"),
            _ => "Hello, whoever you are.".into(),
        }))
    }

    async fn log(&self, peer: &Peer<RoleServer>, text: String) {
        let threshold = *unpoisoned(&self.level) as u8;
        if LoggingLevel::Info as u8 >= threshold {
            let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, text.into())
                .with_logger("sandbox");
            let _ = peer.notify_logging_message(message).await;
        }
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        if let Some(subscription) = unpoisoned(&self.subscription).take() {
            subscription.abort();
        }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        // Parsed from our own text, which a test keeps valid.
        parse(json!({
            "protocolVersion": ProtocolVersion::V_2025_11_25,
            "capabilities": {
                "tools": {},
                "prompts": {},
                "resources": { "subscribe": true },
                "completions": {},
                "logging": {},
            },
            "serverInfo": { "name": "sandbox", "version": env!("CARGO_PKG_VERSION") },
            "instructions": "A sandbox for trying the bridge. Nothing here has any effect.",
        }))
        .unwrap_or_default()
    }

    /// The versions with `initialize`: `ask` sends a request to the client, which 2026-07-28
    /// no longer allows.
    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(ProtocolVersion::known_up_to(&ProtocolVersion::V_2025_11_25))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        parse(json!({ "tools": [
            tool("echo", "Gives back the text.", json!({ "text": { "type": "string" } }), &["text"]),
            tool("add", "Adds two numbers.",
                json!({ "a": { "type": "number" }, "b": { "type": "number" } }), &["a", "b"]),
            tool("count", "Counts aloud, with progress notifications.",
                json!({ "steps": { "type": "integer" }, "ms": { "type": "integer" } }), &[]),
            tool("wait", "Answers after so many milliseconds.",
                json!({ "ms": { "type": "integer" } }), &[]),
            tool("ask", "Asks for your name, and greets.", json!({}), &[]),
        ]}))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let result = match request.name.as_ref() {
            "echo" => self.echo(&arguments)?,
            "add" => add(&arguments)?,
            "count" => self.count(&arguments, &context).await?,
            "wait" => self.wait(&arguments, &context).await?,
            "ask" => self.ask(&context).await?,
            other => return Err(invalid(format!("unknown tool: {other}"))),
        };
        Ok(result.into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        parse(json!({ "prompts": [{
            "name": "greeting",
            "description": "A greeting in a language.",
            "arguments": [{ "name": "language", "required": true }],
        }]}))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let language = string(&request.arguments.unwrap_or_default(), "language")?;
        let text = format!("Please greet me in {language}.");
        let result: rmcp::model::GetPromptResult = parse(json!({
            "messages": [{ "role": "user", "content": { "type": "text", "text": text } }],
        }))?;
        Ok(result.into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let typed = request.argument.value.to_lowercase();
        let values: Vec<&str> = ["English", "Esperanto", "French", "German", "Hindi"]
            .into_iter()
            .filter(|language| language.to_lowercase().starts_with(&typed))
            .collect();
        parse(
            json!({ "completion": { "values": values, "total": values.len(), "hasMore": false } }),
        )
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        parse(json!({ "resources": [
            { "uri": LAST_ECHO, "name": "last-echo", "mimeType": "text/plain" },
        ]}))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        known(&request.uri)?;
        let text = self.shared.last_echo.borrow().clone();
        let result: rmcp::model::ReadResourceResult = parse(json!({
            "contents": [{ "uri": LAST_ECHO, "mimeType": "text/plain", "text": text }],
        }))?;
        Ok(result.into())
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        known(&request.uri)?;
        let updates = self.shared.last_echo.subscribe();
        let task = tokio::spawn(notify_updates(updates, context.peer)).abort_handle();
        if let Some(earlier) = unpoisoned(&self.subscription).replace(task) {
            earlier.abort();
        }
        Ok(())
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        known(&request.uri)?;
        if let Some(task) = unpoisoned(&self.subscription).take() {
            task.abort();
        }
        Ok(())
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        *unpoisoned(&self.level) = request.level;
        Ok(())
    }
}

/// Tells a subscriber of every change, until it or the sandbox is gone.
async fn notify_updates(mut updates: watch::Receiver<String>, peer: Peer<RoleServer>) {
    while updates.changed().await.is_ok() {
        let update = ResourceUpdatedNotificationParam::new(LAST_ECHO);
        if peer.notify_resource_updated(update).await.is_err() {
            return;
        }
    }
}

async fn sleep_unless_cancelled(
    ms: u64,
    context: &RequestContext<RoleServer>,
) -> Result<(), ErrorData> {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(ms)) => Ok(()),
        () = context.ct.cancelled() => Err(ErrorData::internal_error("cancelled", None)),
    }
}

fn add(arguments: &JsonObject) -> Result<CallToolResult, ErrorData> {
    let term = |name| {
        arguments
            .get(name)
            .and_then(Value::as_f64)
            .ok_or_else(|| invalid(format!("`{name}` must be a number")))
    };
    Ok(text_result((term("a")? + term("b")?).to_string()))
}

fn tool(name: &str, description: &str, properties: Value, required: &[&str]) -> Value {
    json!({
        "name": name,
        "description": description,
        "inputSchema": { "type": "object", "properties": properties, "required": required },
    })
}

fn text_result(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

fn string(arguments: &JsonObject, name: &str) -> Result<String, ErrorData> {
    arguments
        .get(name)
        .and_then(Value::as_str)
        .map(String::from)
        .ok_or_else(|| invalid(format!("`{name}` must be a string")))
}

fn number(arguments: &JsonObject, name: &str, default: u64) -> u64 {
    arguments.get(name).and_then(Value::as_u64).unwrap_or(default)
}

fn known(uri: &str) -> Result<(), ErrorData> {
    if uri == LAST_ECHO {
        Ok(())
    } else {
        Err(ErrorData::resource_not_found(format!("no such resource: {uri}"), None))
    }
}

fn invalid(message: String) -> ErrorData {
    ErrorData::invalid_params(message, None)
}

/// rmcp's types from JSON as the specification shows it; their own constructors hide it.
fn parse<T: DeserializeOwned>(json: Value) -> Result<T, ErrorData> {
    serde_json::from_value(json).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// None of the values kept here can be seen half changed, so a poisoned lock is usable.
fn unpoisoned<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
