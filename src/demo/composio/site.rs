//! The HTTP of the stand-in: the API, the MCP endpoints, the pages behind links, and files.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{
    Failure, Seen, World, account, door,
    mcp::{Of, Place},
    reply::{Outcome, Refusal, missing, refuse},
    state::{State, new_id},
};
use crate::{
    demo::{
        Era,
        loopback::{Answering, answer as text, document, plain},
        server::Server,
    },
    local::http::Answer,
};

/// How many requests are remembered.
const REMEMBERED: usize = 1000;

/// Everything that is served.
struct Site {
    world: Arc<World>,
    endpoints: Mutex<HashMap<Of, Arc<Server>>>,
}

/// What answers the requests to this world.
pub(super) fn answering(world: Arc<World>) -> Answering {
    let site = Arc::new(Site { world, endpoints: Mutex::default() });
    Arc::new(move |request| {
        let site = site.clone();
        Box::pin(async move { site.answer(request).await })
    })
}

impl Site {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path().to_owned();
        let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok());
        let id = id.map_or_else(|| new_id("req_"), str::to_owned);
        let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
        let mut answer = match parts.as_slice() {
            ["link", token] => page(account::visit(&mut self.world.state(), token)),
            ["files", name @ ..] => self.file(request, name.join("/")).await,
            ["api", "rerouted", ..] => refused(&refuse(410, "This API version is gone"), &id),
            ["api", "v3" | "v3.1", rest @ ..] => self.api(request, &rest.join("/"), &id).await,
            ["tool_router", session, "mcp"] | ["tool_router", "session", session, "mcp"] => {
                self.of_session(request, session, &id).await
            }
            ["v3", "mcp", server] => self.redirect(request, server, &id),
            ["v3", "mcp", server, "mcp"] => self.of_server(request, server, &id).await,
            _ => refused(&refuse(404, format!("Cannot {} {path}", request.method())), &id),
        };
        if let Ok(id) = HeaderValue::from_str(&id) {
            answer.headers_mut().insert("x-request-id", id);
        }
        answer
    }

    /// An operation of the API.
    async fn api(&self, request: Request<Incoming>, path: &str, id: &str) -> Answer {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            return refused(&refuse(400, "The request body broke off"), id);
        };
        let body = body.to_bytes();
        let mut state = self.world.state();
        let json = serde_json::from_slice(&body).unwrap_or_default();
        let project = match enter(&mut state, &head.method, &head.uri, &head.headers, json) {
            Ok(project) => project,
            Err(entry) => return entry.answer(id),
        };
        let mut answer = settled(door::operate(&mut state, project, (&head, path), &body), id);
        for (name, value) in [
            ("x-ratelimit", "2000"),
            ("x-ratelimit-remaining", "1999"),
            ("x-ratelimit-window-size", "60s"),
        ] {
            let name = HeaderName::from_static(name);
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }

    async fn of_session(&self, request: Request<Incoming>, session: &str, id: &str) -> Answer {
        let found = self.enter(&request).and_then(|project| {
            let state = self.world.state();
            let known = state.sessions.get(session).is_some_and(|known| known.project == project);
            known.then_some(()).ok_or_else(|| Denied::Refusal(missing("Session", session)))
        });
        if let Err(denied) = found {
            return denied.answer(id);
        }
        self.speak(request, Of::Session(session.to_owned())).await
    }

    /// The address that the API gives out leads to the transport's.
    fn redirect(&self, request: Request<Incoming>, server: &str, id: &str) -> Answer {
        if let Err(denied) = self.server(&request, server) {
            return denied.answer(id);
        }
        let query = request.uri().query().unwrap_or_default();
        let mut answer = plain(307, "");
        if let Ok(location) = HeaderValue::from_str(&format!("/v3/mcp/{server}/mcp?{query}")) {
            answer.headers_mut().insert(header::LOCATION, location);
        }
        answer
    }

    async fn of_server(&self, request: Request<Incoming>, server: &str, id: &str) -> Answer {
        match self.server(&request, server) {
            Ok(of) => self.speak(request, of).await,
            Err(denied) => denied.answer(id),
        }
    }

    /// Whether a request may speak with an MCP server, and for whom.
    fn server(&self, request: &Request<Incoming>, id: &str) -> Result<Of, Denied> {
        let project = self.enter(request)?;
        let state = self.world.state();
        let known = state.servers.get(id).is_some_and(|known| known.project == project);
        if !known {
            return Err(Denied::Refusal(missing("MCP server", id)));
        }
        let query = door::query(request.uri().query());
        let parameter = |name: &str| {
            let found = query.iter().find(|(known, value)| known == name && !value.is_empty());
            found.map(|(_, value)| value.clone())
        };
        let (user, account) = (parameter("user_id"), parameter("connected_account_id"));
        if user.is_none() && account.is_none() {
            let text = "user_id or connected_account_id query parameter is required";
            return Err(Denied::Refusal(refuse(400, text)));
        }
        Ok(Of::Server { id: id.to_owned(), user, account })
    }

    fn enter(&self, request: &Request<Incoming>) -> Result<usize, Denied> {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        enter(&mut self.world.state(), method, uri, headers, Value::Null)
    }

    /// Hands a request to the MCP server of an endpoint.
    async fn speak(&self, request: Request<Incoming>, of: Of) -> Answer {
        let accepts = |wanted| {
            let accept =
                request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
            accept.is_some_and(|accept| accept.contains(wanted))
        };
        if request.method() != Method::POST && request.method() != Method::DELETE {
            let mut answer = rpc_error(405, "Method not allowed");
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST, DELETE"));
            return answer;
        }
        if request.method() == Method::POST
            && !(accepts("application/json") && accepts("text/event-stream"))
        {
            return rpc_error(
                406,
                "Not Acceptable: Client must accept both application/json and text/event-stream",
            );
        }
        let answer = self.endpoint(of).answer(request).await;
        match answer.status() {
            StatusCode::NOT_FOUND => rpc_error(404, "Transport not found"),
            _ => answer,
        }
    }

    fn endpoint(&self, of: Of) -> Arc<Server> {
        // The map is whole after every statement that changes it, so a poisoned one is usable.
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let place = Place { world: self.world.clone(), of: of.clone() };
            Server::new(Era::Legacy, Box::new(place))
        };
        endpoints.entry(of.clone()).or_insert_with(make).clone()
    }

    /// Puts or gets a file; who knows its address may.
    async fn file(&self, request: Request<Incoming>, name: String) -> Answer {
        let is_put = request.method() == Method::PUT;
        let Ok(body) = request.into_body().collect().await else {
            return plain(400, "the body broke off");
        };
        let mut state = self.world.state();
        if is_put {
            state.files.insert(name, body.to_bytes().into());
            return plain(200, "");
        }
        match state.files.get(&name) {
            Some(bytes) => Response::new(Full::from(bytes.clone()).boxed()),
            None => plain(404, "no such file"),
        }
    }
}

/// Why a request gets no further.
enum Denied {
    Refusal(Refusal),
    Failure(Failure),
}

impl Denied {
    fn answer(&self, id: &str) -> Answer {
        match self {
            Denied::Refusal(refusal) => refused(refusal, id),
            Denied::Failure(failure) => failed(failure, id),
        }
    }
}

/// Remembers a request, and lets it in or not.
fn enter(
    state: &mut State,
    method: &Method,
    uri: &http::Uri,
    headers: &HeaderMap,
    body: Value,
) -> Result<usize, Denied> {
    let target = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    if state.seen.len() < REMEMBERED {
        let method = method.to_string();
        state.seen.push(Seen { method, target, headers: headers.clone(), body });
    }
    let project = door::admit(state, headers).map_err(Denied::Refusal)?;
    match door::planned(state, uri.path()) {
        Some(failure) => Err(Denied::Failure(failure)),
        None => Ok(project),
    }
}

fn failed(failure: &Failure, id: &str) -> Answer {
    let mut answer = match failure.status {
        429 => {
            let body =
                json!({ "message": "Rate limit exceeded. Limit: 2000 requests per 1 minutes" });
            document(429, &body)
        }
        502 => text(
            502,
            "text/html",
            "<html><head><title>502 Bad Gateway</title></head></html>".into(),
        ),
        status => refused(&refuse(status, "Something went wrong on our side"), id),
    };
    if let Ok(value) = HeaderValue::from_str(&failure.retry_after)
        && !failure.retry_after.is_empty()
    {
        answer.headers_mut().insert(header::RETRY_AFTER, value);
    }
    answer
}

fn settled(outcome: Outcome, id: &str) -> Answer {
    match outcome {
        Ok((status, body)) => document(status, &body),
        Err(refusal) => refused(&refusal, id),
    }
}

fn refused(refusal: &Refusal, id: &str) -> Answer {
    document(refusal.status, &refusal.envelope(id))
}

/// An error of the transport itself.
fn rpc_error(status: u16, message: &str) -> Answer {
    let error = json!({ "code": -32000, "message": message });
    document(status, &json!({ "jsonrpc": "2.0", "error": error, "id": null }))
}

fn page(html: Option<String>) -> Answer {
    match html {
        Some(html) => text(200, "text/html; charset=utf-8", html),
        None => plain(404, "This link is not known."),
    }
}
