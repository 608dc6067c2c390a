//! A scripted authorization server, the lock it puts on an MCP server, and a person at a browser.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use reqwest::Url;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    DEADLINE,
    bridge::{Bridge, Setup, executable},
    http::{Exchange, Request},
    modern::Modern,
    net::lock,
    remote::Remote,
    server::{Face, Server},
};

/// What stands in every secret that the server gives.
pub const MARKER: &str = "marker-4b7e";

/// An assertion in the place of a code (RFC 7523, 2.1).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What a test can change.
pub struct Script {
    /// Members that replace those of the server's metadata; null takes one away.
    pub metadata: Value,
    /// The same for the protected resource's.
    pub resource: Value,
    /// What the 401 says; `{metadata}` stands for the URL of the protected resource's metadata.
    pub challenge: &'static str,
    /// How long a token lives, in seconds.
    pub life: u64,
    /// What the token endpoint answers instead of working.
    pub fails: Option<(u16, &'static str)>,
    /// Members that replace those of the device authorization endpoint's answer.
    pub device: Value,
    /// Members that replace those of the token endpoint's good answers.
    pub tokens: Value,
    /// What registering answers instead of working.
    pub refuses: Option<Value>,
    /// How often the code of a device is pending.
    pub pending: usize,
    /// Whether clients may say at registration what scope they will ask for.
    pub registers_scopes: bool,
    /// Whether the client is forgotten; registering brings it back.
    pub has_forgotten: bool,
    /// The path that is the issuer's.
    pub tenant: &'static str,
    /// The scope that calls need beside the usual one.
    pub call_scope: Option<&'static str>,
}

/// What was given out.
#[derive(Default)]
struct Given {
    codes: Vec<Value>,
    number: usize,
    access: Option<String>,
    refresh: Option<String>,
    polls: usize,
    scope: String,
}

impl Given {
    fn has(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|known| known == scope)
    }
}

/// The authorization server, and the MCP server that wants its tokens.
pub struct Authorization {
    pub remote: Remote,
    pub server: Server,
    pub home: TempDir,
    core: Arc<Core>,
}

struct Core {
    script: Mutex<Script>,
    given: Mutex<Given>,
}

impl Authorization {
    pub fn start() -> Self {
        let script = Script {
            metadata: json!({}),
            resource: json!({}),
            challenge: "Bearer resource_metadata=\"{metadata}\", scope=\"read\"",
            life: 3600,
            fails: None,
            device: json!({}),
            tokens: json!({}),
            refuses: None,
            pending: 0,
            registers_scopes: true,
            has_forgotten: false,
            tenant: "t1",
            call_scope: None,
        };
        let core = Arc::new(Core { script: Mutex::new(script), given: Mutex::default() });
        let serving = core.clone();
        let remote = Remote::start(move |request, exchange| serving.serve(request, exchange));
        let server = Server::start(Face::Http);
        let (guarding, place) = (core.clone(), remote.url(""));
        let origin = server.url("");
        server.rule(move |request, exchange| guarding.guard(request, exchange, &origin, &place));
        Authorization { remote, server, home: tempfile::tempdir().expect("a directory"), core }
    }

    /// Puts the same lock on another server.
    pub fn guard(&self, other: &Modern) {
        let (guarding, place) = (self.core.clone(), self.remote.url(""));
        let origin = other.url("");
        other.rule(move |request, exchange| guarding.guard(request, exchange, &origin, &place));
    }

    pub fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut lock(&self.core.script));
    }

    /// Makes the access token that was given last worthless.
    pub fn revoke(&self) {
        lock(&self.core.given).access = None;
    }

    /// The requests to a path here.
    pub fn asked(&self, path: &str) -> Vec<Arc<Request>> {
        let all = self.remote.requests().into_iter();
        all.filter(|request| request.path.split('?').next() == Some(path)).collect()
    }

    /// The forms that came to the token endpoint with this grant.
    pub fn grants(&self, grant: &str) -> Vec<Vec<(String, String)>> {
        let forms = self.asked("/token").into_iter().map(|request| form(&request.body));
        forms.filter(|form| value(form, "grant_type") == Some(grant)).collect()
    }

    /// A bridge to the MCP server.
    pub fn bridge(&self) -> Setup {
        Bridge::to(self.server.endpoint()).arg("--transport=http-only").home(self.home.path())
    }

    /// The same to any endpoint, with a browser that leaves the page to the test.
    pub fn bridge_with_browser(&self, endpoint: String) -> Setup {
        let browser = self.browser().display().to_string();
        Bridge::to(endpoint).home(self.home.path()).env("BROWSER", browser)
    }

    /// The page that the browser of a bridge was sent to; the next one is waited for anew.
    pub fn page(&self) -> Url {
        let file = self.home.path().join("page");
        let page = page_in(&file);
        let _ = fs::remove_file(file);
        page
    }

    /// How often a browser was opened.
    pub fn pages_opened(&self) -> usize {
        let all = fs::read_to_string(self.home.path().join("opened")).unwrap_or_default();
        all.lines().count()
    }

    fn browser(&self) -> PathBuf {
        let browser = self.home.path().join("browser");
        if !browser.exists() {
            let script = "#!/bin/sh\necho \"$1\" >> \"$HOME/opened\"\n\
                printf %s \"$1\" > \"$HOME/part\" && mv \"$HOME/part\" \"$HOME/page\"\n";
            fs::write(&browser, script).expect("it can be written");
            executable_file(&browser);
        }
        browser
    }

    /// `composio-bridge login`, with a browser that leaves the page to the test.
    pub fn login(&self, args: &[&str]) -> Login {
        self.login_to(&self.server.endpoint(), args)
    }

    /// The same to any endpoint.
    pub fn login_to(&self, endpoint: &str, args: &[&str]) -> Login {
        let page = self.home.path().join("page");
        let _ = fs::remove_file(&page);
        let browser = self.browser();
        let words = executable();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["login", endpoint]).args(args);
        command.env_clear().env("HOME", self.home.path()).env("PATH", "/usr/bin:/bin");
        command.env("XDG_STATE_HOME", self.home.path().join("state"));
        command.env("BROWSER", browser);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Login { child: command.spawn().expect("the executable starts"), page }
    }

    /// Signs in as a person would, to the end.
    pub fn sign_in(&self, args: &[&str]) -> String {
        let login = self.login(args);
        login.page();
        get(&self.consent(&self.page()));
        let (code, text) = login.end();
        assert_eq!(code, 0, "{text}");
        text
    }

    /// Another command, to its good end; what it says.
    pub fn run(&self, args: &[&str]) -> String {
        let words = executable();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(args).env_clear().env("HOME", self.home.path());
        command.env("XDG_STATE_HOME", self.home.path().join("state"));
        let output = command.output().expect("the executable starts");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// What the person's consent leads back to.
    pub fn consent(&self, page: &Url) -> Url {
        let query: Vec<(String, String)> = page.query_pairs().into_owned().collect();
        let of = |name: &str| value(&query, name).unwrap_or_default().to_owned();
        let mut given = lock(&self.core.given);
        let code = format!("{MARKER}-code-{}", given.codes.len());
        let (challenge, scope) = (of("code_challenge"), of("scope"));
        given.codes.push(json!({"code": code, "challenge": challenge, "scope": scope}));
        let pairs = [("code", code), ("state", of("state"))];
        Url::parse_with_params(&of("redirect_uri"), pairs).expect("a redirect URI")
    }

    /// What the person's refusal leads back to.
    pub fn denial(&self, page: &Url) -> Url {
        let query: Vec<(String, String)> = page.query_pairs().into_owned().collect();
        let of = |name: &str| value(&query, name).unwrap_or_default().to_owned();
        let pairs = [("error", "access_denied".to_owned()), ("state", of("state"))];
        Url::parse_with_params(&of("redirect_uri"), pairs).expect("a redirect URI")
    }
}

impl Core {
    fn guard(
        &self,
        request: &Arc<Request>,
        exchange: &mut Exchange,
        origin: &str,
        place: &str,
    ) -> bool {
        let metadata = format!("{origin}/.well-known/oauth-protected-resource/mcp");
        let script = lock(&self.script);
        if request.path.starts_with("/.well-known/") {
            let known = request.path == "/.well-known/oauth-protected-resource/mcp";
            let mut document = json!({
                "resource": format!("{origin}/mcp"),
                "authorization_servers": [format!("{place}/{}", script.tenant)],
                "scopes_supported": ["read", "write"],
            });
            patch(&mut document, &script.resource);
            if known {
                exchange.json(document.to_string())
            } else {
                exchange.reply(404, &[], "")
            };
            return true;
        }
        let given = lock(&self.given);
        let wanted = given.access.as_ref().map(|access| format!("Bearer {access}"));
        if wanted.is_some() && request.header("authorization") == wanted.as_deref() {
            let missing = script.call_scope.filter(|scope| !given.has(scope));
            let Some(scope) = missing.filter(|_| request.is_rpc("tools/call")) else {
                return false;
            };
            let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
            exchange.reply(403, &[("www-authenticate", &challenge)], "");
            return true;
        }
        let challenge = script.challenge.replace("{metadata}", &metadata);
        let fields = [("www-authenticate", challenge.as_str())];
        exchange.reply(401, if challenge.is_empty() { &[] } else { &fields }, "");
        true
    }

    fn serve(&self, request: &Arc<Request>, exchange: &mut Exchange) {
        let host = request.header("host").unwrap_or_default();
        let (tenant, path) = match request.path.strip_prefix("/t2") {
            Some(path) => ("/t2", path),
            None => ("", request.path.as_str()),
        };
        match path {
            "/.well-known/openid-configuration/t1" | "/.well-known/openid-configuration/t2" => {
                let issuer = path.rsplit('/').next().unwrap_or_default();
                let prefix = if issuer == "t2" { "/t2" } else { "" };
                let at = |path: &str| format!("http://{host}{prefix}{path}");
                let mut document = json!({
                    "issuer": format!("http://{host}/{issuer}"),
                    "authorization_endpoint": at("/authorize"),
                    "token_endpoint": at("/token"),
                    "registration_endpoint": at("/register"),
                    "device_authorization_endpoint": at("/device"),
                    "code_challenge_methods_supported": ["S256"],
                });
                patch(&mut document, &lock(&self.script).metadata);
                exchange.json(document.to_string());
            }
            "/register" => {
                let mut client: Value = serde_json::from_slice(&request.body).expect("JSON");
                if client.get("scope").is_some() && !lock(&self.script).registers_scopes {
                    let error = json!({"error": "invalid_client_metadata"});
                    return exchange.reply(400, &[], error.to_string());
                }
                if let Some(refusal) = &lock(&self.script).refuses {
                    return exchange.reply(400, &[], refusal.to_string());
                }
                lock(&self.script).has_forgotten = false;
                let id = if tenant.is_empty() { "the-client" } else { "second-client" };
                client["client_id"] = id.into();
                exchange.reply(201, &[("content-type", "application/json")], client.to_string());
            }
            "/device" => {
                let mut answer = json!({
                    "device_code": format!("{MARKER}-device"),
                    "user_code": "ABCD-EFGH",
                    "verification_uri": format!("http://{host}/enter"),
                    "interval": 0,
                });
                patch(&mut answer, &lock(&self.script).device);
                exchange.json(answer.to_string());
            }
            path if path.starts_with("/authorize?") => {
                let status = if lock(&self.script).has_forgotten { 400 } else { 200 };
                exchange.reply(status, &[], "a page")
            }
            "/token" => self.token(&form(&request.body), exchange),
            _ => exchange.reply(404, &[], ""),
        }
    }

    fn token(&self, form: &[(String, String)], exchange: &mut Exchange) {
        let of = |name: &str| value(form, name).unwrap_or_default();
        let script = lock(&self.script);
        if let Some((status, body)) = script.fails {
            return exchange.reply(status, &[("content-type", "application/json")], body);
        }
        let mut given = lock(&self.given);
        let fits = match of("grant_type") {
            "authorization_code" => given.codes.iter().any(|known| {
                known["code"] == of("code") && known["challenge"] == challenge(of("code_verifier"))
            }),
            "refresh_token" => given.refresh.as_deref() == Some(of("refresh_token")),
            "client_credentials" | JWT_BEARER => true,
            _ => {
                given.polls += 1;
                given.polls > script.pending
            }
        };
        if !fits {
            let error = match of("grant_type") {
                "authorization_code" | "refresh_token" => "invalid_grant",
                _ => "authorization_pending",
            };
            return exchange.reply(400, &[], json!({ "error": error }).to_string());
        }
        given.number += 1;
        let token = |kind: &str| format!("{MARKER}-{kind}-{}", given.number);
        let (access, refresh) = (token("access"), token("refresh"));
        let is_program = ["client_credentials", JWT_BEARER].contains(&of("grant_type"));
        let mut answer = json!({
            "access_token": access, "token_type": "Bearer", "expires_in": script.life,
        });
        if !is_program {
            answer["refresh_token"] = refresh.clone().into();
        }
        let code = given.codes.iter().find(|known| known["code"] == of("code"));
        if let Some(scope) = code.and_then(|code| code["scope"].as_str()).map(String::from) {
            given.scope = scope;
        }
        given.access = Some(access);
        given.refresh = Some(refresh);
        patch(&mut answer, &script.tokens);
        exchange.json(answer.to_string());
    }
}

fn challenge(verifier: &str) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    BASE64_URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes()))
}

fn patch(document: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().into_iter().flatten() {
        document[name] = value.clone();
    }
}

/// The fields of a form.
pub fn form(body: &[u8]) -> Vec<(String, String)> {
    let url = format!("http://h/?{}", String::from_utf8_lossy(body));
    Url::parse(&url).expect("a form").query_pairs().into_owned().collect()
}

/// The first value of this name.
pub fn value<'f>(form: &'f [(String, String)], name: &str) -> Option<&'f str> {
    form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[cfg(unix)]
fn executable_file(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o700)).expect("our own file");
}

#[cfg(not(unix))]
fn executable_file(_: &Path) {}

/// A running `composio-bridge login`.
pub struct Login {
    child: Child,
    page: PathBuf,
}

impl Login {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as the system does where memory is short.
    pub fn kill(mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }

    /// The page that the browser was sent to.
    pub fn page(&self) -> Url {
        page_in(&self.page)
    }

    /// The exit code and all that was said.
    pub fn end(self) -> (i32, String) {
        let Output { status, stdout, stderr } =
            self.child.wait_with_output().expect("our own child");
        let text = [stdout, stderr].concat();
        (status.code().unwrap_or(-1), String::from_utf8(text).expect("text"))
    }
}

/// The URL in a file, once there is one.
fn page_in(file: &Path) -> Url {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Ok(text) = fs::read_to_string(file) {
            return Url::parse(&text).expect("a URL");
        }
        assert!(Instant::now() < end, "no page was opened");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Fetches a page as a browser does; the status line and all else.
pub fn get(url: &Url) -> String {
    get_at(url, url.host_str().expect("a host"))
}

/// The same, by another name for the host.
pub fn get_at(url: &Url, host: &str) -> String {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };
    let port = url.port().expect("a port");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let (path, end) = (url.path(), "Connection: close\r\n\r\n");
    let text = format!("GET {path}{query} HTTP/1.1\r\nHost: {host}:{port}\r\n{end}");
    stream.write_all(text.as_bytes()).expect("it listens");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}
