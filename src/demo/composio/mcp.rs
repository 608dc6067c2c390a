//! The MCP endpoints of sessions and servers: what tools a client sees there, and what they answer.

use std::sync::Arc;

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolRequestParams, CallToolResult, ContentBlock, ElicitRequestParams,
        ElicitationAction, ElicitationSchema, Tool, ToolAnnotations, object,
    },
    service::RequestContext,
};
use serde_json::{Value, json};

use super::{
    World, catalogue,
    execute::{self, Run, account_for, completed, failed, lacking, not_connected},
    state::State,
    view::{self, Entry},
};
use crate::demo::handler::invalid;

/// What one endpoint serves.
pub(in crate::demo) struct Place {
    pub(super) world: Arc<World>,
    pub(super) of: Of,
}

/// Whose tools an endpoint has.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Of {
    /// A session's.
    Session(String),
    /// An MCP server's, for a user or with an account.
    Server { id: String, user: Option<String>, account: Option<String> },
}

impl Place {
    /// The tools, as `tools/list` gives them.
    pub(in crate::demo) fn tools(&self) -> Vec<Tool> {
        let entries = self.world.state().entries(&self.of).into_iter();
        entries.map(|(_, tool)| shown(tool)).collect()
    }

    /// Runs a tool; asks the person in between, where the session wants that.
    pub(in crate::demo) async fn call(
        &self,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let arguments = Value::Object(request.arguments.clone().unwrap_or_default());
        let mut result = self.run(&request.name, &arguments, &Value::Null, &Value::Null)?;
        if result["result_type"] == "input_required" {
            let answer = self.ask(&result["input_requests"]["approval"], context).await?;
            let answers = json!({ "approval": { "action": answer } });
            result = self.run(&request.name, &arguments, &answers, &result["request_state"])?;
        }
        let is_failure = result["result_type"] != "completed";
        result["successful"] = (!is_failure).into();
        let text = vec![ContentBlock::text(result.to_string())];
        Ok(if is_failure { CallToolResult::error(text) } else { CallToolResult::success(text) })
    }

    /// What the person says: `accept` or not. For a client that cannot ask, the session decides.
    async fn ask(
        &self,
        question: &Value,
        context: &RequestContext<RoleServer>,
    ) -> Result<&'static str, ErrorData> {
        let schema = ElicitationSchema::builder()
            .build()
            .map_err(|cause| ErrorData::internal_error(cause, None))?;
        let question = ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: question["message"].as_str().unwrap_or_default().to_owned(),
            requested_schema: schema,
        };
        let accepted = match context.peer.create_elicitation(question).await {
            Ok(answer) => answer.action == ElicitationAction::Accept,
            Err(_) => self.world.state().allows_unasked(&self.of),
        };
        Ok(if accepted { "accept" } else { "decline" })
    }

    fn run(
        &self,
        slug: &str,
        arguments: &Value,
        answers: &Value,
        asked: &Value,
    ) -> Result<Value, ErrorData> {
        let mut state = self.world.state();
        let mut entries = state.entries(&self.of).into_iter();
        let entry = entries.find(|(_, tool)| catalogue::slug(tool) == slug);
        let entry = entry.ok_or_else(|| invalid(format!("Tool {slug} not found")))?;
        match &self.of {
            Of::Session(session) => {
                let run = Run { session, arguments, account: &Value::Null, answers, asked };
                let result = execute::run(&mut state, slug, &run);
                result.map_err(|refusal| invalid(refusal.message))
            }
            Of::Server { id, user, account } => {
                let user = (user.as_deref(), account.as_deref());
                Ok(state.run_of_server(id, user, entry, arguments))
            }
        }
    }
}

/// A tool of the catalogue, as `tools/list` gives it.
fn shown(tool: &Value) -> Tool {
    let is = |tag| catalogue::has_tag(tool, &[tag]);
    let text = |name: &str| tool[name].as_str().unwrap_or_default().to_owned();
    let hints = ToolAnnotations::new()
        .read_only(is("readOnlyHint"))
        .destructive(is("destructiveHint"))
        .idempotent(is("idempotentHint"))
        .open_world(is("openWorldHint"));
    Tool::new(text("slug"), text("description"), object(catalogue::input_schema(tool)))
        .with_title(text("name"))
        .with_annotations(hints)
}

impl State {
    /// The tools of an endpoint; none once what it belongs to is deleted.
    fn entries(&self, of: &Of) -> Vec<Entry> {
        match of {
            Of::Session(id) => self.sessions.get(id).map(view::exposed).unwrap_or_default(),
            Of::Server { id, .. } => {
                let Some(server) = self.servers.get(id) else { return Vec::new() };
                let tools = |toolkit| catalogue::tools(toolkit).map(move |tool| (toolkit, tool));
                let mut all: Vec<_> = server.serves().into_iter().flat_map(tools).collect();
                let allowed = &server.allowed_tools;
                all.retain(|(_, tool)| {
                    allowed.is_empty() || allowed.iter().any(|name| name == catalogue::slug(tool))
                });
                all
            }
        }
    }

    fn allows_unasked(&self, of: &Of) -> bool {
        let Of::Session(id) = of else { return false };
        let fallback = self.sessions.get(id).map(|session| {
            session.blocks["experimental"]["no_elicitation_support_fallback"] == "allow"
        });
        fallback.unwrap_or_default()
    }

    fn run_of_server(
        &self,
        id: &str,
        (user, account): (Option<&str>, Option<&str>),
        (toolkit, tool): Entry,
        arguments: &Value,
    ) -> Value {
        let Some(server) = self.servers.get(id) else { return failed("MCP server not found") };
        if let Some(fault) = lacking(tool, arguments) {
            return failed(&fault);
        }
        let of_account = self.accounts.iter().find(|known| Some(known.id.as_str()) == account);
        let user = user.or(of_account.map(|known| known.user.as_str())).unwrap_or_default();
        match account_for(self, toolkit, server.project, user, account) {
            Some(_) => completed(tool, arguments),
            None => not_connected(toolkit),
        }
    }
}
