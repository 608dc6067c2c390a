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

use composio_bridge::demo::Era;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams,
        CompleteResult, CompletionInfo, ContentBlock, GetPromptRequestParams, GetPromptResponse,
        GetPromptResult, Implementation, JsonObject, ListPromptsResult, ListResourcesResult,
        ListToolsResult, LoggingLevel, LoggingMessageNotificationParam, PaginatedRequestParams,
        ProgressNotificationParam, Prompt, PromptArgument, PromptMessage, ProtocolVersion,
        ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Resource,
        ResourceContents, ResourceUpdatedNotificationParam, Role, ServerCapabilities, ServerConfig,
        SetLevelRequestMethod, SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter,
        Tool, UnsubscribeRequestParams, object,
    },
    service::{Peer, RequestContext, SubscriptionContext},
};
use serde_json::{Value, json};
use tokio::{sync::watch, task::AbortHandle};

use super::ask::ask;

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

/// One session of the sandbox, or one request of 2026-07-28, which has no sessions.
pub(super) struct Handler {
    era: Era,
    /// Knows of every change that came after this handler was made. A listen request has one of
    /// its own, so nothing that happens from then on is lost to it.
    updates: watch::Receiver<String>,
    shared: Arc<Shared>,
    level: Mutex<LoggingLevel>,
    subscription: Mutex<Option<AbortHandle>>,
}

impl Handler {
    /// A handler that speaks the versions of `era`.
    pub(super) fn new(shared: Arc<Shared>, era: Era) -> Self {
        Handler {
            era,
            updates: shared.last_echo.subscribe(),
            shared,
            level: Mutex::new(LoggingLevel::Info),
            subscription: Mutex::default(),
        }
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

    /// Counts aloud: one log message at the start, then one progress notification a step.
    ///
    /// In a session the log message may take another way than the answer. At the start it is there
    /// before it, so that whoever carries both still knows which request had asked for it.
    async fn count(
        &self,
        arguments: &JsonObject,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let steps = number(arguments, "steps", 5).min(MAX_STEPS);
        let pause = number(arguments, "ms", 50).min(MAX_WAIT);
        let token = context.meta.get_progress_token();
        self.log(context, format!("counting to {steps}")).await;
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
        Ok(text_result(format!("counted to {steps}")))
    }

    /// Logs at level `info`, if the session, or in 2026-07-28 the request, wants it.
    async fn log(&self, context: &RequestContext<RoleServer>, text: String) {
        let threshold = match is_modern(context) {
            true => context.meta.log_level(),
            false => Some(*unpoisoned(&self.level)),
        };
        if threshold.is_some_and(|threshold| LoggingLevel::Info as u8 >= threshold as u8) {
            let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, text.into())
                .with_logger("sandbox");
            let _ = context.peer.notify_logging_message(message).await;
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
        let mut capabilities = ServerCapabilities::default();
        capabilities.tools = Some(Default::default());
        capabilities.prompts = Some(Default::default());
        capabilities.resources.get_or_insert_default().subscribe = Some(true);
        capabilities.completions = Some(Default::default());
        capabilities.logging = Some(Default::default());
        // The preferred answer to `initialize`, where that is served.
        let version = match self.era {
            Era::Modern => ProtocolVersion::V_2026_07_28,
            Era::Legacy | Era::Dual => ProtocolVersion::V_2025_11_25,
        };
        ServerConfig::new(capabilities)
            .with_protocol_version(version)
            .with_server_info(Implementation::new("sandbox", env!("CARGO_PKG_VERSION")))
            .with_instructions("A sandbox for trying the bridge. Nothing here has any effect.")
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        let legacy = ProtocolVersion::known_up_to(&ProtocolVersion::V_2025_11_25);
        Cow::Borrowed(match self.era {
            Era::Legacy => legacy,
            Era::Modern => &ProtocolVersion::KNOWN_VERSIONS[legacy.len()..],
            Era::Dual => ProtocolVersion::KNOWN_VERSIONS,
        })
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![
            tool(
                "echo",
                "Gives back the text.",
                json!({ "text": { "type": "string" } }),
                &["text"],
            ),
            tool(
                "add",
                "Adds two numbers.",
                json!({ "a": { "type": "number" }, "b": { "type": "number" } }),
                &["a", "b"],
            ),
            tool(
                "count",
                "Counts aloud, with progress notifications.",
                json!({ "steps": { "type": "integer" }, "ms": { "type": "integer" } }),
                &[],
            ),
            tool(
                "wait",
                "Answers after so many milliseconds.",
                json!({ "ms": { "type": "integer" } }),
                &[],
            ),
            tool("ask", "Asks for your name, and greets.", json!({}), &[]),
        ]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.clone().unwrap_or_default();
        let result = match request.name.as_ref() {
            "echo" => self.echo(&arguments)?,
            "add" => add(&arguments)?,
            "count" => self.count(&arguments, &context).await?,
            "wait" => self.wait(&arguments, &context).await?,
            "ask" => return ask(&request, &context).await,
            other => return Err(invalid(format!("unknown tool: {other}"))),
        };
        Ok(result.into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let language = PromptArgument::new("language").with_required(true);
        let greeting =
            Prompt::new("greeting", Some("A greeting in a language."), Some(vec![language]));
        Ok(ListPromptsResult::with_all_items(vec![greeting]))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let language = string(&request.arguments.unwrap_or_default(), "language")?;
        let text = format!("Please greet me in {language}.");
        Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]).into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let typed = request.argument.value.to_lowercase();
        let values = ["English", "Esperanto", "French", "German", "Hindi"]
            .into_iter()
            .filter(|language| language.to_lowercase().starts_with(&typed))
            .map(str::to_owned)
            .collect();
        let completion = CompletionInfo::with_all_values(values)
            .map_err(|cause| ErrorData::internal_error(cause, None))?;
        Ok(CompleteResult::new(completion))
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let last_echo = Resource::new(LAST_ECHO, "last-echo").with_mime_type("text/plain");
        Ok(ListResourcesResult::with_all_items(vec![last_echo]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        known(&request.uri)?;
        let text = self.shared.last_echo.borrow().clone();
        Ok(ReadResourceResult::new(vec![ResourceContents::text(text, LAST_ECHO)]).into())
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

    /// What is left of the filter: the one resource. No list here ever changes.
    fn accepted_subscription_filter(
        &self,
        wanted: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        let uris = wanted.resource_subscriptions.iter().flatten().filter(|uri| *uri == LAST_ECHO);
        let mut accepted = SubscriptionFilter::new();
        accepted.resource_subscriptions =
            Some(uris.cloned().collect::<Vec<_>>()).filter(|uris| !uris.is_empty());
        Some(accepted)
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let mut updates = self.updates.clone();
        loop {
            tokio::select! {
                () = subscription.cancelled() => return Ok(()),
                changed = updates.changed() => if changed.is_err() { return Ok(()) },
            }
            // It refuses what the filter leaves out, and fails when the client has gone away,
            // of which `cancelled` tells.
            let _ = subscription.sink().notify_resource_updated(LAST_ECHO).await;
        }
    }

    /// In 2026-07-28 a request names its own level; rmcp asks for this method's there too.
    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if is_modern(&context) {
            return Err(ErrorData::method_not_found::<SetLevelRequestMethod>());
        }
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

/// Whether a request is of 2026-07-28.
pub(super) fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| !version.has_initialize())
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

fn tool(
    name: &'static str,
    description: &'static str,
    properties: Value,
    required: &[&str],
) -> Tool {
    let schema = json!({ "type": "object", "properties": properties, "required": required });
    Tool::new(name, description, object(schema))
}

pub(super) fn text_result(text: impl Into<String>) -> CallToolResult {
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

pub(super) fn invalid(message: String) -> ErrorData {
    ErrorData::invalid_params(message, None)
}

/// None of the values kept here can be seen half changed, so a poisoned lock is usable.
fn unpoisoned<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
