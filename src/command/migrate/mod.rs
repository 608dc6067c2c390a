//! `composio-bridge migrate`: from an MCP server to the session that replaces it.

mod files;

use serde_json::{Value, json};

use super::{
    server::LIST,
    talk::{self, clean},
};
use crate::{
    cli::{Cli, table::Options},
    composio::{
        rest::{Api, Call},
        server::{
            self, each,
            migrate::{Plan, plan, unclear},
            swap::Swap,
        },
        session::{
            self, PATH,
            body::{Purpose, build},
            remembered::{Remembered, Store},
        },
    },
    config::environment::Environment,
    error::{Error, Kind},
    json::text,
};
use files::Found;

struct Context {
    api: Api,
    store: Option<Store>,
    options: Options,
    environment: Environment,
}

/// What came of it.
struct Migration {
    server: Value,
    old_url: String,
    plan: Plan,
    /// None was made with `--dry-run`.
    session: Option<Remembered>,
    files: Vec<Found>,
}

/// Makes the session, and with `--apply` changes the configurations.
///
/// # Errors
/// What kept it from being done.
pub fn run(cli: Cli, options: Options) -> Result<(), Error> {
    let environment = Environment::of_process();
    let api = talk::api(cli, &environment)?;
    let store = environment.state_dir().map(|directory| Store::below(&directory));
    let context = Context { api, store, options, environment };
    talk::run(context.migrate())
}

impl Context {
    async fn migrate(&self) -> Result<(), Error> {
        let named = self.options.text("server").unwrap_or_default();
        let id = server::id(named)?;
        let user = self.options.text("user").map(String::from).or_else(|| server::user(named));
        let user = user.ok_or_else(|| {
            Error::new(Kind::Usage, "no user is named")
                .because("a session is for one user, and an MCP server is for many")
                .hint("name the user with `--user ID`: the `user_id` in the server's URL")
        })?;
        let path = ["mcp", id];
        let call = Call::get("could not look up the MCP server", &path);
        let server = self.api.send(&call).await.map_err(|error| match error.http_status() {
            Some(404) => error.hint(LIST),
            _ => error,
        })?;
        let plan = self.plan(&server, &user).await?;
        let session = match self.options.is("dry-run") {
            true => None,
            false => Some(self.session(&plan.body).await?),
        };
        let old_url = old_url(&server, &user);
        let files = self.files(id, &user, session.as_ref());
        let migration = Migration { server, old_url, plan, session, files };
        match self.options.is("json") {
            true => talk::say_json(&migration.document()),
            false => talk::say(&migration.told(self.options.is("apply"))),
        }
        if self.options.is("apply") && migration.files.iter().any(|found| found.fault.is_some()) {
            return Err(Error::new(Kind::Unexpected, "not every configuration could be changed")
                .hint("put the new URL into the others by hand"));
        }
        Ok(())
    }

    /// What the session is to be: the server's configuration, and what the options say over it.
    async fn plan(&self, server: &Value, user: &str) -> Result<Plan, Error> {
        const ATTEMPTED: &str = "could not look up an auth config";
        let (mut configs, mut notes) = (Vec::new(), Vec::new());
        for id in unclear(server) {
            let path = ["auth_configs", &id];
            match self.api.send(&Call::get(ATTEMPTED, &path)).await {
                Ok(config) => {
                    let toolkit = config.get("toolkit").and_then(|toolkit| text(toolkit, "slug"));
                    configs
                        .extend(toolkit.map(|toolkit| (id.clone(), toolkit.to_ascii_lowercase())));
                }
                Err(error) if error.http_status() == Some(404) => {
                    notes.push(format!("the auth config {id} is gone"));
                }
                Err(error) => return Err(error),
            }
        }
        let mut plan = plan(server, user, &configs);
        plan.notes.splice(0..0, notes);
        plan.body = build(&self.options, Some(plan.body), Purpose::Create)?;
        Ok(plan)
    }

    /// The session, which is the same when this is run again.
    async fn session(&self, body: &Value) -> Result<Remembered, Error> {
        let session = session::obtain(&self.api, self.store.as_ref(), body, None).await?;
        let path = [PATH[0], PATH[1], &session.id];
        let Some(store) = &self.store else { return Ok(session) };
        match self.api.send(&Call::get("could not look up the session", &path)).await {
            Err(error) if error.http_status() == Some(404) => {
                store.forget(&session.id)?;
                session::obtain(&self.api, Some(store), body, Some(&session.id)).await
            }
            looked_up => looked_up.map(|_| session),
        }
    }

    /// The configurations that name the server; changed where that is wanted.
    fn files(&self, server: &str, user: &str, session: Option<&Remembered>) -> Vec<Found> {
        let accounts: Vec<String> = each(&self.options, "connected-account")
            .iter()
            .filter_map(|pair| Some(pair.split_once('=')?.1.trim().to_owned()))
            .collect();
        let url = session.map_or("", |session| &session.url);
        let swap = Swap { server, user, accounts: &accounts, url };
        let named: Vec<&str> = self.options.all("file").collect();
        let mut files = files::find(&self.environment, &named, &swap);
        if self.options.is("apply") && session.is_some() {
            files.iter_mut().for_each(Found::apply);
        }
        files
    }
}

/// The URL that the server has for a user.
fn old_url(server: &Value, user: &str) -> String {
    let url = text(server, "mcp_url").unwrap_or_default();
    let query = crate::auth::exchange::form(&[("user_id", user)]);
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}{query}")
}

impl Migration {
    fn document(&self) -> Value {
        let path = |path: &std::path::Path| path.display().to_string();
        let files = self.files.iter().map(|found| {
            json!({
                "client": found.client,
                "path": path(&found.path),
                "urls": found.count,
                "of_others": found.left,
                "by_hand": found.is_by_hand(),
                "backup": found.backup.as_deref().map(path),
                "error": found.fault,
            })
        });
        json!({
            "server_id": self.server["id"],
            "old_url": self.old_url,
            "session_id": self.session.as_ref().map(|session| &session.id),
            "new_url": self.session.as_ref().map(|session| &session.url),
            "configuration": self.plan.body,
            "notes": self.plan.notes,
            "files": files.collect::<Vec<_>>(),
        })
    }

    fn told(&self, is_applied: bool) -> String {
        let name = clean(text(&self.server, "name").unwrap_or_default());
        let mut lines = Vec::new();
        match &self.session {
            Some(session) => {
                let (id, user) = (clean(&session.id), clean(&session.user));
                lines.push(format!("The session {id} of {user} replaces the MCP server {name}."));
                lines.push(format!("  old URL: {}", clean(&self.old_url)));
                lines.push(format!("  new URL: {}", clean(&session.url)));
            }
            None => {
                lines.push(format!("This session would replace the MCP server {name}:"));
                lines.push(format!("{:#}", self.plan.body));
            }
        }
        lines.extend(self.plan.notes.iter().map(|note| format!("  note:    {}", clean(note))));
        lines.push(String::new());
        lines.extend(self.files.iter().map(line));
        let is_found = self.files.iter().any(|found| found.count > 0);
        lines.push(match (is_found, is_applied) {
            (false, _) if self.files.iter().any(Found::is_by_hand) => return lines.join("\n"),
            (false, _) => "No client's configuration that is known names the old URL: wherever it stands, put the new \
                 one in its place.".to_owned(),
            (true, false) => {
                "`--apply` puts the new URL into these, and keeps a backup beside each.".to_owned()
            }
            (true, true) if self.session.is_none() => "Nothing was changed.".to_owned(),
            (true, true) => "Start these clients again for it to take effect.".to_owned(),
        });
        lines.join("\n")
    }
}

/// What is said about a configuration.
fn line(found: &Found) -> String {
    let place = format!("{} ({})", found.path.display(), found.client);
    if let Some(fault) = &found.fault {
        return format!("{place}: {fault}");
    }
    if found.is_by_hand() {
        return format!(
            "{place}: names the server otherwise than in double quotes: put the new URL there by hand"
        );
    }
    let others = match found.left {
        0 => String::new(),
        left => format!("; {left} of other users or accounts left alone"),
    };
    match &found.backup {
        Some(backup) => {
            let count = found.count;
            format!("{place}: {count} changed{others}; backup: {}", backup.display())
        }
        None => format!("{place}: {} to change{others}", found.count),
    }
}
