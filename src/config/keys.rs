//! Which key is used, of those that there are.
//!
//! The strongest source whose key is good for something at the endpoint. A key that was named for
//! this start and is not good for anything there is a mistake; one that is merely around is not, as
//! long as there is another way.

use std::path::PathBuf;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::{
    KeySource,
    credential::{may_have_key, place},
    environment::Environment,
    key,
};
use crate::{
    cli::Settings,
    composio::{
        key::{Ids, Key, Kind, Place},
        key_store::{self, KeyStore},
    },
    error::{self, Error},
    origin::same_origin,
};

/// Our variables with a key, the first before the next, and the kind of a key there whose prefix
/// says nothing.
const VARIABLES: [(&str, Kind); 3] = [
    ("COMPOSIO_API_KEY", Kind::Unknown),
    ("COMPOSIO_USER_API_KEY", Kind::User),
    ("COMPOSIO_CONSUMER_API_KEY", Kind::Consumer),
];

/// Where a key is kept.
enum At {
    File(PathBuf),
    Command(Vec<String>),
    Variable(&'static str, SecretString, Kind),
    Stored(KeyStore),
    ComposioCli(PathBuf),
}

/// How much somebody meant it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Named for this start: to withhold it would be a surprise.
    Named,
    /// In the environment, maybe for other programs too.
    Around,
    /// For everything, until something else is said.
    Standing,
}

struct Candidate {
    at: At,
    manner: Manner,
}

/// The keys that were named, the strongest first; nobody has looked at them yet.
pub struct Keys {
    candidates: Vec<Candidate>,
    org: Option<String>,
    project: Option<String>,
}

/// A key that was looked at, for a person to see.
pub struct Seen {
    /// Where it is kept.
    pub origin: String,
    /// The key; `None` where only running a command would tell.
    pub key: Result<Option<Key>, Error>,
}

/// What is to be done about a key.
#[derive(Debug)]
pub(super) enum Choice {
    /// This one is used.
    Key(KeySource),
    /// There is none, or none for this endpoint.
    None,
    /// There is none but one that does not fit; the error says so.
    Misfit(Error),
}

impl Keys {
    /// The keys that the command line, the environment, the profile and the file name, and those
    /// that are kept on this machine. An option beats a variable, that beats the profile, the
    /// file, what `key set` stored, and Composio's own command line.
    pub(super) fn of(sources: [&Settings; 4], env: &Environment) -> Self {
        let [flags, variables, profile, file] = sources;
        let mut candidates = Vec::new();
        candidates.extend(named_by(flags, Manner::Named));
        candidates.extend(named_by(variables, Manner::Around));
        candidates.extend(VARIABLES.into_iter().filter_map(|(name, kind)| {
            let at = At::Variable(name, env.get(name)?.into(), kind);
            Some(Candidate { at, manner: Manner::Around })
        }));
        candidates.extend(named_by(profile, Manner::Named));
        candidates.extend(named_by(file, Manner::Standing));
        candidates.extend(env.state_dir().map(|directory| Candidate {
            at: At::Stored(KeyStore::below(&directory)),
            manner: Manner::Standing,
        }));
        let of_cli = sources.iter().find_map(|source| source.sign_in.text("use-composio-cli-key"));
        candidates.extend((of_cli == Some("true")).then(|| Candidate {
            at: At::ComposioCli(key_store::composio_cli(env)),
            manner: Manner::Named,
        }));
        let id = |option: &str, variable: &str| {
            let of = |source: &Settings| source.sign_in.text(option).map(String::from);
            let own = of(flags).or_else(|| of(variables));
            own.or_else(|| env.get(variable).map(String::from))
                .or_else(|| of(profile))
                .or_else(|| of(file))
        };
        let (org, project) =
            (id("org-id", "COMPOSIO_ORG_ID"), id("project-id", "COMPOSIO_PROJECT_ID"));
        Keys { candidates, org, project }
    }

    /// Chooses the key for an endpoint; `base` is what `COMPOSIO_BASE_URL` says. Reads files, runs
    /// nothing.
    ///
    /// # Errors
    /// A key cannot be read or sent, or was named for this start and does not fit.
    pub(super) fn choose(
        &self,
        endpoint: &Url,
        base: Option<&Url>,
        warnings: &mut Vec<String>,
    ) -> Result<Choice, Error> {
        let mut misfit = None;
        if !may_have_key(endpoint, base) {
            // In the environment or for all of the file it may well be there for others.
            let strongest = self.candidates.first();
            let is_named = strongest.is_some_and(|first| first.manner == Manner::Named);
            warnings.extend(is_named.then(|| withheld(endpoint)));
            return Ok(Choice::None);
        }
        let place = place(endpoint);
        // What listens on this machine may well want none.
        let is_needed =
            place != Place::StandIn || base.is_some_and(|base| same_origin(base, endpoint));
        for candidate in &self.candidates {
            if !candidate.at.may_be_given(endpoint, base, place) {
                continue;
            }
            if let At::Command(words) = &candidate.at {
                let (org, project) = (self.org.clone(), self.project.clone());
                let words = words.clone();
                return Ok(Choice::Key(KeySource::Command { words, org, project, place }));
            }
            let key = match self.look(&candidate.at, warnings) {
                Ok(Some(key)) => key,
                Ok(None) => continue,
                Err(error) if candidate.manner == Manner::Around && !is_needed => {
                    warnings.push(error.to_string());
                    continue;
                }
                Err(error) => return Err(error),
            };
            match (key.kind().check(place), candidate.manner) {
                (Ok(()), _) => return Ok(Choice::Key(KeySource::Value(key))),
                (Err(error), Manner::Named) => return Err(error.because(candidate.at.taken())),
                (Err(error), Manner::Around) => {
                    misfit.get_or_insert(error.because(candidate.at.taken()));
                }
                (Err(_), Manner::Standing) => {}
            }
        }
        Ok(misfit.map_or(Choice::None, Choice::Misfit))
    }

    /// All keys there are, the strongest first. Commands are not run.
    pub fn see(&self) -> Vec<Seen> {
        let mut all = Vec::new();
        for candidate in &self.candidates {
            let key = self.look(&candidate.at, &mut Vec::new());
            let is_command = matches!(candidate.at, At::Command(_));
            if is_command || !matches!(key, Ok(None)) {
                all.push(Seen { origin: candidate.at.named(), key });
            }
        }
        all
    }

    /// The key that is kept there; `None` where a command would have to be run, and where nothing
    /// was ever stored.
    fn look(&self, at: &At, warnings: &mut Vec<String>) -> Result<Option<Key>, Error> {
        let key = |text: &str, kind, ids: Option<Ids>| {
            let (org, project) = match &ids {
                Some(ids) => (Some(ids.org.as_str()), Some(ids.project.as_str())),
                None => (self.org.as_deref(), self.project.as_deref()),
            };
            let key = Key::new(text, kind, org, project);
            key.map(Some).map_err(|error| error.because(at.taken()))
        };
        match at {
            At::Command(_) => Ok(None),
            At::File(path) => {
                let (text, warning) = key::from_file(path)?;
                warnings.extend(warning);
                key(text.expose_secret(), Kind::Unknown, None)
            }
            At::Variable(name, text, kind) => {
                let text = key::usable(text.expose_secret()).map_err(|why| {
                    Error::new(error::Kind::Config, format!("{name} cannot be sent"))
                        .because(why)
                        .hint("set it to the key alone, or unset it: `composio-bridge key set`")
                })?;
                key(text.expose_secret(), *kind, None)
            }
            At::Stored(store) => match store.read()? {
                None => Ok(None),
                Some((text, ids)) => key(text.expose_secret(), Kind::Unknown, ids),
            },
            At::ComposioCli(directory) => {
                let text = key_store::key_of_composio_cli(directory)?;
                key(text.expose_secret(), Kind::Unknown, None)
            }
        }
    }
}

/// The key that one source names; its file before its command.
fn named_by(settings: &Settings, manner: Manner) -> Option<Candidate> {
    let file = settings.api_key_file.clone().map(At::File);
    let command = || Some(At::Command(settings.api_key_command.clone()?.0));
    Some(Candidate { at: file.or_else(command)?, manner })
}

impl At {
    /// Whether a key from there may go to the endpoint, which may have a key. What is stored was
    /// not meant for every server that listens on this machine.
    fn may_be_given(&self, endpoint: &Url, base: Option<&Url>, place: Place) -> bool {
        match self {
            At::Stored(_) | At::ComposioCli(_) => {
                place != Place::StandIn || base.is_some_and(|base| same_origin(base, endpoint))
            }
            _ => true,
        }
    }

    fn named(&self) -> String {
        match self {
            At::File(path) => format!("the file {}", path.display()),
            At::Command(words) => {
                let program = words.first().map_or("", String::as_str);
                format!("the command {program}")
            }
            At::Variable(name, ..) => (*name).to_owned(),
            At::Stored(_) => "`composio-bridge key set`".to_owned(),
            At::ComposioCli(directory) => {
                format!("Composio's command line, {}", directory.display())
            }
        }
    }

    fn taken(&self) -> String {
        format!("it was taken from {}", self.named())
    }
}

fn withheld(endpoint: &Url) -> String {
    format!(
        "the API key is not sent to {}, which is not one of Composio's hosts; name it for this \
         server with --header 'x-api-key: ${{VARIABLE}}'",
        endpoint.host_str().unwrap_or_default()
    )
}
