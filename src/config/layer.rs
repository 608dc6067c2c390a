//! One source's settings, and one source over another.
//!
//! What the environment and the file say goes through the same parser as the command line, key by
//! key: one set of rules, and an error can name the variable or the line.

use std::path::PathBuf;

use clap::{
    ArgAction, Args, Command, FromArgMatches,
    builder::BoolishValueParser,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::environment::Environment;
use crate::cli::{HeaderSource, Settings, header_order, session};

/// What is wrong with a key or its value. The value is never part of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// There is no such key; the nearest that there is.
    Key(Option<String>),
    /// The value cannot be taken; what it must be.
    Value(String),
}

/// Makes [`Settings`] from keys and values.
pub(super) struct Builder {
    command: Command,
    settings: Settings,
}

impl Builder {
    pub(super) fn new() -> Self {
        let command = Settings::augment_args(Command::new("settings").no_binary_name(true))
            .disable_help_flag(true)
            .disable_version_flag(true)
            .mut_args(|arg| match arg.get_id().as_str() {
                "url" => arg.long("url"),
                "callback-port" => arg.long("callback-port"),
                _ if arg.get_num_args().is_some_and(|count| !count.takes_values()) => {
                    arg.num_args(0..=1).require_equals(true).value_parser(BoolishValueParser::new())
                }
                _ => arg,
            });
        Builder { command, settings: Settings::default() }
    }

    /// Sets an option, named as on the command line without the dashes. Empty values leave it as
    /// it is.
    pub(super) fn set(&mut self, key: &str, values: &[String]) -> Result<(), Wrong> {
        let values = values.iter().map(String::as_str).filter(|value| !value.is_empty());
        let arguments: Vec<_> = values
            .filter_map(|value| match (key, value) {
                ("no-proxy", "false" | "0") => None,
                ("no-proxy", "true" | "1") => Some("--no-proxy".to_owned()),
                _ => Some(format!("--{key}={value}")),
            })
            .collect();
        let parsed = self.command.try_get_matches_from_mut(arguments);
        let mut matches = parsed.map_err(|error| wrong(&error))?;
        self.settings.headers_in_order.extend(header_order(&matches));
        self.settings
            .update_from_arg_matches_mut(&mut matches)
            .map_err(|_| Wrong::Value("is not valid".into()))
    }

    /// Whether the key can have several values.
    pub(super) fn is_list(&self, key: &str) -> bool {
        let mut arguments = self.command.get_arguments();
        arguments
            .any(|arg| arg.get_long() == Some(key) && matches!(arg.get_action(), ArgAction::Append))
    }

    pub(super) fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    pub(super) fn finish(self) -> Settings {
        self.settings
    }
}

fn wrong(error: &clap::Error) -> Wrong {
    let source = || std::error::Error::source(error).map(ToString::to_string);
    match (error.kind(), error.get(ContextKind::ValidValue)) {
        (ErrorKind::UnknownArgument, _) => Wrong::Key(match error.get(ContextKind::SuggestedArg) {
            Some(ContextValue::String(flag)) => Some(flag.trim_start_matches('-').to_owned()),
            _ => None,
        }),
        (ErrorKind::ArgumentConflict, _) => Wrong::Value("can only have one value".into()),
        (ErrorKind::InvalidValue, Some(ContextValue::Strings(allowed))) => {
            Wrong::Value(format!("must be one of {}", allowed.join(", ")))
        }
        _ => Wrong::Value(source().unwrap_or_else(|| "is not valid".into())),
    }
}

const PREFIX: &str = "COMPOSIO_BRIDGE_";
/// Variables that are no options of [`Settings`].
const OTHERS: [&str; 3] = ["CONFIG", "PROFILE", "STATE_DIR"];

/// What the `COMPOSIO_BRIDGE_…` variables say, and warnings about those that say nothing known.
///
/// # Errors
/// The variable whose value cannot be taken, and what it must be.
pub(super) fn of_environment(env: &Environment) -> Result<(Settings, Vec<String>), String> {
    let mut warnings = Vec::new();
    let mut variables =
        env.with_prefix(PREFIX).filter(|(name, _)| !OTHERS.contains(name)).peekable();
    if variables.peek().is_none() {
        return Ok((Settings::default(), warnings));
    }
    let mut builder = Builder::new();
    for (name, value) in variables {
        let key = name.to_ascii_lowercase().replace('_', "-");
        let values =
            if builder.is_list(&key) { items(&key, value) } else { vec![value.to_owned()] };
        match builder.set(&key, &values) {
            Ok(()) => {}
            Err(Wrong::Value(why)) => return Err(format!("{PREFIX}{name} {why}")),
            Err(Wrong::Key(near)) => warnings.push(match near {
                Some(near) => {
                    let near = near.to_ascii_uppercase().replace('-', "_");
                    format!(
                        "unknown environment variable {PREFIX}{name}; did you mean {PREFIX}{near}?"
                    )
                }
                None => format!("unknown environment variable {PREFIX}{name}"),
            }),
        }
    }
    Ok((builder.finish(), warnings))
}

/// A list in one variable: lines of headers, paths as in `PATH`, patterns between commas.
fn items(key: &str, value: &str) -> Vec<String> {
    match key {
        "header" | "authorize-param" => value.lines().map(String::from).collect(),
        "header-file" | "ca-file" => {
            std::env::split_paths(value).map(|path| path.to_string_lossy().into_owned()).collect()
        }
        _ => value.split(',').map(|item| item.trim().to_owned()).collect(),
    }
}

/// The settings of two sources, where both speak the stronger's. Headers and keys are not among
/// them: headers are merged by name, and a key is looked for source by source.
pub(super) fn over(strong: Settings, mut weak: Settings) -> Settings {
    // Who names a proxy does not mean somebody else's "none at all", and the other way round.
    silence(&strong, &mut weak);
    Settings {
        url: strong.url.or(weak.url),
        callback_port: strong.callback_port.or(weak.callback_port),
        transport: strong.transport.or(weak.transport),
        protocol: strong.protocol.or(weak.protocol),
        allow_http: strong.allow_http.or(weak.allow_http),
        connect_timeout: strong.connect_timeout.or(weak.connect_timeout),
        headers_timeout: strong.headers_timeout.or(weak.headers_timeout),
        body_timeout: strong.body_timeout.or(weak.body_timeout),
        startup_grace: strong.startup_grace.or(weak.startup_grace),
        input_timeout: strong.input_timeout.or(weak.input_timeout),
        keep_alive: strong.keep_alive.or(weak.keep_alive),
        ping_interval: strong.ping_interval.or(weak.ping_interval),
        disable_cookies: strong.disable_cookies.or(weak.disable_cookies),
        ignore_tool: list(strong.ignore_tool, weak.ignore_tool),
        allow_tool: list(strong.allow_tool, weak.allow_tool),
        proxy: strong.proxy.or(weak.proxy),
        no_proxy: strong.no_proxy.or(weak.no_proxy),
        enable_proxy: strong.enable_proxy.or(weak.enable_proxy),
        ca_file: list(strong.ca_file, weak.ca_file),
        client_cert: strong.client_cert.or(weak.client_cert),
        ipv4: strong.ipv4.or(weak.ipv4),
        debug: strong.debug.or(weak.debug),
        silent: strong.silent.or(weak.silent),
        log_level: strong.log_level.or(weak.log_level),
        log_file: strong.log_file.or(weak.log_file),
        sign_in: strong.sign_in.over(weak.sign_in),
        session: session::Configuration(strong.session.0.over(weak.session.0)),
        ..Settings::default()
    }
}

/// Takes back what the weaker source says in other words than the stronger, but to the contrary.
fn silence(strong: &Settings, weak: &mut Settings) {
    if strong.proxy.is_some() && weak.no_proxy.as_deref() == Some("*") {
        weak.no_proxy = None;
    }
    if strong.ping_interval.is_some() && weak.keep_alive == Some(false) {
        weak.keep_alive = None;
    }
    if strong.debug == Some(true) {
        weak.log_level = None;
    }
    if strong.log_level.is_some() {
        weak.debug = None;
    }
}

fn list<T>(strong: Vec<T>, weak: Vec<T>) -> Vec<T> {
    if strong.is_empty() { weak } else { strong }
}

/// Applies `change` to every path.
pub(super) fn map_paths(settings: &mut Settings, change: impl Fn(&mut PathBuf)) {
    let files = settings.headers_in_order.iter_mut().filter_map(|source| match source {
        HeaderSource::File(path) => Some(path),
        HeaderSource::Line(_) => None,
    });
    files
        .chain(&mut settings.header_file)
        .chain(&mut settings.ca_file)
        .chain(&mut settings.client_cert)
        .chain(&mut settings.api_key_file)
        .chain(&mut settings.log_file)
        .for_each(change);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: &str, value: &str) -> Result<Settings, Wrong> {
        let mut builder = Builder::new();
        builder.set(key, &[value.to_owned()])?;
        Ok(builder.finish())
    }

    #[test]
    fn flags_take_words_and_values_say_what_they_must_be() {
        let debug = |word: &str| set("debug", word).map(|settings| settings.debug);
        assert_eq!(debug("1"), Ok(Some(true)));
        assert_eq!(debug("off"), Ok(Some(false)));
        assert_eq!(debug(""), Ok(None));
        assert!(matches!(debug("SECRET"), Err(Wrong::Value(why)) if !why.contains("SECRET")));
        assert_eq!(
            set("transport", "SECRET").map(|_| ()),
            Err(Wrong::Value("must be one of http-first, sse-first, http-only, sse-only".into()))
        );
        assert_eq!(
            set("connect-timeout", "0").map(|_| ()),
            Err(Wrong::Value("must be a number of seconds above 0".into()))
        );
        assert_eq!(
            set("conect-timeout", "1").map(|_| ()),
            Err(Wrong::Key(Some("connect-timeout".into())))
        );
        assert_eq!(set("help", "1").map(|_| ()), Err(Wrong::Key(None)));
    }

    #[test]
    fn no_proxy_is_a_flag_and_a_list() {
        let no_proxy = |word: &str| set("no-proxy", word).expect("all are fine").no_proxy;
        assert_eq!(no_proxy("true").as_deref(), Some("*"));
        assert_eq!(no_proxy("false"), None);
        assert_eq!(no_proxy("a,b").as_deref(), Some("a,b"));
    }

    #[test]
    fn variables_become_settings() {
        let env = Environment::of([
            ("COMPOSIO_BRIDGE_URL", "https://x.example/"),
            ("COMPOSIO_BRIDGE_IGNORE_TOOL", "a*, b"),
            ("COMPOSIO_BRIDGE_HEADER", "A: 1, 2\nB: 3"),
            ("COMPOSIO_BRIDGE_KEEP_ALIVE", "yes"),
            ("COMPOSIO_BRIDGE_CONNECT_TIMEOUT", "${user_config.t}"),
            ("COMPOSIO_BRIDGE_PROFILE", "p"),
            ("COMPOSIO_BRIDGE_TRANSPROT", "x"),
        ]);
        let (settings, warnings) = of_environment(&env).expect("they are good");
        assert_eq!(settings.url.as_deref(), Some("https://x.example/"));
        assert_eq!(settings.ignore_tool, ["a*", "b"]);
        assert_eq!(settings.header, ["A: 1, 2", "B: 3"]);
        assert_eq!(settings.headers_in_order.len(), 2);
        assert_eq!(settings.keep_alive, Some(true));
        assert_eq!(settings.connect_timeout, None);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].ends_with("did you mean COMPOSIO_BRIDGE_TRANSPORT?"), "{warnings:?}");

        let env = Environment::of([("COMPOSIO_BRIDGE_BODY_TIMEOUT", "SECRET")]);
        assert_eq!(
            of_environment(&env).expect_err("no number"),
            "COMPOSIO_BRIDGE_BODY_TIMEOUT must be a number of seconds, 0 or more"
        );
    }

    #[test]
    fn the_stronger_source_wins_and_what_belongs_together_stays_together() {
        let (none, proxy) = (|| set("no-proxy", "true"), || set("proxy", "http://p:1"));
        let merged = over(proxy().expect("good"), none().expect("good"));
        assert_eq!((merged.proxy.is_some(), merged.no_proxy), (true, None));
        let merged = over(none().expect("good"), proxy().expect("good"));
        assert_eq!(merged.no_proxy.as_deref(), Some("*"));

        let merged =
            over(set("keep-alive", "no").expect("good"), set("ping-interval", "9").expect("good"));
        assert_eq!(merged.keep_alive, Some(false));
        let merged =
            over(set("ping-interval", "9").expect("good"), set("keep-alive", "no").expect("good"));
        assert_eq!(merged.keep_alive, None, "the interval speaks for itself");

        let merged =
            over(set("debug", "1").expect("good"), set("log-level", "error").expect("good"));
        assert_eq!((merged.log_level, merged.debug), (None, Some(true)));
        let merged =
            over(set("ignore-tool", "a").expect("good"), set("ignore-tool", "b").expect("good"));
        assert_eq!(merged.ignore_tool, ["a"]);
    }
}
