//! The MCP endpoints of sessions and servers: what tools a client sees there, and what they answer.

use std::{pin::Pin, sync::Arc};

use serde_json::{Value, json};

use super::{
    World, catalogue,
    execute::{self, Run, account_for, completed, failed, lacking, not_connected},
    state::State,
    view::{self, Entry},
};
use crate::demo::server::{Call, Fault, Offer, Outcome, text_result};

/// What one endpoint serves.
pub(super) struct Place {
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

impl Offer for Place {
    fn about(&self) -> Value {
        json!({
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "composio-stand-in", "version": env!("CARGO_PKG_VERSION") },
        })
    }

    fn answer<'c>(&'c self, call: &'c Call) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'c>> {
        Box::pin(async move {
            match call.method.as_str() {
                "tools/list" => Ok(json!({ "tools": self.tools() })),
                "tools/call" => self.call(call).await,
                method => Err(Fault::unknown_method(method)),
            }
        })
    }
}

impl Place {
    /// The tools, as `tools/list` gives them.
    fn tools(&self) -> Vec<Value> {
        let entries = self.world.state().entries(&self.of).into_iter();
        entries.map(|(_, tool)| shown(tool)).collect()
    }

    /// Runs a tool; asks the person in between, where the session wants that.
    async fn call(&self, call: &Call) -> Outcome {
        let slug = call.text("name")?;
        let arguments = match &call.params["arguments"] {
            Value::Null => json!({}),
            arguments => arguments.clone(),
        };
        let mut result = self.run(slug, &arguments, &Value::Null, &Value::Null)?;
        if result["result_type"] == "input_required" {
            let answer = self.ask(&result["input_requests"]["approval"], call).await;
            let answers = json!({ "approval": { "action": answer } });
            result = self.run(slug, &arguments, &answers, &result["request_state"])?;
        }
        let is_failure = result["result_type"] != "completed";
        result["successful"] = (!is_failure).into();
        Ok(text_result(&result.to_string(), is_failure))
    }

    /// What the person says: `accept` or not. For a client that cannot ask, the session decides.
    async fn ask(&self, question: &Value, call: &Call) -> &'static str {
        let accepted = match call.can_ask() {
            false => self.world.state().allows_unasked(&self.of),
            true => {
                let question = json!({
                    "mode": "form",
                    "message": question["message"],
                    "requestedSchema": { "type": "object", "properties": {} },
                });
                call.ask(question).await["result"]["action"] == "accept"
            }
        };
        if accepted { "accept" } else { "decline" }
    }

    fn run(&self, slug: &str, arguments: &Value, answers: &Value, asked: &Value) -> Outcome {
        let mut state = self.world.state();
        let mut entries = state.entries(&self.of).into_iter();
        let entry = entries.find(|(_, tool)| catalogue::slug(tool) == slug);
        let entry = entry.ok_or_else(|| Fault::invalid_params(format!("Tool {slug} not found")))?;
        match &self.of {
            Of::Session(session) => {
                let run = Run { session, arguments, account: &Value::Null, answers, asked };
                let result = execute::run(&mut state, slug, &run);
                result.map_err(|refusal| Fault::invalid_params(refusal.message))
            }
            Of::Server { id, user, account } => {
                let user = (user.as_deref(), account.as_deref());
                Ok(state.run_of_server(id, user, entry, arguments))
            }
        }
    }
}

/// A tool of the catalogue, as `tools/list` gives it.
fn shown(tool: &Value) -> Value {
    let is = |tag| catalogue::has_tag(tool, &[tag]);
    json!({
        "name": tool["slug"],
        "title": tool["name"],
        "description": tool["description"],
        "inputSchema": catalogue::input_schema(tool),
        "annotations": {
            "readOnlyHint": is("readOnlyHint"),
            "destructiveHint": is("destructiveHint"),
            "idempotentHint": is("idempotentHint"),
            "openWorldHint": is("openWorldHint"),
        },
    })
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
