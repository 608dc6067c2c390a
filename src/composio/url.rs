//! What a URL of Composio's is, what has to be changed about it, and what is wrong with it. Pure.
//!
//! Many shapes are about: those of today, those of older documents that are still served, and those
//! of hosts that are gone. What is certain is repaired; what is not is explained, with what to use
//! instead. Nothing here repeats more of a URL than ids, as a query may hold anything.

use reqwest::Url;

use crate::{
    config::credential::is_composio_host,
    error::{Error, Kind},
    origin::same_origin,
};

/// What a URL leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A session: `/tool_router/trs_…/mcp`.
    Session,
    /// An MCP server: `/v3/mcp/ID?user_id=…`, or with the transport at the end of the path.
    Server,
    /// `https://connect.composio.dev/mcp`.
    Connect,
    /// `https://rube.app/mcp`.
    Rube,
    /// The labs' tool router of 2025.
    Labs,
    /// `mcp.composio.dev`, which was removed.
    Removed,
    /// A host of Composio's own staff.
    Internal,
    /// A host of the console that documents have used in examples.
    Example,
    /// A path that answers 410.
    Gone,
    /// The REST API.
    Api,
    /// Something else of Composio's.
    Other,
}

/// What is to be known of a shape.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// In one word, for programs.
    pub word: &'static str,
    /// For people.
    pub what: &'static str,
    /// `current`, `deprecated`, `superseded`, `removed`, `internal`, `unknown` or `no endpoint`.
    pub status: &'static str,
}

/// What a URL is, and what is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What it leads to.
    pub shape: Shape,
    /// The URL to use: this one, or its repair.
    pub url: Url,
    /// What was repaired.
    pub changes: Vec<&'static str>,
    /// Why it cannot be used.
    pub problem: Option<String>,
    /// What to use instead.
    pub hints: Vec<String>,
}

/// The command that makes a session.
const MAKE_SESSION: &str = "make a session with `composio-bridge session create --user USER`";

/// Where the platform is, unless `COMPOSIO_BASE_URL` says otherwise.
pub const BACKEND: &str = "https://backend.composio.dev";

impl Shape {
    /// What is to be known of it.
    pub fn facts(self) -> Facts {
        let (word, what, status) = match self {
            Shape::Session => ("session", "a Composio session", "current"),
            Shape::Server => ("server", "an MCP server of Composio's", "deprecated"),
            Shape::Connect => ("connect", "Composio For You", "current"),
            Shape::Rube => ("rube", "Rube, which Composio For You follows", "superseded"),
            Shape::Labs => ("labs", "the tool router of 2025", "superseded"),
            Shape::Removed => ("removed", "an endpoint on a host that is gone", "removed"),
            Shape::Internal => ("internal", "a host of Composio's own staff", "internal"),
            Shape::Example => ("example", "an example of Composio's documents", "unknown"),
            Shape::Gone => ("gone", "an old path of the API", "removed"),
            Shape::Api => ("api", "Composio's REST API", "no endpoint"),
            Shape::Other => ("other", "a host of Composio's", "unknown"),
        };
        Facts { word, what, status }
    }

    /// Whether it is spoken to by Streamable HTTP alone.
    pub fn is_http_only(self) -> bool {
        matches!(self, Shape::Session | Shape::Server | Shape::Connect | Shape::Rube)
    }

    /// What a refusal with this status means there, as far as it is known.
    pub fn hint(self, status: u16) -> Option<&'static str> {
        Some(match (self, status) {
            (Shape::Session | Shape::Server | Shape::Labs | Shape::Example, 401) => {
                "check that the key is a valid one of this project, that it may use sessions \
                 (Sessions: write, or Session tool execution) from this machine's address, and \
                 that no second credential is sent: Composio says the same to all of them"
            }
            (Shape::Connect, 401) => {
                "connect.composio.dev takes consumer keys (`ck_…`) alone, and a new one ends the \
                 old: store it with `composio-bridge key set`, or leave the key out and sign in"
            }
            (Shape::Session, 404) => {
                "the session was deleted, or belongs to another project than the key: make a new \
                 one with `composio-bridge session create --user USER`"
            }
            (Shape::Session, 400) => "check the session id in the URL: it begins with trs_",
            (Shape::Server, 404) => {
                "the MCP server was deleted, or belongs to another project than the key: see \
                 `composio-bridge server list`"
            }
            (Shape::Server, 400) => {
                "check the user in the URL: `?user_id=USER` or `?connected_account_id=ca_…`"
            }
            (Shape::Labs | Shape::Example, 400 | 404 | 410) => {
                "this shape of URL is no longer made: use that of a session, from \
                 `composio-bridge session create --user USER`"
            }
            _ => return None,
        })
    }
}

impl Explanation {
    /// The URL to use.
    ///
    /// # Errors
    /// There is none; with what to use instead.
    pub fn usable(self) -> Result<Url, Error> {
        let Some(problem) = self.problem else { return Ok(self.url) };
        let error = Error::new(Kind::Config, "the URL of the remote server cannot be used");
        Err(self.hints.into_iter().fold(error.because(problem), Error::hint))
    }

    fn fails(&mut self, problem: impl Into<String>, hint: impl Into<String>) {
        self.problem = Some(problem.into());
        self.hints.push(hint.into());
    }
}

/// Explains a URL; nothing where it is none of Composio's. `base` is what `COMPOSIO_BASE_URL` says:
/// it stands for the platform. `allow_http` is what `--allow-http` says.
pub fn explain(url: &Url, base: Option<&Url>, allow_http: bool) -> Option<Explanation> {
    let base = base.filter(|base| same_origin(base, url));
    let path = segments(url, base);
    let shape = shape(url, base.is_some(), &path)?;
    let mut found = Explanation {
        shape,
        url: url.clone(),
        changes: Vec::new(),
        problem: None,
        hints: Vec::new(),
    };
    let origin = match base {
        Some(base) => base.as_str().trim_end_matches('/'),
        None => BACKEND,
    };
    match shape {
        Shape::Session => session(&mut found, &path),
        Shape::Server => server(&mut found, &path),
        Shape::Connect => connect(&mut found, &path),
        Shape::Removed => removed(&mut found, &path),
        Shape::Api => api(&mut found, &path, origin),
        Shape::Internal => {
            found.fails("it is on a host of Composio's own staff", MAKE_SESSION);
        }
        Shape::Gone => found.fails("this path of Composio's API is gone (410)", MAKE_SESSION),
        Shape::Rube => found.hints.push("today this is https://connect.composio.dev/mcp".into()),
        Shape::Labs => found.hints.push(MAKE_SESSION.into()),
        Shape::Example => found.hints.extend(current(&path, url, origin)),
        Shape::Other => {}
    }
    let is_readable = url.scheme() == "http" && base.is_none() && !allow_http;
    if found.problem.is_none() && is_readable {
        found.fails("http:// is not encrypted, and no key would be sent", "write https:// instead");
    }
    Some(found)
}

/// The segments of the path, without that of the base before them, and without empty ones.
fn segments<'u>(url: &'u Url, base: Option<&Url>) -> Vec<&'u str> {
    let prefix = base.map_or("", |base| base.path().trim_end_matches('/'));
    let path = url.path();
    let path = path.strip_prefix(prefix).unwrap_or(path);
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

fn shape(url: &Url, is_base: bool, path: &[&str]) -> Option<Shape> {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    Some(match host {
        _ if is_base => of_platform(path),
        "backend.composio.dev" => of_platform(path),
        "connect.composio.dev" => Shape::Connect,
        "rube.app" => Shape::Rube,
        "mcp.composio.dev" => Shape::Removed,
        "apollo.composio.dev" => Shape::Internal,
        _ if host.starts_with("apollo-") && host.ends_with("-composio.vercel.app") => {
            Shape::Internal
        }
        _ if !is_composio_host(url) => return None,
        _ if host.starts_with("staging-") => Shape::Internal,
        _ => match of_platform(path) {
            Shape::Session | Shape::Server => Shape::Example,
            Shape::Labs => Shape::Labs,
            _ => Shape::Other,
        },
    })
}

fn of_platform(path: &[&str]) -> Shape {
    match path {
        ["v3", "mcp", "tool-router", ..] => Shape::Labs,
        ["tool_router", ..] => Shape::Session,
        ["v3", "mcp", ..] | ["api", _, "mcp", _, "mcp" | "sse"] => Shape::Server,
        ["api", "rerouted", ..] => Shape::Gone,
        [] | ["api", ..] => Shape::Api,
        _ => Shape::Other,
    }
}

/// The id in the path of a session, and what follows it.
fn session_id<'p, 'u>(path: &'p [&'u str]) -> Option<(&'u str, &'p [&'u str])> {
    match path {
        ["tool_router", "session" | "v3", id, rest @ ..] | ["tool_router", id, rest @ ..] => {
            Some((id, rest))
        }
        _ => None,
    }
}

/// The id in the path of an MCP server, and what follows it.
fn server_id<'p, 'u>(path: &'p [&'u str]) -> Option<(&'u str, &'p [&'u str])> {
    match path {
        ["v3", "mcp", id, rest @ ..] | ["api", _, "mcp", id, rest @ ..] => Some((id, rest)),
        _ => None,
    }
}

fn session(found: &mut Explanation, path: &[&str]) {
    let (id, rest) = session_id(path).unwrap_or_default();
    if is_placeholder(id) {
        found.fails("the placeholder for the session id was never filled in", MAKE_SESSION);
    } else if !id.starts_with("trs_") {
        found.fails("a session id begins with trs_, and this one does not", MAKE_SESSION);
    }
    transport(found, rest);
}

fn server(found: &mut Explanation, path: &[&str]) {
    let (id, rest) = server_id(path).unwrap_or_default();
    if id.is_empty() || is_placeholder(id) {
        found.fails(
            "the placeholder for the id of the MCP server was never filled in",
            "see the ids with `composio-bridge server list`",
        );
        return;
    }
    transport(found, rest);
    user(found);
}

/// The last segment names the transport: there is one left.
fn transport(found: &mut Explanation, rest: &[&str]) {
    let path = found.url.path().trim_end_matches('/').to_owned();
    match (rest, found.shape) {
        ([], Shape::Session) => {
            found.url.set_path(&format!("{path}/mcp"));
            found.changes.push("`/mcp` was added to the path");
        }
        (["sse"], _) => {
            found.url.set_path(&format!("{}mcp", path.trim_end_matches("sse")));
            found.changes.push("`/sse` became `/mcp`: HTTP+SSE is no longer served");
        }
        _ => {}
    }
}

const SINGULAR: &str = "connected_account_id";
const PLURAL: &str = "connected_account_ids";

/// Who uses an MCP server stands in the query. Composio makes URLs with the account in the plural,
/// and takes the singular alone.
fn user(found: &mut Explanation) {
    const HOW: &str = "add the user: `?user_id=USER`, or `?connected_account_id=ca_…`";
    match named_user(&found.url) {
        User::Named(_, value) if is_placeholder(&value) => {
            found.fails("the placeholder for the user was never filled in", HOW);
        }
        User::Named(..) => {}
        User::Plural(account) if is_placeholder(&account) => {
            found.fails("the placeholder for the account was never filled in", HOW);
        }
        User::Plural(account) => {
            let is_plural = |part: &&str| part.split('=').next().is_some_and(is_plural);
            let query = found.url.query().unwrap_or_default().to_owned();
            let kept: Vec<_> = query.split('&').filter(|part| !is_plural(part)).collect();
            let kept = kept.join("&");
            found.url.set_query(Some(kept.as_str()).filter(|kept| !kept.is_empty()));
            found.url.query_pairs_mut().append_pair(SINGULAR, &account);
            found.changes.push("`connected_account_ids` became `connected_account_id`");
        }
        User::Several => found.fails(
            "it names several connected accounts, and a connection is for one",
            "name one with `?connected_account_id=ca_…`, or the user with `?user_id=USER`",
        ),
        User::Missing => found.fails("it names no user, and Composio refuses that with 400", HOW),
    }
}

enum User {
    /// By the parameter that Composio takes.
    Named(&'static str, String),
    /// By one account in the plural.
    Plural(String),
    Several,
    Missing,
}

fn named_user(url: &Url) -> User {
    let of = |name: &'static str| {
        let found = url.query_pairs().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| User::Named(name, value.into_owned()))
    };
    if let Some(user) = of("user_id").or_else(|| of(SINGULAR)) {
        return user;
    }
    let accounts = url.query_pairs().filter(|(key, _)| is_plural(key));
    let accounts: Vec<_> = accounts.map(|(_, value)| value.into_owned()).collect();
    let accounts = accounts.iter().flat_map(|value| value.split(','));
    let mut accounts = accounts.map(str::trim).filter(|account| !account.is_empty());
    match (accounts.next(), accounts.next()) {
        (None, _) => User::Missing,
        (Some(account), None) => User::Plural(account.to_owned()),
        _ => User::Several,
    }
}

fn is_plural(key: &str) -> bool {
    key.strip_suffix("[]").or(key.strip_suffix("%5B%5D")).unwrap_or(key) == PLURAL
}

fn connect(found: &mut Explanation, path: &[&str]) {
    if path.is_empty() {
        found.url.set_path("/mcp");
        found.changes.push("`/mcp` was added to the path");
    }
}

fn removed(found: &mut Explanation, path: &[&str]) {
    let hint = match path {
        ["composio", "server", id, ..] => {
            format!("the MCP server is at {}", server_url(id, &found.url, BACKEND))
        }
        [app, _] if *app != "custom" && *app != "session" && is_plain(app) => {
            format!("{} --toolkit {app}`", MAKE_SESSION.trim_end_matches('`'))
        }
        _ => MAKE_SESSION.to_owned(),
    };
    found.fails("mcp.composio.dev was removed on 25 March 2026", hint);
}

fn api(found: &mut Explanation, path: &[&str], origin: &str) {
    let hint = match path {
        ["api", _, rest @ ..] => current(rest, &found.url, origin),
        _ => None,
    };
    let problem = "it is an address of Composio's REST API, which is no MCP endpoint";
    found.fails(problem, hint.unwrap_or_else(|| MAKE_SESSION.to_owned()));
}

/// Where the session or the MCP server of such a path is today.
fn current(path: &[&str], url: &Url, origin: &str) -> Option<String> {
    let path: Vec<&str> = path.iter().copied().skip_while(|segment| *segment == "v3").collect();
    match path.as_slice() {
        ["tool_router", ..] => {
            let (id, _) = session_id(&path)?;
            let is_id = id.starts_with("trs_") && is_plain(id);
            is_id.then(|| format!("the session is at {origin}/tool_router/{id}/mcp"))
        }
        ["mcp", id, ..] if is_uuid(id) => {
            Some(format!("the MCP server is at {}", server_url(id, url, origin)))
        }
        _ => None,
    }
}

/// The URL of an MCP server for the user that `url` names.
fn server_url(id: &str, url: &Url, origin: &str) -> String {
    let id = if is_uuid(id) { id } else { "SERVER_ID" };
    let (name, value) = match named_user(url) {
        User::Named(name, value) if is_plain(&value) => (name, value),
        User::Plural(account) if is_plain(&account) => (SINGULAR, account),
        _ => ("user_id", "USER".to_owned()),
    };
    format!("{origin}/v3/mcp/{id}?{name}={value}")
}

/// Letters, digits, `-` and `_`, and not many: nothing else is repeated.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Whether somebody was meant to put an id there: `{id}`, `<id>`, `$ID`, `YOUR_ID`, `trs_...`.
fn is_placeholder(text: &str) -> bool {
    const MARKS: [&str; 8] = ["{", "<", "%7b", "%3c", "...", "…", "%e2%80%a6", "your_"];
    let text = text.to_ascii_lowercase();
    let open = text.strip_prefix("trs_").is_some_and(|id| id.bytes().all(|byte| byte == b'x'));
    open || text.starts_with(['$', ':']) || MARKS.iter().any(|mark| text.contains(mark))
}

#[cfg(test)]
mod tests;

/// The id of a session that a person names: the id itself, or a URL that holds it.
///
/// # Errors
/// There is none in it; the message does not repeat it.
pub fn named_session(named: &str) -> Result<&str, Error> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let before_query = named.split(['?', '#']).next().unwrap_or_default();
    let is_id = |part: &&str| {
        part.strip_prefix("trs_")
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(is_letter))
    };
    before_query.trim().split('/').find(is_id).ok_or_else(|| {
        Error::new(Kind::Usage, "that is no Composio session")
            .because("the id of a session begins with trs_")
            .hint("`composio-bridge session list` shows those that are remembered here")
    })
}
