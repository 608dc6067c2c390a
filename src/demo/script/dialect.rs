//! Where the two clients differ: how each opens, asks for logs, answers a question, subscribes.

use serde_json::{Value, json};

use super::{
    client::{Answer, Client, Event},
    ensure,
    screen::plain,
};
use crate::{demo::Dialect, era::meta, protocol::MODERN_VERSIONS};

/// A subscription to one resource: in 2026-07-28, the id of the listen request.
pub(super) struct Subscription(Option<u64>);

impl Subscription {
    /// Whether a notification about `uri` with these parameters belongs to it (26:subs).
    pub(super) fn covers(&self, params: &Value, uri: &str) -> bool {
        let id = params["_meta"].get(meta::SUBSCRIPTION_ID).and_then(Value::as_u64);
        params["uri"] == uri && id == self.0
    }
}

impl Dialect {
    /// The protocol version.
    pub(super) fn version(self) -> &'static str {
        match self {
            Dialect::Legacy => "2025-11-25",
            Dialect::Modern => MODERN_VERSIONS[0],
        }
    }

    /// Puts into the parameters of a request what 2026-07-28 wants there (26:base).
    pub(super) fn sign(self, params: &mut Value) {
        if self == Dialect::Modern {
            let meta = &mut params["_meta"];
            meta[meta::PROTOCOL_VERSION] = self.version().into();
            meta[meta::CLIENT_CAPABILITIES] = capabilities();
            meta[meta::CLIENT_INFO] = client_info();
        }
    }

    /// Says who is there, and learns who is at the other end.
    pub(super) fn open(self, client: &mut Client<'_>) -> Result<(), String> {
        let (method, params) = match self {
            Dialect::Legacy => {
                let params = json!({
                    "protocolVersion": self.version(),
                    "capabilities": capabilities(),
                    "clientInfo": client_info(),
                });
                ("initialize", params)
            }
            Dialect::Modern => ("server/discover", json!({})),
        };
        let id = client.request(method, params, "")?;
        let answer = client.answer(id)?;
        let result = &answer.result;
        let (server, versions) = match self {
            Dialect::Legacy => {
                (&result["serverInfo"], std::slice::from_ref(&result["protocolVersion"]))
            }
            Dialect::Modern => {
                let versions = result["supportedVersions"].as_array();
                (&result["_meta"][meta::SERVER_INFO], versions.map_or(&[][..], Vec::as_slice))
            }
        };
        let (name, release) = (plain(&server["name"]), plain(&server["version"]));
        let version = versions.iter().map(plain).find(|version| *version == self.version());
        let version = version.ok_or_else(|| format!("{} is not offered", self.version()))?;
        let told = format!("{name} {release}, protocol version {version}");
        client.screen.received(&told, Some(answer.at - client.child.launched));
        ensure(name == client.server, "the answer is not the sandbox's")?;
        match self {
            Dialect::Legacy => client.notify("notifications/initialized", json!({})),
            Dialect::Modern => Ok(()),
        }
    }

    /// Has log messages sent while the request with these parameters is running.
    pub(super) fn ask_for_logs(
        self,
        client: &mut Client<'_>,
        params: &mut Value,
    ) -> Result<(), String> {
        match self {
            Dialect::Legacy => {
                client.settle("logging/setLevel", json!({ "level": "info" }), "info")
            }
            Dialect::Modern => {
                params["_meta"][meta::LOG_LEVEL] = "info".into();
                Ok(())
            }
        }
    }

    /// Answers the question that comes for request `id`, and gives the final answer.
    pub(super) fn answer_question(
        self,
        client: &mut Client<'_>,
        id: u64,
    ) -> Result<Answer, String> {
        match self {
            Dialect::Legacy => answer_request(client, id),
            Dialect::Modern => answer_round(client, id),
        }
    }

    /// Subscribes to the changes of a resource.
    pub(super) fn subscribe(
        self,
        client: &mut Client<'_>,
        uri: &str,
    ) -> Result<Subscription, String> {
        match self {
            Dialect::Legacy => {
                client.settle("resources/subscribe", json!({ "uri": uri }), uri)?;
                Ok(Subscription(None))
            }
            Dialect::Modern => listen(client, uri),
        }
    }

    /// Ends the subscription.
    pub(super) fn unsubscribe(
        self,
        client: &mut Client<'_>,
        subscription: Subscription,
        uri: &str,
    ) -> Result<(), String> {
        match subscription.0 {
            Some(id) => client.cancel(id),
            None => client.settle("resources/unsubscribe", json!({ "uri": uri }), uri),
        }
    }
}

fn capabilities() -> Value {
    json!({ "elicitation": {} })
}

fn client_info() -> Value {
    json!({ "name": "demo", "version": env!("CARGO_PKG_VERSION") })
}

/// The question is a request of the server's, and is answered by a response.
fn answer_request(client: &mut Client<'_>, id: u64) -> Result<Answer, String> {
    let question = loop {
        match client.next()? {
            Event::Other(message, _) if message["method"] == "elicitation/create" => break message,
            Event::Other(message, _) => client.screen.other(&message),
            Event::Answer(answer) => return Err(format!("nothing was asked: {}", answer.text())),
        }
    };
    let reply = decide(client, &question);
    client.send(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": reply }))?;
    client.answer(id)
}

/// The question is the answer to the call, and the call is made again with the person's answer
/// (26:mrtr).
fn answer_round(client: &mut Client<'_>, id: u64) -> Result<Answer, String> {
    let round = client.answer(id)?.result;
    let asked = round["inputRequests"].as_object().and_then(|asked| asked.iter().next());
    let Some((key, question)) = asked.filter(|_| round["resultType"] == "input_required") else {
        return Err(format!("nothing was asked: {round}"));
    };
    let reply = decide(client, question);
    let mut params = json!({
        "name": "ask",
        "arguments": {},
        "inputResponses": { key.as_str(): reply },
    });
    if let Some(state) = round.get("requestState") {
        params["requestState"] = state.clone();
    }
    let id = client.request("tools/call", params, "ask {} with inputResponses")?;
    client.answer(id)
}

/// What the person answers.
fn decide(client: &mut Client<'_>, question: &Value) -> Value {
    let (method, text) = (plain(&question["method"]), plain(&question["params"]["message"]));
    client.screen.received(&format!("{method} {text}"), None);
    client.screen.sent("accept {\"name\":\"Ada\"}");
    json!({ "action": "accept", "content": { "name": "Ada" } })
}

/// Opens a stream for the changes of one resource, and waits until it is acknowledged (26:subs).
fn listen(client: &mut Client<'_>, uri: &str) -> Result<Subscription, String> {
    let params = json!({ "notifications": { "resourceSubscriptions": [uri] } });
    let id = client.request("subscriptions/listen", params, uri)?;
    loop {
        let Event::Other(message, _) = client.next()? else {
            return Err("the subscription ended at once".into());
        };
        client.screen.other(&message);
        if message["method"] == "notifications/subscriptions/acknowledged" {
            let params = &message["params"];
            let ours = params["_meta"][meta::SUBSCRIPTION_ID] == id;
            ensure(ours, "another subscription was acknowledged")?;
            let honoured = params["notifications"]["resourceSubscriptions"] == json!([uri]);
            ensure(honoured, "the subscription was not honoured")?;
            return Ok(Subscription(Some(id)));
        }
    }
}
