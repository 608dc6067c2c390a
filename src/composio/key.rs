//! Keys: their kinds, the headers they are sent in, and where each is good for something. Pure.
//!
//! A request carries exactly one credential: Composio refuses two with 401, even when each is good.
//! So a key goes in one header, and the ids that accompany a user key are no credentials.

use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::error::{self, Error};

/// The kind of a key, as its prefix says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `ak_…`: for sessions, MCP servers and the API of one project.
    Project,
    /// `uak_…`: a person's, for the same.
    User,
    /// `ck_…`: for `connect.composio.dev` alone.
    Consumer,
    /// No prefix that is known; used as a project key.
    Unknown,
}

/// A place that takes keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Sessions, MCP servers and the API: `backend.composio.dev`.
    Platform,
    /// `connect.composio.dev`.
    Connect,
    /// This machine, or what `COMPOSIO_BASE_URL` names: it may stand for either.
    StandIn,
}

/// A key that can be sent.
#[derive(Debug, Clone)]
pub struct Key {
    kind: Kind,
    secret: SecretString,
    ids: Option<Ids>,
}

/// What a user key is used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// The organisation, for `x-org-id`.
    pub org: String,
    /// The project, for `x-project-id`.
    pub project: String,
}

impl Kind {
    /// The kind of this key.
    pub fn of(key: &str) -> Self {
        let kinds = [Kind::Project, Kind::User, Kind::Consumer];
        kinds.into_iter().find(|kind| key.starts_with(kind.prefix())).unwrap_or(Kind::Unknown)
    }

    /// What keys of this kind begin with; empty where that is not known.
    pub fn prefix(self) -> &'static str {
        match self {
            Kind::Project => "ak_",
            Kind::User => "uak_",
            Kind::Consumer => "ck_",
            Kind::Unknown => "",
        }
    }

    /// The kind in one word, for programs.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Project => "project",
            Kind::User => "user",
            Kind::Consumer => "consumer",
            Kind::Unknown => "unknown",
        }
    }

    /// The kind with its article, for people.
    pub fn named(self) -> &'static str {
        match self {
            Kind::Project => "a project key (`ak_…`)",
            Kind::User => "a user key (`uak_…`)",
            Kind::Consumer => "a consumer key (`ck_…`)",
            Kind::Unknown => "a key without a known prefix",
        }
    }

    /// The header that a key of this kind is sent in.
    pub fn header(self) -> HeaderName {
        HeaderName::from_static(match self {
            Kind::Project | Kind::Unknown => "x-api-key",
            Kind::User => "x-user-api-key",
            Kind::Consumer => "x-consumer-api-key",
        })
    }

    /// Whether a key of this kind is good for something there.
    pub fn fits(self, place: Place) -> bool {
        match place {
            Place::Platform => self != Kind::Consumer,
            Place::Connect => self == Kind::Consumer,
            Place::StandIn => true,
        }
    }

    /// Why a key of this kind is not sent to that place, and which to take instead; nothing where it
    /// fits.
    ///
    /// # Errors
    /// It does not fit.
    pub fn check(self, place: Place) -> Result<(), Error> {
        if self.fits(place) {
            return Ok(());
        }
        let error = Error::new(
            error::Kind::Config,
            format!("the key does not fit the URL: it is {}", self.named()),
        );
        Err(match place {
            Place::Connect => error
                .because("connect.composio.dev takes consumer keys (`ck_…`) alone")
                .hint(CONSUMER_KEY)
                .hint("or leave the key out, and sign in with `composio-bridge login URL`"),
            Place::Platform | Place::StandIn => error
                .because("consumer keys are for https://connect.composio.dev/mcp alone")
                .hint(PROJECT_KEY),
        })
    }
}

/// Where to get a consumer key.
pub const CONSUMER_KEY: &str = "take the key from For You > Settings > Sessions & API Key at \
                                Composio, and store it with `composio-bridge key set`";

/// Where to get a project key.
pub const PROJECT_KEY: &str = "take a project key (`ak_…`) from the project's settings at Composio, \
                               and store it with `composio-bridge key set`";

impl Key {
    /// A key of the kind that its prefix says, or else of the kind that `assumed` says; blanks and
    /// quotes around it are left out. The ids of the organisation and the project are for user keys;
    /// other keys have no use for them and forget them.
    ///
    /// # Errors
    /// It is empty, cannot be sent in a header or is certainly no key, or one id is there without the
    /// other. The message holds none of them.
    pub fn new(
        secret: &str,
        assumed: Kind,
        org: Option<&str>,
        project: Option<&str>,
    ) -> Result<Self, Error> {
        // A byte order mark is what some editors and shells begin a text with.
        let secret = unquoted(secret.trim_start_matches('\u{feff}').trim());
        if let Some((why, hint)) = fault(secret) {
            let error = Error::new(error::Kind::Config, "the API key cannot be used");
            return Err(error.because(why).hint(hint));
        }
        let kind = match Kind::of(secret) {
            Kind::Unknown => assumed,
            known => known,
        };
        let ids = if kind == Kind::User { Ids::of(org, project)? } else { None };
        Ok(Key { kind, secret: SecretString::from(secret), ids })
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The key itself.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// What a user key is used for, where that was said.
    pub fn ids(&self) -> Option<&Ids> {
        self.ids.as_ref()
    }

    /// The last characters, to tell keys apart: at most 4, and none of a key so short that they
    /// would give it away.
    pub fn ending(&self) -> &str {
        let text = self.secret.expose_secret();
        let Some((start, _)) = text.char_indices().rev().nth(3) else { return "" };
        if text.len() >= 16 { &text[start..] } else { "" }
    }

    /// The headers of a request with this key: one credential, and the ids beside a user key. All
    /// values are marked sensitive.
    pub fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let mut texts = vec![(self.kind.header(), self.secret.expose_secret())];
        if let Some(ids) = &self.ids {
            texts.push((HeaderName::from_static("x-org-id"), &ids.org));
            texts.push((HeaderName::from_static("x-project-id"), &ids.project));
        }
        let value = |text: &str| {
            let mut value = HeaderValue::from_str(text).expect("checked when the key was made");
            value.set_sensitive(true);
            value
        };
        texts.into_iter().map(|(name, text)| (name, value(text))).collect()
    }
}

/// The text without the quotes around it: `set KEY="ak_…"` of Windows, and files of variables that
/// are not read by a shell, keep them.
fn unquoted(text: &str) -> &str {
    let within = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).map_or(text, str::trim)
}

/// Why a text is certainly no key, and what to do about it.
fn fault(text: &str) -> Option<(&'static str, &'static str)> {
    const ALONE: &str = "name the key alone, as Composio shows it (`ak_…`, `uak_…` or `ck_…`)";
    if text.is_empty() {
        Some(("it is empty", PROJECT_KEY))
    } else if text.contains(char::is_control) {
        Some(("it holds a control character", ALONE))
    } else if is_placeholder(text) {
        Some(("it is a placeholder that nobody has replaced by a key", PROJECT_KEY))
    } else if text.contains(char::is_whitespace) {
        Some((
            "it holds a blank, and a key stands alone: without `Bearer` or a header's name",
            ALONE,
        ))
    } else if !text.is_ascii() {
        Some(("it holds a letter that no key has", ALONE))
    } else {
        None
    }
}

/// Whether a text stands for a key in an example, or for a variable that a client or a shell should
/// have replaced.
fn is_placeholder(text: &str) -> bool {
    let is_within = |start, end| text.starts_with(start) && text.ends_with(end);
    let starts =
        |start: &str| text.get(..start.len()).is_some_and(|t| t.eq_ignore_ascii_case(start));
    text.ends_with("...")
        || text.ends_with('…')
        || text.starts_with('$')
        || is_within('{', '}')
        || is_within('<', '>')
        || is_within('%', '%')
        || ["your_", "your-", "your "].into_iter().any(starts)
}

impl Ids {
    /// Both ids, or neither. Blanks around them are left out, and one of nothing else is none.
    ///
    /// # Errors
    /// One is there without the other, or cannot be sent.
    pub fn of(org: Option<&str>, project: Option<&str>) -> Result<Option<Self>, Error> {
        let some = |text: Option<&str>| {
            text.map(str::trim).filter(|text| !text.is_empty()).map(String::from)
        };
        let ids = match (some(org), some(project)) {
            (None, None) => return Ok(None),
            (Some(org), Some(project)) => Ids { org, project },
            (org, _) => {
                let missing = if org.is_some() { "project" } else { "organisation" };
                return Err(Error::new(error::Kind::Config, "the user key cannot be used")
                    .because(format!("the {missing} is not named, and both or neither must be"))
                    .hint(
                        "set COMPOSIO_ORG_ID and COMPOSIO_PROJECT_ID, or store them with \
                         `composio-bridge key set --org ID --project ID`",
                    ));
            }
        };
        if [&ids.org, &ids.project].into_iter().any(|id| HeaderValue::from_str(id).is_err()) {
            return Err(Error::new(error::Kind::Config, "the user key cannot be used")
                .because("the id of its organisation or project holds a control character"));
        }
        Ok(Some(ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(key: &str, org: Option<&str>, project: Option<&str>) -> Vec<String> {
        let key = Key::new(key, Kind::Unknown, org, project).expect("a good key");
        assert!(key.headers().iter().all(|(_, value)| value.is_sensitive()));
        let line = |(name, value): (HeaderName, HeaderValue)| {
            format!("{name}: {}", value.to_str().expect("the tests use ASCII"))
        };
        key.headers().into_iter().map(line).collect()
    }

    #[test]
    fn each_kind_has_its_one_header() {
        for (key, expected) in [
            ("ak_1", "x-api-key: ak_1"),
            (" ak_1\r\n", "x-api-key: ak_1"),
            ("\"ak_1\"", "x-api-key: ak_1"),
            ("\u{feff}ak_1\r", "x-api-key: ak_1"),
            ("' ck_1 '\n", "x-consumer-api-key: ck_1"),
            ("a$b%c{d}<e>", "x-api-key: a$b%c{d}<e>"),
            ("uak_1", "x-user-api-key: uak_1"),
            ("ck_1", "x-consumer-api-key: ck_1"),
            ("whatever", "x-api-key: whatever"),
            ("AK_1", "x-api-key: AK_1"),
        ] {
            assert_eq!(headers(key, None, None), [expected], "{key}");
        }
        assert_eq!(
            headers("uak_1", Some(" o "), Some("p")),
            ["x-user-api-key: uak_1", "x-org-id: o", "x-project-id: p"]
        );
        assert_eq!(headers("ak_1", Some("o"), None), ["x-api-key: ak_1"], "no use for ids");
        assert_eq!(headers("uak_1", Some(""), None), ["x-user-api-key: uak_1"]);
    }

    #[test]
    fn the_prefix_says_more_than_the_name_of_a_variable() {
        let kind = |key, assumed| Key::new(key, assumed, None, None).expect("good").kind();
        assert_eq!(kind("x1", Kind::Consumer), Kind::Consumer);
        assert_eq!(kind("ak_1", Kind::Consumer), Kind::Project);
        assert_eq!(kind("x1", Kind::Unknown), Kind::Unknown);
    }

    #[test]
    fn a_key_that_cannot_be_sent_is_not_shown() {
        for (key, org, project, why) in [
            ("", None, None, "empty"),
            (" \n", None, None, "empty"),
            ("\"\"", None, None, "empty"),
            ("SEC\u{1}RET", None, None, "control character"),
            ("ak_SEC\nRET", None, None, "control character"),
            ("ak_SEC RET", None, None, "stands alone"),
            ("Bearer ak_SECRET", None, None, "without `Bearer`"),
            ("x-api-key: ak_SECRET", None, None, "header's name"),
            ("ak_SECRETé", None, None, "no key has"),
            ("ak_SECRET...", None, None, "placeholder"),
            ("ak_SECRET…", None, None, "placeholder"),
            ("${SECRET}", None, None, "placeholder"),
            ("$SECRET", None, None, "placeholder"),
            ("%SECRET%", None, None, "placeholder"),
            ("{env:SECRET}", None, None, "placeholder"),
            ("<SECRET>", None, None, "placeholder"),
            ("YOUR_SECRET_KEY", None, None, "placeholder"),
            ("your-composio-SECRET", None, None, "placeholder"),
            ("uak_SECRET", Some("o"), None, "project is not named"),
            ("uak_SECRET", Some(""), Some("p"), "organisation is not named"),
            ("uak_SECRET", Some("o\n1"), Some("p"), "control character"),
        ] {
            let report = Key::new(key, Kind::Unknown, org, project).expect_err("not good").report();
            assert!(report.contains(why) && !report.contains("SECRET"), "{report}");
            assert!(report.contains("hint: ") || report.contains("control"), "{report}");
        }
    }

    #[test]
    fn a_key_is_refused_where_it_is_good_for_nothing() {
        use Place::{Connect, Platform, StandIn};
        for (kind, fits) in [
            (Kind::Project, [Platform, StandIn].as_slice()),
            (Kind::User, &[Platform, StandIn]),
            (Kind::Unknown, &[Platform, StandIn]),
            (Kind::Consumer, &[Connect, StandIn]),
        ] {
            for place in [Platform, Connect, StandIn] {
                let outcome = kind.check(place);
                assert_eq!(outcome.is_ok(), fits.contains(&place), "{kind:?} {place:?}");
                if let Err(error) = outcome {
                    let wanted = if place == Connect { "(`ck_…`)" } else { "(`ak_…`)" };
                    let report = error.report();
                    assert!(report.contains(wanted) && report.contains("key set"), "{report}");
                }
            }
        }
    }

    #[test]
    fn of_a_key_only_its_end_is_shown_and_never_in_a_debug_text() {
        let key = |text| Key::new(text, Kind::Unknown, None, None).expect("a good key");
        assert_eq!(key("ak_0123456789abcdef").ending(), "cdef");
        assert_eq!(key("ak_01234").ending(), "");
        assert!(!format!("{:?}", key("ak_SECRET")).contains("SECRET"));
    }
}
