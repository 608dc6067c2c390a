//! A Composio session in the place of a URL: one that is named, or one for a user.

use std::{fs, path::Path};

use reqwest::Url;
use serde_json::Value;

use super::{endpoint::base, environment::Environment};
use crate::{
    cli::Settings,
    composio::{
        session::body::{Purpose, build},
        url::named_session,
    },
    error::{Error, Kind},
};

/// The session that a bridge keeps for a user.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// The base of the API that makes it.
    pub base: Url,
    /// What is asked of the API.
    pub body: Value,
}

/// Where a bridge leads that was given no URL.
#[derive(Debug, PartialEq)]
pub(super) enum Target {
    /// To this URL.
    Url(String),
    /// To a session of this kind, which has a URL of its own.
    Wish(Wish),
}

/// What the options about a session say; `None` where they say nothing.
///
/// # Errors
/// They do not fit together, or to a URL, or cannot be used.
pub(super) fn target(settings: &Settings, env: &Environment) -> Result<Option<Target>, Error> {
    let options = &settings.session.0;
    if options.is_empty() {
        return Ok(None);
    }
    let wrong = |what: &str| Error::new(Kind::Usage, what.to_owned());
    if settings.url.is_some() {
        return Err(wrong("a URL and the options of a session exclude each other")
            .because("the URL says already which session it is")
            .hint("leave out the URL, and name the user with `--user ID`")
            .hint("or change that session with `composio-bridge session update`"));
    }
    let base = base(env)?;
    if let Some(named) = options.text("session") {
        if options.len() > 1 {
            return Err(wrong("`--session` names a session that is configured already")
                .hint("leave out the other options of sessions")
                .hint("or change it with `composio-bridge session update`"));
        }
        let id = named_session(named)?;
        return Ok(Some(Target::Url(below(&base, &["tool_router", id, "mcp"])?.into())));
    }
    let document = options.text("session-config").map(|path| document(path, env)).transpose()?;
    let body = build(options, document, Purpose::Create)?;
    Ok(Some(Target::Wish(Wish { base: below(&base, &[])?, body })))
}

impl Wish {
    /// What stands for the session in the configuration until its own URL is known: of the same
    /// origin, and the same for the same base.
    pub(super) fn endpoint(&self) -> String {
        let url = below(self.base.as_str(), &["tool_router", "trs_", "mcp"]);
        url.map_or_else(|_| self.base.to_string(), String::from)
    }
}

fn below(base: &str, segments: &[&str]) -> Result<Url, Error> {
    let unusable = || Error::new(Kind::Config, "COMPOSIO_BASE_URL is not the base of an API");
    let mut url = Url::parse(base).map_err(|_| unusable())?;
    url.path_segments_mut().map_err(|()| unusable())?.pop_if_empty().extend(segments);
    Ok(url)
}

fn document(path: &str, env: &Environment) -> Result<Value, Error> {
    let unusable = |why: String| {
        Error::new(Kind::Config, "the file of --session-config cannot be used").because(why)
    };
    if path == "-" {
        return Err(unusable("stdin belongs to the client".to_owned()).hint("name a file"));
    }
    let path = env.expand_home(Path::new(path));
    let text = fs::read_to_string(&path).map_err(|cause| {
        let error = unusable(cause.to_string());
        match path.is_relative() {
            true => error.hint("name it with its whole path: clients start the bridge anywhere"),
            false => error,
        }
    })?;
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|cause| {
        let place = format!("line {}, column {}", cause.line(), cause.column());
        unusable(format!("it is not JSON ({place})"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    fn read(arguments: &[&str]) -> Result<Option<Target>, Error> {
        let words = std::iter::once(&"composio-bridge").chain(arguments);
        let cli = cli::parse(words.map(std::ffi::OsString::from).collect()).expect("good words");
        target(&cli.settings, &Environment::of([("COMPOSIO_BASE_URL", "http://127.0.0.1:1/x/")]))
    }

    #[test]
    fn a_session_is_named_or_wished_for() {
        assert_eq!(read(&["https://h.example/"]), Ok(None));
        let named = read(&["--session", "trs_1"]);
        assert_eq!(
            named,
            Ok(Some(Target::Url("http://127.0.0.1:1/x/tool_router/trs_1/mcp".into())))
        );
        let wished = read(&["--user", "u", "--toolkit", "gmail"]).expect("it is good");
        let Some(Target::Wish(wish)) = wished else { panic!("a wish: {wished:?}") };
        assert_eq!(wish.body["user_id"], "u");
        assert_eq!(wish.body["toolkits"]["enable"][0], "gmail");
        assert_eq!(wish.endpoint(), "http://127.0.0.1:1/x/tool_router/trs_/mcp");
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        for (words, part) in [
            (&["https://h.example/", "--user", "u"][..], "exclude each other"),
            (&["--session", "trs_1", "--toolkit", "gmail"], "configured already"),
            (&["--session", "SECRET"], "trs_"),
            (&["--toolkit", "gmail"], "user"),
            (&["--user", "u", "--session-config", "/no/such"], "--session-config"),
            (&["--user", "u", "--session-config", "no/such"], "whole path"),
            (&["--user", "u", "--session-config", "-"], "belongs to the client"),
        ] {
            let report = read(words).expect_err(part).report();
            assert!(report.contains(part) && !report.contains("SECRET"), "{report}");
        }
    }
}
