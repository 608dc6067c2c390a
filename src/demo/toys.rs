//! What the sandbox offers, whichever transport carried the request: tools, a prompt, a resource.

use std::{pin::Pin, sync::LazyLock, time::Duration};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::server::{Call, Fault, LEVELS, Offer, Outcome, notification, text, text_result};
use crate::era::meta;

/// The one resource: the text that `echo` was last called with.
const LAST_ECHO: &str = "sandbox://last-echo";

/// The most steps that `count` takes.
const MAX_STEPS: u64 = 10_000;

/// The longest time that `wait`, and each step of `count`, may take, in milliseconds.
const MAX_WAIT: u64 = 60_000;

/// The key of the one question that `ask` puts, and the name of what it asks for.
const NAME: &str = "name";

/// The state of a call that has put it.
const ASKED: &str = "asked";

const UPDATED: &str = "notifications/resources/updated";

/// What never changes: what the server says of itself, its lists, and the question.
static FIXED: LazyLock<Value> = LazyLock::new(|| {
    // Our own text, which a test keeps valid.
    serde_json::from_str(include_str!("sandbox.json")).unwrap_or_default()
});

/// The sandbox's tools, and the state that all its sessions see.
pub(super) struct Toys {
    last_echo: watch::Sender<String>,
}

impl Default for Toys {
    fn default() -> Self {
        Toys { last_echo: watch::Sender::new("(nothing yet)".into()) }
    }
}

impl Offer for Toys {
    fn about(&self) -> Value {
        let mut about = FIXED["about"].clone();
        about["serverInfo"]["version"] = env!("CARGO_PKG_VERSION").into();
        about
    }

    fn answer<'c>(&'c self, call: &'c Call) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'c>> {
        Box::pin(async move {
            match call.method.as_str() {
                "tools/call" => self.call(call).await,
                "subscriptions/listen" if call.session().is_none() => self.listen(call).await,
                _ => self.at_once(call),
            }
        })
    }
}

impl Toys {
    /// The result of what takes no time.
    fn at_once(&self, call: &Call) -> Outcome {
        match (call.method.as_str(), call.session()) {
            ("prompts/get", _) => {
                let language = text(&call.params["arguments"], "language")?;
                let text = format!("Please greet me in {language}.");
                let content = json!({ "type": "text", "text": text });
                Ok(json!({ "messages": [{ "role": "user", "content": content }] }))
            }
            ("completion/complete", _) => Ok(complete(text(&call.params["argument"], "value")?)),
            ("resources/read", _) => {
                known(call)?;
                let text = self.last_echo.borrow().clone();
                let content = json!({ "uri": LAST_ECHO, "mimeType": "text/plain", "text": text });
                Ok(json!({ "contents": [content] }))
            }
            ("resources/subscribe", Some(session)) => {
                known(call)?;
                let (mut updates, client) = (self.last_echo.subscribe(), session.common.clone());
                let telling = tokio::spawn(async move {
                    while updates.changed().await.is_ok() {
                        client.say(&notification(UPDATED, json!({ "uri": LAST_ECHO })));
                    }
                });
                session.subscribe(Some(telling.abort_handle()));
                Ok(json!({}))
            }
            ("resources/unsubscribe", Some(session)) => {
                known(call)?;
                session.subscribe(None);
                Ok(json!({}))
            }
            ("logging/setLevel", Some(session)) => {
                let level = call.text("level")?;
                if !LEVELS.contains(&level) {
                    return Err(Fault::invalid_params(format!("no such level: {level}")));
                }
                session.set_level(level);
                Ok(json!({}))
            }
            (method, _) => {
                let fixed = FIXED.get(method).filter(|_| method.ends_with("/list"));
                fixed.cloned().ok_or_else(|| Fault::unknown_method(method))
            }
        }
    }

    async fn call(&self, call: &Call) -> Outcome {
        let arguments = &call.params["arguments"];
        match call.text("name")? {
            "echo" => {
                let text = text(arguments, "text")?;
                self.last_echo.send_replace(text.to_owned());
                Ok(text_result(text, false))
            }
            "add" => {
                let sum = number(arguments, "a")? + number(arguments, "b")?;
                Ok(text_result(&sum.to_string(), false))
            }
            "count" => Ok(count(call, arguments).await),
            "wait" => {
                let pause = at_most(arguments, "ms", 100, MAX_WAIT);
                tokio::time::sleep(Duration::from_millis(pause)).await;
                Ok(text_result(&format!("waited {pause} ms"), false))
            }
            "ask" if call.session().is_some() => Ok(ask(call).await),
            "ask" => ask_in_rounds(call),
            other => Err(Fault::invalid_params(format!("unknown tool: {other}"))),
        }
    }

    /// Tells of changes for as long as the client listens (26:subs). No list here ever changes, so
    /// all that is granted is the one resource.
    async fn listen(&self, call: &Call) -> Outcome {
        // Nothing that happens from here on is lost.
        let mut updates = self.last_echo.subscribe();
        let wanted = &call.params["notifications"];
        if !wanted.is_object() {
            return Err(Fault::invalid_params("`notifications` must be an object"));
        }
        let uris = wanted["resourceSubscriptions"].as_array();
        let is_granted = uris.is_some_and(|uris| uris.iter().any(|uri| uri == LAST_ECHO));
        let meta = json!({ meta::SUBSCRIPTION_ID: call.id() });
        let granted = match is_granted {
            true => json!({ "resourceSubscriptions": [LAST_ECHO] }),
            false => json!({}),
        };
        let acknowledged = json!({ "_meta": meta, "notifications": granted });
        call.notify("notifications/subscriptions/acknowledged", acknowledged);
        while updates.changed().await.is_ok() {
            if is_granted {
                call.notify(UPDATED, json!({ "_meta": meta, "uri": LAST_ECHO }));
            }
        }
        Ok(json!({ "_meta": meta }))
    }
}

/// Counts aloud: one log message at the start, then one progress notification a step.
///
/// In a session the log message may take another way than the answer. At the start it is there
/// before it, so that whoever carries both still knows which request had asked for it.
async fn count(call: &Call, arguments: &Value) -> Value {
    let steps = at_most(arguments, "steps", 5, MAX_STEPS);
    let pause = Duration::from_millis(at_most(arguments, "ms", 50, MAX_WAIT));
    let token = call.params["_meta"].get("progressToken");
    call.log("info", &format!("counting to {steps}"));
    for step in 1..=steps {
        tokio::time::sleep(pause).await;
        if let Some(token) = token {
            let progress = json!({
                "progressToken": token,
                "progress": step,
                "total": steps,
                "message": format!("step {step} of {steps}"),
            });
            call.notify("notifications/progress", progress);
        }
    }
    text_result(&format!("counted to {steps}"), false)
}

/// Asks the person for a name by a request to the client, and greets.
async fn ask(call: &Call) -> Value {
    if !call.can_ask() {
        return text_result("this client cannot be asked: it does not declare elicitation", true);
    }
    let response = call.ask(FIXED["question"].clone()).await;
    match response.get("result") {
        Some(answer) => greeting(answer),
        None => {
            let reason = response["error"]["message"].as_str().unwrap_or("it gave no answer");
            text_result(&format!("this client cannot be asked: {reason}"), true)
        }
    }
}

/// The same by an input round (26:mrtr): the first call is answered with the question, and the
/// retry brings the person's answer.
fn ask_in_rounds(call: &Call) -> Outcome {
    if !call.can_ask() {
        return Err(Fault::unable(json!({ "elicitation": {} })));
    }
    let (state, answer) = (&call.params["requestState"], &call.params["inputResponses"][NAME]);
    if !state.is_null() && state != ASKED {
        return Err(Fault::invalid_params("`requestState` is not one that `ask` gave"));
    }
    if state == ASKED && !answer.is_null() {
        return Ok(greeting(answer));
    }
    let question = json!({ "method": "elicitation/create", "params": FIXED["question"] });
    Ok(json!({
        "resultType": "input_required",
        "inputRequests": { NAME: question },
        "requestState": ASKED,
    }))
}

fn greeting(answer: &Value) -> Value {
    let name = answer["content"][NAME].as_str().filter(|_| answer["action"] == "accept");
    let text = name.map_or("Hello, whoever you are.".into(), |name| format!("Hello, {name}!"));
    text_result(&text, false)
}

/// The languages that begin like this.
fn complete(typed: &str) -> Value {
    let languages = ["English", "Esperanto", "French", "German", "Hindi"];
    let typed = typed.to_lowercase();
    let values: Vec<&str> = languages
        .into_iter()
        .filter(|language| language.to_lowercase().starts_with(&typed))
        .collect();
    json!({ "completion": { "total": values.len(), "hasMore": false, "values": values } })
}

/// That the resource is the one there is.
fn known(call: &Call) -> Result<(), Fault> {
    match call.text("uri")? {
        LAST_ECHO => Ok(()),
        uri => Err(Fault::no_resource(uri, call.session().is_none())),
    }
}

fn number(arguments: &Value, name: &str) -> Result<f64, Fault> {
    let number = arguments[name].as_f64();
    number.ok_or_else(|| Fault::invalid_params(format!("`{name}` must be a number")))
}

/// A whole number, or what is usual, but no more than `most`.
fn at_most(arguments: &Value, name: &str, usual: u64, most: u64) -> u64 {
    arguments[name].as_u64().unwrap_or(usual).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_changes_is_sound() {
        for (list, name) in [
            ("tools/list", "tools"),
            ("prompts/list", "prompts"),
            ("resources/list", "resources"),
            ("resources/templates/list", "resourceTemplates"),
        ] {
            assert!(FIXED[list][name].is_array(), "{list}");
        }
        for tool in FIXED["tools/list"]["tools"].as_array().into_iter().flatten() {
            assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        }
        assert_eq!(FIXED["resources/list"]["resources"][0]["uri"], LAST_ECHO);
        assert!(FIXED["question"]["requestedSchema"]["properties"][NAME].is_object());
        assert!(Toys::default().about()["serverInfo"]["version"].is_string());
    }
}
