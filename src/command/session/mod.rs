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
        session::{
            self,
            remembered::{Remembered, Store},
        },
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
    talk::run(context.operate(chosen.operation))
}

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
        if let Some(named) = self.options.text("session") {
            return session::id(named).map(String::from);
        }
        let owner = self.api.identity().await?;
        let all = self.store.iter().flat_map(Store::all);
        let mine: Vec<Remembered> = all.filter(|session| session.owner == owner).collect();
        match mine.as_slice() {
            [only] => Ok(only.id.clone()),
            [] => Err(Error::new(Kind::Usage, "no session is named")
                .because("none was made here with this key")
                .hint("name one with `--session trs_...`")
                .hint("or make one with `composio-bridge session create --user ID`")),
            several => {
                let error = Error::new(Kind::Usage, "no session is named")
                    .because("several were made here with this key");
                Err(several.iter().fold(error, |error, one| {
                    error.hint(format!(
                        "`--session {}`, of user {}",
                        one.id,
                        talk::clean(&one.user)
                    ))
                }))
            }
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
