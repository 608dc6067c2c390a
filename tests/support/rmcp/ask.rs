//! The tool that asks the person: by a request to the client in a session, by an input round in
//! 2026-07-28, where a server sends no requests.

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock,
        ElicitRequest, ElicitRequestParams, ElicitationAction, ElicitationSchema, InputRequest,
        InputRequiredResult,
    },
    service::RequestContext,
};
use serde_json::Value;

use super::handler::{invalid, is_modern, text_result};

/// The key of the one question, and the name of what it asks for.
const NAME: &str = "name";

/// The state of a call that has asked it.
const ASKED: &str = "asked";

/// Asks the person for a name, and greets.
pub(super) async fn ask(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let schema = ElicitationSchema::builder()
        .required_string_property(NAME, |name| name.title("Name"))
        .build()
        .map_err(|cause| ErrorData::internal_error(cause, None))?;
    let question = ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: "What is your name?".into(),
        requested_schema: schema,
    };
    if is_modern(context) {
        return ask_in_rounds(question, request, context);
    }
    let result = match context.peer.create_elicitation(question).await {
        Ok(answer) => {
            let accepted = answer.action == ElicitationAction::Accept;
            greeting(accepted, answer.content.as_ref())
        }
        Err(error) => {
            let text = format!("this client cannot be asked: {error}");
            CallToolResult::error(vec![ContentBlock::text(text)])
        }
    };
    Ok(result.into())
}

/// Asks by an input round (2026-07-28, "Multi Round-Trip Requests"): the first call is answered
/// with the question, and the retry brings the person's answer.
fn ask_in_rounds(
    question: ElicitRequestParams,
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let able = context.client_capabilities().is_some_and(|able| able.elicitation.is_some());
    if !able {
        let mut required = ClientCapabilities::default();
        required.elicitation = Some(Default::default());
        return Err(ErrorData::missing_required_client_capability(required));
    }
    let answer = request.input_responses.as_ref().and_then(|answers| answers.get(NAME));
    match (request.request_state.as_deref(), answer) {
        (Some(ASKED), Some(answer)) => {
            Ok(greeting(answer["action"] == "accept", answer.get("content")).into())
        }
        (None | Some(ASKED), _) => {
            let question = InputRequest::Elicitation(ElicitRequest::new(question));
            let questions = [(NAME.to_owned(), question)].into();
            let round = InputRequiredResult::new(Some(questions), Some(ASKED.into()));
            Ok(CallToolResponse::InputRequired(round))
        }
        (Some(_), _) => Err(invalid("`requestState` is not one that `ask` gave".into())),
    }
}

fn greeting(accepted: bool, content: Option<&Value>) -> CallToolResult {
    let name = content.and_then(|content| content["name"].as_str()).filter(|_| accepted);
    text_result(match name {
        Some(name) => format!("Hello, {name}!"),
        None => "Hello, whoever you are.".into(),
    })
}
