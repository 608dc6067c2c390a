//! Bringing the sources together.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::Url;
use tracing::level_filters::LevelFilter;

use super::{
    Config, Log, Network, ProxyChoice, Strategy, Timeouts, ToolFilter, credential, endpoint,
    environment::Environment,
    file,
    header::{Collector, Headers},
    key,
    keys::{Choice, Keys},
    layer,
    session::{self, Target},
    sign_in,
};
use crate::{
    auth::store::Place,
    cli::{Cli, Command, HeaderSource, Settings, value::PositiveSeconds},
    composio::{
        rest,
        url::{self, Shape},
    },
    error::{Error, Kind},
    origin::is_loopback,
};

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(300);
const PING: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(5);

/// The default of `--input-timeout`: a person may be thinking.
const INPUT: Duration = Duration::from_secs(12 * 60);

/// Settings by their source, each over the next.
struct Sources {
    flags: Settings,
    environment: Settings,
    profile: Settings,
    file: Settings,
}

/// What a configuration is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Bridge,
    SignIn,
    SignOut,
    Api,
}

impl Purpose {
    fn is_about_signing(self) -> bool {
        matches!(self, Purpose::SignIn | Purpose::SignOut)
    }
}

impl Config {
    /// Decides between the command line, the environment, the profile and the file, in this
    /// order, and checks the outcome. Reads the configuration file, header files and a key file;
    /// runs nothing and connects to nothing.
    ///
    /// # Errors
    /// [`Kind::Usage`] for the command line, [`Kind::Config`] for the rest. No message holds a
    /// value that could be secret.
    pub fn load(cli: Cli, env: &Environment) -> Result<Config, Error> {
        let purpose = match cli.command {
            Some(Command::Login) => Purpose::SignIn,
            Some(Command::Logout) => Purpose::SignOut,
            _ => Purpose::Bridge,
        };
        Config::load_for(purpose, cli, env)
    }

    /// The same for Composio's REST API: the endpoint is `COMPOSIO_BASE_URL`, or else the usual
    /// base, and the headers that were named for an MCP server are left out.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn for_api(mut cli: Cli, env: &Environment) -> Result<Config, Error> {
        cli.settings.url = Some(endpoint::base(env)?);
        Config::load_for(Purpose::Api, cli, env)
    }

    fn load_for(purpose: Purpose, cli: Cli, env: &Environment) -> Result<Config, Error> {
        let mut warnings = Vec::new();
        check_surplus(&cli.settings)?;
        let sources = Sources::read(cli, env, &mut warnings)?;
        let headers = match purpose {
            Purpose::Api => Headers::new(),
            _ => sources.headers(env, &mut warnings)?,
        };
        let url_kind = if sources.flags.url.is_some() { Kind::Usage } else { Kind::Config };
        let keys = sources.keys(env);
        let named_headers = sources.flags.headers_in_order.clone();
        let mut settings = sources.merged();
        let mut wish = None;
        match purpose {
            Purpose::Api => {}
            _ => match session::target(&settings, env)? {
                Some(Target::Url(url)) => settings.url = Some(url),
                Some(Target::Wish(found)) => wish = Some(found),
                None => {}
            },
        }
        if purpose == Purpose::Api {
            settings.connect_timeout.get_or_insert(PositiveSeconds(rest::CONNECT_LIMIT));
        }
        let base = env.get("COMPOSIO_BASE_URL").and_then(|text| Url::parse(text).ok());
        let (endpoint, composio, repairs) = match &wish {
            Some(wish) => (
                endpoint::parse(&wish.endpoint(), false, Kind::Config)?,
                Some(Shape::Session),
                Vec::new(),
            ),
            None => endpoint_of(&settings, url_kind, base.as_ref(), purpose)?,
        };

        let named = credential::is_named(&headers, &endpoint, base.as_ref())?;
        let choice = match named {
            true => Choice::None,
            false => keys.choose(&endpoint, base.as_ref(), &mut warnings)?,
        };
        let (key, misfit) = match choice {
            Choice::Key(key) => (Some(key), None),
            Choice::None => (None, None),
            Choice::Misfit(error) => (None, Some(error)),
        };
        let is_private = endpoint.scheme() == "https" || is_loopback(&endpoint);
        let mut network = network(&settings)?;
        extra_certificates(&mut network, env, &mut warnings);
        let config = Config {
            sign_in: sign_in::read(&settings, &named_headers, env)?,
            may_sign_in: !named && key.is_none() && is_private,
            endpoint,
            session: wish,
            composio,
            strategy: settings.transport.unwrap_or(usual_transport(composio)),
            protocol: settings.protocol.unwrap_or_default(),
            headers,
            key,
            timeouts: timeouts(&settings),
            ping_interval: ping_interval(&settings),
            startup_grace: settings.startup_grace.map_or(GRACE, |wait| wait.0),
            input_timeout: settings.input_timeout.map_or(INPUT, |wait| wait.0),
            network,
            log: log(&settings),
            tools: ToolFilter { allow: settings.allow_tool, ignore: settings.ignore_tool },
            state_dir: env.state_dir(),
            warnings,
            repairs,
        };
        match misfit {
            Some(error) if !purpose.is_about_signing() && !is_signed_in(&config) => Err(error),
            _ => Ok(config),
        }
    }

    /// The keys that the command line, the environment, the configuration file and this machine
    /// hold, for whatever endpoint.
    ///
    /// # Errors
    /// As [`Config::load`], but for what concerns the endpoint.
    pub fn keys(cli: Cli, env: &Environment) -> Result<Keys, Error> {
        Ok(Sources::read(cli, env, &mut Vec::new())?.keys(env))
    }
}

/// Whether there is a sign-in that a key in the environment is not needed for.
fn is_signed_in(config: &Config) -> bool {
    let own = Place::of(config).is_some_and(|place| place.read().is_some());
    own || config.sign_in.mcp_remote.iter().any(|place| place.read().is_some())
}

impl Sources {
    fn read(cli: Cli, env: &Environment, warnings: &mut Vec<String>) -> Result<Self, Error> {
        let (mut environment, unknown) = layer::of_environment(env).map_err(|why| {
            Error::new(Kind::Config, "an environment variable holds a mistake").because(why)
        })?;
        warnings.extend(unknown);
        let named = cli.config.as_deref().or(env.get("COMPOSIO_BRIDGE_CONFIG").map(Path::new));
        let profile = cli.profile.as_deref().or(env.get("COMPOSIO_BRIDGE_PROFILE"));
        let file = file::load(named, profile, env)?;
        warn_of_readable(&file, warnings);
        let mut flags = cli.settings;
        for settings in [&mut flags, &mut environment] {
            layer::map_paths(settings, |path| *path = env.expand_home(path));
        }
        Ok(Sources { flags, environment, profile: file.profile, file: file.top })
    }

    /// The headers of all sources; of one name the strongest source's stands.
    fn headers(&self, env: &Environment, warnings: &mut Vec<String>) -> Result<Headers, Error> {
        let mut collector = Collector::new(env);
        for settings in [&self.file, &self.profile, &self.environment, &self.flags] {
            collector.add(&settings.headers_in_order)?;
        }
        collector.warn_of_literals(&self.flags.headers_in_order);
        let (headers, more) = collector.finish();
        warnings.extend(more);
        Ok(headers)
    }

    fn keys(&self, env: &Environment) -> Keys {
        Keys::of([&self.flags, &self.environment, &self.profile, &self.file], env)
    }

    fn merged(self) -> Settings {
        let below = layer::over(self.profile, self.file);
        layer::over(self.flags, layer::over(self.environment, below))
    }
}

/// A file that holds credentials should be its owner's alone.
fn warn_of_readable(file: &file::File, warnings: &mut Vec<String>) {
    let mut sources = file.profile.headers_in_order.iter().chain(&file.top.headers_in_order);
    let Some(path) = &file.path else { return };
    if sources.any(HeaderSource::is_literal_credential) {
        warnings.extend(key::others_may_read(path));
    }
}

/// The endpoint, what it is of Composio's, and what was repaired.
fn endpoint_of(
    settings: &Settings,
    kind: Kind,
    base: Option<&Url>,
    purpose: Purpose,
) -> Result<(Url, Option<Shape>, Vec<&'static str>), Error> {
    let Some(text) = &settings.url else {
        return Err(Error::new(Kind::Usage, "there is no URL of a remote MCP server")
            .hint("pass it as the first argument: `composio-bridge https://mcp.example.com/mcp`")
            .hint("or name a profile that has one: `composio-bridge --profile NAME`"));
    };
    let allow_http = settings.allow_http == Some(true);
    let parse = || endpoint::parse(text, allow_http, kind);
    // The API has no shape of an endpoint, and whoever signs out may do so of anything.
    if matches!(purpose, Purpose::Api | Purpose::SignOut) {
        return Ok((parse()?, None, Vec::new()));
    }
    let known = Url::parse(text.trim()).ok();
    let known = known.filter(|url| url.username().is_empty() && url.password().is_none());
    match known.and_then(|url| url::explain(&url, base, allow_http)) {
        None => Ok((parse()?, None, Vec::new())),
        Some(found) => {
            let (shape, repairs) = (found.shape, found.changes.clone());
            let endpoint = found.usable()?;
            parse()?;
            Ok((endpoint, Some(shape), repairs))
        }
    }
}

/// A word in the place of the port is a mistake, and may be a secret.
fn check_surplus(flags: &Settings) -> Result<(), Error> {
    let port = flags.callback_port.as_deref().map(str::parse::<u16>);
    if flags.surplus.is_empty() && !matches!(port, Some(Err(_))) {
        return Ok(());
    }
    Err(Error::new(Kind::Usage, "there is an argument too many after the URL")
        .because("only a port number, 0 to 65535, can stand there")
        .hint("a value with spaces needs quotes: `--header 'Name: some value'`"))
}

/// Composio has turned HTTP+SSE off, so that there is no use in trying it.
fn usual_transport(composio: Option<Shape>) -> Strategy {
    if composio.is_some_and(Shape::is_http_only) { Strategy::HttpOnly } else { Strategy::default() }
}

fn timeouts(settings: &Settings) -> Timeouts {
    Timeouts {
        connect: settings.connect_timeout.map_or(CONNECT, |wait| wait.0),
        headers: settings.headers_timeout.map_or(Some(ANSWER), |wait| wait.limit()),
        body: settings.body_timeout.map_or(Some(ANSWER), |wait| wait.limit()),
    }
}

fn ping_interval(settings: &Settings) -> Option<Duration> {
    let interval = settings.ping_interval.map_or(PING, |wait| wait.0);
    let wanted = settings.keep_alive.unwrap_or(settings.ping_interval.is_some());
    wanted.then_some(interval)
}

fn log(settings: &Settings) -> Log {
    let usual = if settings.debug == Some(true) { LevelFilter::DEBUG } else { LevelFilter::WARN };
    Log {
        level: settings.log_level.map_or(usual, LevelFilter::from),
        silent: settings.silent == Some(true),
        file: settings.log_file.clone(),
    }
}

fn network(settings: &Settings) -> Result<Network, Error> {
    let proxy = match (&settings.proxy, &settings.no_proxy) {
        (_, Some(hosts)) if hosts == "*" => ProxyChoice::None,
        (Some(url), except) => ProxyChoice::Url { url: proxy_url(url)?, except: except.clone() },
        (None, Some(hosts)) => ProxyChoice::SystemExcept(hosts.clone()),
        (None, None) => ProxyChoice::System,
    };
    Ok(Network {
        ipv4: settings.ipv4 == Some(true),
        proxy,
        ca_files: settings.ca_file.clone(),
        client_cert: settings.client_cert.clone(),
        cookies: settings.disable_cookies != Some(true),
    })
}

/// A proxy's URL; `host:port` alone means http, as curl and npm read it. It may hold a password,
/// so the message does not repeat it.
fn proxy_url(text: &str) -> Result<Url, Error> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&text).ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h")).ok_or_else(
        || {
            Error::new(Kind::Config, "the proxy's URL cannot be used")
                .because("it must begin with http://, https://, socks5:// or socks5h://")
        },
    )
}

/// Node's variable, which many a company's machine has set. Like Node we go on without the file.
fn extra_certificates(network: &mut Network, env: &Environment, warnings: &mut Vec<String>) {
    let Some(path) = env.get("NODE_EXTRA_CA_CERTS").map(PathBuf::from) else { return };
    if path.is_file() {
        network.ca_files.push(path);
    } else {
        warnings
            .push(format!("there is no file {}, which NODE_EXTRA_CA_CERTS names", path.display()));
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
