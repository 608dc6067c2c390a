//! How to sign in, from the options about it.

use std::{fs, time::Duration};

use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{
    client::{IdentityProvider, TokenSource, client, identity_provider, object, wrong},
    environment::Environment,
};
use crate::{
    auth::{jwt::Key, mcp_remote},
    cli::{HeaderSource, Settings, sign_in::SignInSettings, value::PositiveSeconds},
    error::{Error, Kind},
    origin::{is_loopback, may_be_asked, same_origin},
};

/// How long a person may take to sign in.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the bridge itself says at the sign-in page.
const RESERVED: [&str; 6] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "state",
    "code_challenge",
    "code_challenge_method",
];

/// Who signs in, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// A person, in the browser of this machine.
    #[default]
    Browser,
    /// A person, in any browser, with a code (`--device-code`).
    DeviceCode,
    /// The program itself (`--client-credentials`).
    ClientCredentials,
    /// The program, with what it runs on vouching for it (`--workload-identity`).
    WorkloadIdentity,
    /// The program, with a company's provider vouching for a person (`--identity-provider`).
    IdentityProvider,
}

impl Way {
    /// Whether no person is needed.
    pub fn is_program(self) -> bool {
        !matches!(self, Way::Browser | Way::DeviceCode)
    }
}

/// What tokens are asked for (RFC 8707).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Resource {
    /// What the remote's metadata names.
    #[default]
    Discovered,
    /// This (`--resource`).
    Named(String),
    /// Nothing is said about it (`--disable-resource-parameter`).
    Unsaid,
}

/// A client that the authorization server knows (`--static-oauth-client-info`).
#[derive(Debug, Clone)]
pub struct StaticClient {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Option<SecretString>,
    /// Its private key.
    pub key: Option<Key>,
    /// How it proves itself at the token endpoint, where that was said.
    pub method: Option<String>,
}

impl StaticClient {
    /// Whether it has what shows that it is itself.
    pub fn can_prove(&self) -> bool {
        self.secret.is_some() || self.key.is_some()
    }
}

/// How to sign in.
#[derive(Debug, Clone, Default)]
pub struct SignIn {
    /// Who, and where.
    pub way: Way,
    /// The client, where it is known.
    pub client: Option<StaticClient>,
    /// What vouches for the workload.
    pub workload: Option<TokenSource>,
    /// Who vouches for a person.
    pub identity_provider: Option<IdentityProvider>,
    /// What tells those two from others of their kind: the option as it was given.
    pub identity: String,
    /// What to register a client with, beside the usual.
    pub client_metadata: Map<String, Value>,
    /// The client's own metadata document.
    pub client_metadata_url: Option<String>,
    /// The authorization server to accept, under whatever name and at whatever address it was found.
    pub accept_issuer: Option<String>,
    /// What tokens are asked for.
    pub resource: Resource,
    /// More for the address of the sign-in page.
    pub authorize_params: Vec<(String, String)>,
    /// Where tokens are asked for, whatever the metadata says.
    pub token_endpoint: Option<Url>,
    /// Send the id token in the place of the access token.
    pub use_id_token: bool,
    /// The host in the redirect URI.
    pub host: String,
    /// Its port, if it is to be no other.
    pub port: Option<u16>,
    /// The port that may have been registered by hand: the one that mcp-remote would listen at.
    pub usual_port: Option<u16>,
    /// Its path.
    pub path: String,
    /// How long signing in may take.
    pub patience: Duration,
    /// The page to show afterwards.
    pub success_url: Option<Url>,
    /// Where mcp-remote, started with the same options, keeps its sign-in.
    pub mcp_remote: Vec<mcp_remote::Place>,
}

impl SignIn {
    /// Whether the person named the server at this URL, and not another server.
    pub fn names(&self, url: &Url) -> bool {
        let provider = self.identity_provider.as_ref();
        let issuer = provider.and_then(|provider| Url::parse(&provider.issuer).ok());
        let endpoint = provider.and_then(|provider| provider.token_endpoint.as_ref());
        let accepted = self.accept_issuer.as_ref().and_then(|issuer| Url::parse(issuer).ok());
        let named = [self.token_endpoint.as_ref(), endpoint, issuer.as_ref(), accepted.as_ref()];
        named.into_iter().flatten().any(|named| same_origin(named, url))
    }
}

/// Reads and checks the options about signing in. No message holds a value.
///
/// # Errors
/// An option cannot be used as it is.
pub(super) fn read(
    settings: &Settings,
    headers: &[HeaderSource],
    env: &Environment,
) -> Result<SignIn, Error> {
    let options = &settings.sign_in;
    let usual = if cfg!(windows) { "127.0.0.1" } else { "localhost" };
    let port = settings.callback_port.as_deref().and_then(|port| port.parse().ok());
    let client = named_client(options, env)?;
    let client_metadata_url = client_metadata_url(options)?;
    let lines = mcp_remote::header_lines(headers);
    let params: Vec<String> = options.all("authorize-param").map(String::from).collect();
    let flags = flags(settings, &lines, &params);
    let is_fixed = client.is_some() || client_metadata_url.is_some();
    let workload = options.text("workload-identity");
    let provider = options.text("identity-provider");
    Ok(SignIn {
        way: way(options)?,
        workload: workload.map(|text| TokenSource::named(text, env)).transpose()?,
        identity_provider: provider.map(|text| identity_provider(text, env)).transpose()?,
        identity: workload.or(provider).map(|text| format!("\n{text}")).unwrap_or_default(),
        client,
        client_metadata: match options.text("static-oauth-client-metadata") {
            Some(text) => object("--static-oauth-client-metadata", text, env, false)?,
            None => Map::new(),
        },
        client_metadata_url,
        accept_issuer: accept_issuer(options)?,
        resource: resource(options)?,
        authorize_params: options
            .all("authorize-param")
            .map(authorize_param)
            .collect::<Result<_, _>>()?,
        token_endpoint: token_endpoint(options)?,
        use_id_token: options.is("use-id-token"),
        host: options.text("host").unwrap_or(usual).to_owned(),
        port: port.filter(|port| *port != 0),
        usual_port: is_fixed.then(|| flags.port()),
        path: path(options)?,
        patience: patience(options),
        success_url: success_url(options, settings.allow_http == Some(true))?,
        mcp_remote: of_mcp_remote(&flags, env),
    })
}

/// Where mcp-remote's sign-in may be; nowhere on a machine that never saw it.
fn of_mcp_remote(flags: &mcp_remote::Flags<'_>, env: &Environment) -> Vec<mcp_remote::Place> {
    let Some(root) = mcp_remote::root(env) else { return Vec::new() };
    let Ok(entries) = fs::read_dir(&root) else { return Vec::new() };
    let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    mcp_remote::files::places(&root, names.iter().filter_map(|name| name.to_str()), flags)
}

/// What mcp-remote, started with the same options, makes its names of.
fn flags<'a>(
    settings: &'a Settings,
    headers: &'a [String],
    authorize_params: &'a [String],
) -> mcp_remote::Flags<'a> {
    let options = &settings.sign_in;
    let says_resource = !options.is("disable-resource-parameter");
    mcp_remote::Flags {
        server_url: settings.url.as_deref().unwrap_or_default(),
        resource: options.text("resource").filter(|_| says_resource),
        authorize_params,
        headers,
        client_metadata_url: options.text("client-metadata-url"),
        token_endpoint: options.text("token-endpoint"),
    }
}

fn way(options: &SignInSettings) -> Result<Way, Error> {
    let ways = [
        ("device-code", Way::DeviceCode),
        ("client-credentials", Way::ClientCredentials),
        ("workload-identity", Way::WorkloadIdentity),
        ("identity-provider", Way::IdentityProvider),
    ];
    let is_said = |name| options.text(name).is_some_and(|text| text != "false");
    let mut said = ways.into_iter().filter(|(name, _)| is_said(name));
    match (said.next(), said.next()) {
        (None, _) => Ok(Way::Browser),
        (Some((_, way)), None) => Ok(way),
        (Some((one, _)), Some((other, _))) => {
            let what = format!("`--{one}` and `--{other}` exclude each other");
            Err(Error::new(Kind::Config, what).hint("leave one of them out"))
        }
    }
}

fn named_client(
    options: &SignInSettings,
    env: &Environment,
) -> Result<Option<StaticClient>, Error> {
    let text = options.text("static-oauth-client-info");
    text.map(|text| client("--static-oauth-client-info", text, env)).transpose()
}

fn client_metadata_url(options: &SignInSettings) -> Result<Option<String>, Error> {
    let Some(text) = options.text("client-metadata-url").map(str::trim) else { return Ok(None) };
    let url = Url::parse(text).ok();
    let fits = url.is_some_and(|url| url.scheme() == "https" && url.path() != "/");
    let why = "it must be an https:// URL with a path";
    if fits { Ok(Some(text.to_owned())) } else { Err(wrong("--client-metadata-url", why)) }
}

fn accept_issuer(options: &SignInSettings) -> Result<Option<String>, Error> {
    let Some(issuer) = options.text("accept-issuer").map(str::trim) else { return Ok(None) };
    may_be_asked(issuer).map_err(|why| wrong("--accept-issuer", why))?;
    Ok(Some(issuer.to_owned()))
}

fn resource(options: &SignInSettings) -> Result<Resource, Error> {
    let named = options.text("resource").map(str::trim);
    match named {
        _ if options.is("disable-resource-parameter") => Ok(Resource::Unsaid),
        None => Ok(Resource::Discovered),
        // As with mcp-remote.
        Some("") => Ok(Resource::Unsaid),
        Some(text) if Url::parse(text).is_ok() => Ok(Resource::Named(text.to_owned())),
        Some(_) => Err(wrong("--resource", "it must be an absolute URI")),
    }
}

fn authorize_param(text: &str) -> Result<(String, String), Error> {
    const OPTION: &str = "--authorize-param";
    let (key, value) = text.split_once('=').ok_or_else(|| wrong(OPTION, "it must be KEY=VALUE"))?;
    if RESERVED.contains(&key) {
        return Err(wrong(OPTION, format!("the bridge itself says {key}")));
    }
    Ok((key.to_owned(), value.to_owned()))
}

fn token_endpoint(options: &SignInSettings) -> Result<Option<Url>, Error> {
    const OPTION: &str = "--token-endpoint";
    let Some(text) = options.text("token-endpoint") else { return Ok(None) };
    if !matches!(way(options)?, Way::ClientCredentials | Way::WorkloadIdentity) {
        let why = "it can only be used with --client-credentials or --workload-identity";
        return Err(wrong(OPTION, why));
    }
    let url = page(OPTION, text, false)?;
    if url.fragment().is_some() {
        return Err(wrong(OPTION, "it must have no fragment"));
    }
    Ok(Some(url))
}

fn success_url(options: &SignInSettings, allow_http: bool) -> Result<Option<Url>, Error> {
    const OPTION: &str = "--auth-success-url";
    let Some(text) = options.text("auth-success-url") else { return Ok(None) };
    let url = page(OPTION, text, allow_http)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(OPTION, "it must have no query and no fragment"));
    }
    Ok(Some(url))
}

/// An https URL, or http on this machine, without a user name.
pub(super) fn page(option: &str, text: &str, allow_http: bool) -> Result<Url, Error> {
    let url = Url::parse(text.trim()).map_err(|_| wrong(option, "it must be an https:// URL"))?;
    let is_plain = url.scheme() == "http" && (allow_http || is_loopback(&url));
    if url.scheme() != "https" && !is_plain {
        return Err(wrong(option, "it must be an https:// URL, or http:// to this machine"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(option, "it must not hold a user name or a password"));
    }
    Ok(url)
}

fn patience(options: &SignInSettings) -> Duration {
    let named = options.text("auth-timeout").and_then(|text| text.parse().ok());
    named.map_or(PATIENCE, |PositiveSeconds(wait)| wait)
}

fn path(options: &SignInSettings) -> Result<String, Error> {
    let path = options.text("callback-path").unwrap_or("/oauth/callback");
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
    if path.starts_with('/') && is_plain {
        return Ok(path.to_owned());
    }
    Err(wrong("--callback-path", "it must begin with / and hold neither ? nor #"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(change: impl FnOnce(&mut SignInSettings)) -> Result<SignIn, Error> {
        let mut settings = Settings { callback_port: Some("3335".into()), ..Settings::default() };
        change(&mut settings.sign_in);
        read(&settings, &[], &Environment::of([("ID", "me"), ("SECRET", "s3cret")]))
    }

    #[test]
    fn without_options_a_person_signs_in_in_the_browser() {
        let plain = read_with(|_| ()).expect("nothing is wrong");
        assert_eq!(
            (plain.way, plain.port, plain.path.as_str()),
            (Way::Browser, Some(3335), "/oauth/callback")
        );
        assert_eq!(plain.resource, Resource::Discovered);
    }

    /// Its redirect URI was registered by hand, perhaps when mcp-remote was used (AU-38).
    #[test]
    fn a_client_that_is_named_has_a_port_of_its_own() {
        for (name, value, expected) in [
            ("static-oauth-client-info", r#"{"client_id":"me"}"#, Some(37489)),
            ("client-metadata-url", "https://h.example/x", Some(32927)),
            ("host", "127.0.0.1", None),
        ] {
            let url = Some("http://127.0.0.1:38431/mcp".into());
            let mut settings = Settings { url, ..Settings::default() };
            settings.sign_in.set(name, [value.to_owned()]);
            let read = read(&settings, &[], &Environment::of([])).expect("good");
            assert_eq!((read.usual_port, read.port), (expected, None), "{name}");
        }
    }

    #[test]
    fn a_client_may_have_variables_and_stand_in_a_file() {
        use secrecy::ExposeSecret;
        const TEXT: &str = r#"{"client_id":"${ID}","client_secret":"${SECRET}"}"#;
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), TEXT).expect("it can be written");
        for text in [TEXT.to_owned(), format!("@{}", file.path().display())] {
            let read = read_with(|o| o.set("static-oauth-client-info", [text])).expect("good");
            let client = read.client.expect("it was given");
            let secret = client.secret.map(|secret| secret.expose_secret().to_owned());
            assert_eq!((client.id.as_str(), secret.as_deref()), ("me", Some("s3cret")));
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_and_not_shown() {
        const INFO: &str = "static-oauth-client-info";
        for (name, value, part) in [
            (INFO, "SECRET", "no JSON"),
            (INFO, "{\"x\":\"SECRET\"}", "client_id"),
            (INFO, "@/no/such", "cannot be read"),
            ("authorize-param", "state=SECRET", "the bridge itself"),
            ("authorize-param", "SECRET", "KEY=VALUE"),
            ("resource", "SECRET", "absolute"),
            ("token-endpoint", "https://h/SECRET", "--client-credentials"),
            ("callback-path", "SECRET", "begin with /"),
            ("accept-issuer", "SECRET", "no URL"),
            ("auth-success-url", "http://h.example/SECRET", "https://"),
        ] {
            let change = |o: &mut SignInSettings| o.set(name, [value.to_owned()]);
            let report = read_with(change).expect_err(part).report();
            assert!(report.contains(part) && !report.contains("SECRET"), "{report}");
        }
    }

    #[test]
    fn there_is_one_way_to_sign_in() {
        let workload = |o: &mut SignInSettings| o.set("workload-identity", ["@x".to_owned()]);
        assert_eq!(read_with(workload).expect("good").way, Way::WorkloadIdentity);
        let both = |o: &mut SignInSettings| {
            workload(o);
            o.set("device-code", ["true".to_owned()]);
        };
        let report = read_with(both).expect_err("one is too many").report();
        assert!(report.contains("`--device-code` and `--workload-identity`"), "{report}");
    }

    #[test]
    fn saying_no_resource_is_stronger_than_naming_one() {
        let named = |o: &mut SignInSettings| o.set("resource", [" https://h/x ".to_owned()]);
        let read = read_with(named).expect("good");
        assert_eq!(read.resource, Resource::Named("https://h/x".into()));
        let empty = read_with(|o| o.set("resource", [" ".to_owned()]));
        assert_eq!(empty.expect("good").resource, Resource::Unsaid);
        let both = read_with(|o| {
            named(o);
            o.set("disable-resource-parameter", ["true".to_owned()]);
        });
        assert_eq!(both.expect("good").resource, Resource::Unsaid);
    }
}
