//! Calling tools, and searching for them.

use serde_json::{Map, Value, json};

use super::{
    super::talk::{self, clean},
    Context,
};
use crate::{
    composio::{rest::Call, session::PATH},
    error::{Error, Kind},
    json::{text, texts},
};

/// The longest sentence that is searched for, in letters, and the longest text of what is known.
const LONGEST: (usize, usize) = (1024, 500);

impl Context {
    /// `execute` and `execute-meta`.
    pub(super) async fn execute(&self, operation: &str) -> Result<(), Error> {
        let is_meta = operation == "execute-meta";
        let (segment, slug) =
            if is_meta { ("execute_meta", "slug") } else { ("execute", "tool_slug") };
        let mut body = self.members(&[
            ("tool", slug),
            ("account", "account"),
            ("request-state", "request_state"),
        ]);
        for (option, member) in [
            ("arguments", "arguments"),
            ("input-responses", "input_responses"),
            ("experimental", "experimental"),
        ] {
            self.add_json(&mut body, option, member)?;
            if body.get(member).is_some_and(|value| !value.is_object()) {
                return Err(talk::unusable(&format!("--{option}")).because("it is no JSON object"));
            }
        }
        if let Some(offload) = self.options.text("offload") {
            let offload = Value::Bool(offload == "true");
            body.insert("enable_auto_workbench_offload".to_owned(), offload);
        }
        self.call(segment, body).await
    }

    pub(super) async fn proxy_execute(&self) -> Result<(), Error> {
        let mut body = self.members(&[("toolkit", "toolkit_slug"), ("endpoint", "endpoint")]);
        let method = self.options.text("method").unwrap_or("GET");
        body.insert("method".to_owned(), Value::from(method));
        self.add_json(&mut body, "body", "body")?;
        self.add_json(&mut body, "binary-body", "binary_body")?;
        let mut parameters = Vec::new();
        for (option, mark) in [("header", ':'), ("query", '=')] {
            for text in self.options.all(option) {
                let Some((name, value)) = text.split_once(mark) else {
                    return Err(talk::unusable(&format!("--{option}"))
                        .because(format!("it has no `{mark}` between name and value")));
                };
                let (name, value) = (name.trim(), value.trim());
                parameters.push(json!({"name": name, "type": option, "value": value}));
            }
        }
        if !parameters.is_empty() {
            body.insert("parameters".to_owned(), Value::from(parameters));
        }
        self.call("proxy_execute", body).await
    }

    /// Executes something, once, and says how it ended.
    async fn call(&self, segment: &str, body: Map<String, Value>) -> Result<(), Error> {
        let id = self.session().await?;
        let path = [PATH[0], PATH[1], &id, segment];
        let toolkit = toolkit(&body);
        let call = Call::execute("could not execute the call", &path, Value::Object(body));
        let answer = self.api.send(&call).await?;
        let end = ended(&answer, &format!("{toolkit} --session {id}"));
        self.print(&answer, || match answer.get("result_type").and_then(Value::as_str) {
            Some("input_required") => questions(&answer),
            Some("blocked") => {
                format!("Blocked: {}", clean(text(&answer, "message").unwrap_or("?")))
            }
            _ => format!("{:#}", answer.get("data").unwrap_or(&Value::Null)),
        });
        end
    }

    pub(super) async fn search(&self) -> Result<(), Error> {
        let query = self.members(&[("for", "use_case"), ("known", "known_fields")]);
        for (member, most) in [("use_case", LONGEST.0), ("known_fields", LONGEST.1)] {
            let length = query.get(member).and_then(Value::as_str).map(|text| text.chars().count());
            if length.is_some_and(|length| length > most) {
                return Err(Error::new(Kind::Usage, "could not search")
                    .because(format!("a text is longer than {most} letters")));
            }
        }
        let mut body = self.members(&[("model", "model"), ("strategy", "search_strategy")]);
        self.add_json(&mut body, "experimental", "experimental")?;
        body.insert("queries".to_owned(), json!([query]));
        let id = self.session().await?;
        let path = [PATH[0], PATH[1], &id, "search"];
        let call = Call::create("could not search", &path, Value::Object(body));
        let answer = self.api.send(&call).await?;
        let failed = answer.get("success") == Some(&Value::Bool(false));
        self.print(&answer, || found(&answer));
        if failed {
            let error = Error::new(Kind::Protocol, "the search failed");
            return Err(match text(&answer, "error") {
                Some(cause) => error.because(clean(cause)),
                None => error,
            });
        }
        Ok(())
    }
}

/// The toolkit that a call is for, as far as its body tells.
fn toolkit(body: &Map<String, Value>) -> String {
    let of = |name: &str| body.get(name).and_then(Value::as_str);
    let of_tool = || of("tool_slug")?.split_once('_').map(|(toolkit, _)| toolkit);
    of("toolkit_slug")
        .or_else(of_tool)
        .map_or("TOOLKIT".to_owned(), |slug| clean(slug).to_ascii_lowercase())
}

/// How a call ended: well, or not. `place` is what an account would be connected for.
fn ended(answer: &Value, place: &str) -> Result<(), Error> {
    let kind = text(answer, "result_type").unwrap_or("completed");
    let error = match kind {
        "blocked" => {
            let reason = answer.get("reason").unwrap_or(&Value::Null);
            let what = if text(reason, "type") == Some("response_blocked") {
                "the call was made, and its result is withheld"
            } else {
                "the call was blocked before it was made"
            };
            let hook = text(reason, "hook_id").map(clean).unwrap_or_default();
            let error = Error::new(Kind::Authorization, what);
            let error =
                error.because(clean(text(answer, "message").unwrap_or("no reason is given")));
            error.hint(format!("the session's hook {hook} did that"))
        }
        "input_required" => Error::new(Kind::InvalidRequest, "the call waits for answers")
            .because("the tool asks the user something before it goes on")
            .hint("call it again with `--input-responses` and `--request-state`"),
        _ => match answer.get("error") {
            None | Some(Value::Null) if kind != "failed" => match app_refusal(answer) {
                Some(status) => Error::new(Kind::Protocol, "the app refused the request")
                    .because(format!("it answered with HTTP {status}"))
                    .hint("its own documents tell why; `--json` shows the whole answer"),
                None => return Ok(()),
            },
            Some(Value::String(cause)) if cause.is_empty() && kind != "failed" => return Ok(()),
            cause => {
                let cause = cause.filter(|cause| !cause.is_null());
                let cause = cause.map(|cause| match cause.as_str() {
                    Some(text) => clean(text),
                    None => cause.to_string(),
                });
                let cause = cause.unwrap_or_else(|| "it does not say why".to_owned());
                let is_connection = cause.contains("onnected account");
                let error = Error::new(Kind::Protocol, "the tool failed").because(cause);
                match is_connection {
                    true => error
                        .hint(format!("connect one: `composio-bridge session authorize {place}`")),
                    false => error,
                }
            }
        },
    };
    Err(match text(answer, "log_id") {
        Some(id) => error.hint(format!("Composio's log has it as {}", clean(id))),
        None => error,
    })
}

/// The status with which an app refused a request that was passed on to it.
fn app_refusal(answer: &Value) -> Option<u64> {
    answer.get("status").and_then(Value::as_u64).filter(|status| (400..600).contains(status))
}

/// What a tool asks, and how to answer it.
fn questions(answer: &Value) -> String {
    let requests = answer.get("input_requests").and_then(Value::as_object);
    let mut lines = vec!["The tool asks:".to_owned()];
    let mut responses = Map::new();
    for (key, request) in requests.into_iter().flatten() {
        lines.push(format!(
            "\n{}: {}",
            clean(key),
            clean(text(request, "message").unwrap_or_default())
        ));
        lines.extend(request.get("requested_schema").map(|schema| format!("{schema:#}")));
        responses.insert(key.clone(), json!({"action": "accept", "content": {}}));
    }
    lines.push("\nCall it again with the answers (accept, decline or cancel):\n".to_owned());
    let responses = Value::Object(responses).to_string();
    lines.push(format!("  --input-responses {}", talk::quoted(&responses)));
    if let Some(state) = text(answer, "request_state") {
        lines.push(format!("  --request-state {}", talk::quoted(&clean(state))));
    }
    lines.join("\n")
}

/// What a search found.
fn found(answer: &Value) -> String {
    let mut lines = Vec::new();
    let list = |name: &str| answer.get(name).and_then(Value::as_array).into_iter().flatten();
    for result in list("results") {
        for (title, name) in [
            ("Tools", "primary_tool_slugs"),
            ("Also", "related_tool_slugs"),
            ("Steps", "recommended_plan_steps"),
            ("Mind", "known_pitfalls"),
        ] {
            let all: Vec<String> = texts(result, name).map(clean).collect();
            if !all.is_empty() {
                lines.push(format!("{title}:\n  {}", all.join("\n  ")));
            }
        }
        lines.extend(text(result, "error").map(|cause| format!("Failed: {}", clean(cause))));
    }
    for status in list("toolkit_connection_statuses") {
        let toolkit = clean(text(status, "toolkit").unwrap_or_default());
        let connected = status.get("has_active_connection") == Some(&Value::Bool(true));
        lines.push(if connected {
            format!("{toolkit} is connected.")
        } else {
            format!("{toolkit} is not connected: `composio-bridge session authorize {toolkit}`")
        });
    }
    if lines.is_empty() { "Nothing was found.".to_owned() } else { lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_toolkit_is_in_the_body_or_in_the_tools_name() {
        for (body, expected) in [
            (json!({"tool_slug": "GMAIL_SEND_EMAIL"}), "gmail"),
            (json!({"toolkit_slug": "github", "endpoint": "/x"}), "github"),
            (json!({"tool_slug": "odd"}), "TOOLKIT"),
            (json!({"slug": "COMPOSIO_SEARCH_TOOLS"}), "TOOLKIT"),
        ] {
            assert_eq!(toolkit(body.as_object().expect("an object")), expected, "{body}");
        }
    }

    #[test]
    fn every_outcome_has_its_exit_code() {
        for (answer, expected) in [
            (json!({"data": {}, "error": null, "log_id": "l"}), Ok(())),
            (json!({"data": {}, "error": null, "result_type": "completed"}), Ok(())),
            (json!({"data": {}, "error": "", "log_id": "l"}), Ok(())),
            (json!({"status": 204, "data": null}), Ok(())),
            (json!({"status": 404, "data": {}}), Err(("answered with HTTP 404", 5))),
            (json!({"data": {}, "error": "no such mail", "log_id": "l"}), Err(("no such mail", 5))),
            (json!({"data": {}, "error": null, "result_type": "failed"}), Err(("not say why", 5))),
            (
                json!({"error": "Connected account not found"}),
                Err(("session authorize gmail --session trs_1", 5)),
            ),
            (
                json!({"result_type": "blocked", "message": "no", "log_id": "log_7",
                       "reason": {"type": "request_blocked", "hook_id": "h"}}),
                Err(("before it was made", 4)),
            ),
            (
                json!({"result_type": "blocked", "message": "no",
                       "reason": {"type": "response_blocked", "hook_id": "h"}}),
                Err(("was made, and its result", 4)),
            ),
            (json!({"result_type": "input_required"}), Err(("waits for answers", 1))),
        ] {
            match (ended(&answer, "gmail --session trs_1"), expected) {
                (Ok(()), Ok(())) => {}
                (Err(error), Err((part, code))) => {
                    assert!(error.report().contains(part), "{}", error.report());
                    assert_eq!(error.kind().exit_code(), code, "{answer}");
                }
                (ended, _) => panic!("{answer}: {ended:?}"),
            }
        }
    }
}
