//! `composio-bridge session`: Composio sessions, an operation of the API each.

mod authorize;
mod call;
mod lists;
mod manage;

use serde_json::{Map, Value};

use super::talk;
use crate::{
    cli::{
        Cli,
        table::{Chosen, Options},
    },
    composio::{
        rest::Api,
        session::remembered::{Remembered, Store},
        url::named_session,
    },
    config::environment::Environment,
    error::{Error, Kind},
};

/// What every operation needs.
struct Context {
    api: Api,
    store: Option<Store>,
    options: Options,
    environment: Environment,
}

/// Does what the command line asks for.
///
/// # Errors
/// What kept it from being done.
pub fn run(cli: Cli, chosen: Chosen) -> Result<(), Error> {
    let environment = Environment::of_process();
    let api = talk::api(cli, &environment)?;
    let store = environment.state_dir().map(|directory| Store::below(&directory));
    let context = Context { api, store, options: chosen.options, environment };
    talk::run(async {
        match context.operate(chosen.operation).await {
            Err(error) => Err(context.helped(error, chosen.operation).await),
            done => done,
        }
    })
}

/// How many sessions are named in an error.
const FEW: usize = 5;

impl Context {
    async fn operate(&self, operation: &str) -> Result<(), Error> {
        match operation {
            "create" => self.create().await,
            "show" => self.show().await,
            "update" => self.update().await,
            "attach" => self.attach().await,
            "delete" => self.delete().await,
            "list" => self.list().await,
            "tools" => self.tools().await,
            "toolkits" => self.toolkits().await,
            "history" => self.history().await,
            "mounts" => self.mounts().await,
            "configs" => self.configs().await,
            "authorize" => self.authorize().await,
            "search" => self.search().await,
            "execute" | "execute-meta" => self.execute(operation).await,
            _ => self.proxy_execute().await,
        }
    }

    /// Prints the answer: as it is with `--json`, or else as the text.
    fn print(&self, answer: &Value, text: impl FnOnce() -> String) {
        if self.options.is("json") { talk::say_json(answer) } else { talk::say(&text()) }
    }

    /// The session that is meant: the one that was named, or the only one that was made here with
    /// this key.
    async fn session(&self) -> Result<String, Error> {
        match (self.options.text("session"), self.options.text("named")) {
            (Some(_), Some(_)) => {
                return Err(Error::new(Kind::Usage, "the session is named twice")
                    .hint("leave out `--session`"));
            }
            (Some(named), None) | (None, Some(named)) => {
                return named_session(named).map(String::from);
            }
            (None, None) => {}
        }
        let unnamed = || Error::new(Kind::Usage, "no session is named");
        let mine = self.remembered().await?;
        match mine.as_slice() {
            [only] => Ok(only.id.clone()),
            [] => Err(unnamed()
                .because("none was made here with this key")
                .hint("name one with `--session trs_...`")
                .hint("or make one with `composio-bridge session create --user ID`")),
            several => {
                Err(with_choice(unnamed().because("several were made here with this key"), several))
            }
        }
    }

    /// The sessions that were made here with this key, the oldest first.
    async fn remembered(&self) -> Result<Vec<Remembered>, Error> {
        let owner = self.api.identity().await?;
        let all = self.store.iter().flat_map(Store::all);
        Ok(all.filter(|session| session.owner == owner).collect())
    }

    /// An error of an operation, with what may be meant instead.
    async fn helped(&self, error: Error, operation: &str) -> Error {
        let is_named = ["session", "named"].iter().any(|name| self.options.text(name).is_some());
        match (error.http_status(), operation) {
            (Some(400 | 404), "authorize") => error.hint(
                "`composio-bridge session toolkits --search WORDS` finds the toolkits' names",
            ),
            (Some(404), "execute") => error.hint(
                "tools are named in capitals, such as GMAIL_SEND_EMAIL: `composio-bridge session \
                 search \"WHAT TO DO\"` finds them",
            ),
            (Some(404), "configs") => {
                error.hint("`composio-bridge session configs` lists the saved configurations")
            }
            (Some(404), "mounts") => error,
            (Some(404), _) if is_named => match self.remembered().await {
                Ok(mine) => with_choice(error, &mine),
                Err(_) => error,
            },
            _ => error,
        }
    }

    /// The members of a request: those options that were given, by their names in the API.
    fn members(&self, names: &[(&'static str, &'static str)]) -> Map<String, Value> {
        let given = names.iter().filter_map(|(option, member)| {
            Some(((*member).to_owned(), Value::from(self.options.text(option)?)))
        });
        given.collect()
    }

    /// Adds the JSON that an option names.
    fn add_json(
        &self,
        body: &mut Map<String, Value>,
        option: &str,
        member: &str,
    ) -> Result<(), Error> {
        if let Some(named) = self.options.text(option) {
            let value = talk::json(&format!("--{option}"), named, &self.environment)?;
            body.insert(member.to_owned(), value);
        }
        Ok(())
    }
}

/// An error that names the newest of these sessions, to choose from.
fn with_choice(error: Error, sessions: &[Remembered]) -> Error {
    let newest = sessions.iter().rev().take(FEW);
    let error = newest.fold(error, |error, one| {
        let (id, user) = (talk::clean(&one.id), talk::clean(&one.user));
        error.hint(format!("`--session {id}`, of user {user}"))
    });
    match sessions.len().saturating_sub(FEW) {
        0 => error,
        more => error.hint(format!("or one of {more} older ones: `composio-bridge session list`")),
    }
}
