//! Making, showing, changing, deleting and listing sessions.

use serde_json::{Map, Value, json};

use super::{
    super::talk::{self, clean},
    Context,
};
use crate::{
    command::auth::date,
    composio::{
        rest::Call,
        session::{
            self, PATH,
            body::{Purpose, build},
            remembered::Remembered,
        },
    },
    error::Error,
    json::{text, texts},
};

/// Marks a session whose configuration is no longer the one that it was made for.
const CHANGED: &str = "changed";

impl Context {
    /// What the options say about a session's configuration.
    fn body(&self, purpose: Purpose) -> Result<Value, Error> {
        const OPTION: &str = "--session-config";
        let document = self.options.text("session-config");
        let document = document.map(|path| talk::json_file(OPTION, path, &self.environment));
        build(&self.options, document.transpose()?, purpose)
    }

    pub(super) async fn create(&self) -> Result<(), Error> {
        let body = self.body(Purpose::Create)?;
        let (session, answer) = session::create(&self.api, self.store.as_ref(), &body).await?;
        self.print(&answer, || {
            let entry = self.entry(&session.url);
            format!(
                "{}\n\nIn a client's configuration, with your key in the place of ak_...; without \
                 COMPOSIO_API_KEY where `composio-bridge key set` has stored it:\n\n{entry}",
                described(&answer)
            )
        });
        Ok(())
    }

    /// The entry for a client's configuration file, in the shape that most clients share.
    fn entry(&self, url: &str) -> String {
        let executable = std::env::current_exe().ok();
        let executable = executable.map(|path| path.display().to_string());
        let command = executable.unwrap_or_else(|| "composio-bridge".to_owned());
        let mut environment = json!({ "COMPOSIO_API_KEY": "ak_..." });
        if let Some(base) = self.environment.get("COMPOSIO_BASE_URL") {
            environment["COMPOSIO_BASE_URL"] = Value::from(base);
        }
        let entry = json!({ "command": command, "args": [url], "env": environment });
        format!("{:#}", json!({ "mcpServers": { "composio": entry } }))
    }

    pub(super) async fn show(&self) -> Result<(), Error> {
        let id = self.session().await?;
        let path = [PATH[0], PATH[1], &id];
        let answer = self.api.send(&Call::get("could not look up the session", &path)).await?;
        self.print(&answer, || {
            let config = answer.get("config").unwrap_or(&Value::Null);
            format!("{}\n\n{config:#}", described(&answer))
        });
        Ok(())
    }

    pub(super) async fn update(&self) -> Result<(), Error> {
        let body = self.body(Purpose::Update)?;
        let id = self.session().await?;
        let path = [PATH[0], PATH[1], &id];
        let call = Call::patch("could not change the session", &path, body);
        let answer = self.api.send(&call).await?;
        self.remember_change(&id);
        self.print(&answer, || format!("Changed:\n{}", described(&answer)));
        Ok(())
    }

    /// Whoever asks for what the session was made for must not be given what it has become.
    fn remember_change(&self, id: &str) {
        let Some(store) = &self.store else { return };
        let Some(session) = store.all().into_iter().find(|one| one.id == id) else { return };
        if let Err(error) = store.keep(&Remembered { wish: CHANGED.to_owned(), ..session }) {
            tracing::warn!("{error}");
        }
    }

    pub(super) async fn attach(&self) -> Result<(), Error> {
        let mut body = Map::new();
        self.add_json(&mut body, "experimental", "experimental")?;
        let id = self.session().await?;
        let path = [PATH[0], PATH[1], &id, "attach"];
        let call = Call::create("could not attach the tools", &path, Value::Object(body));
        let answer = self.api.send(&call).await?;
        self.print(&answer, || format!("Attached:\n{}", described(&answer)));
        Ok(())
    }

    pub(super) async fn delete(&self) -> Result<(), Error> {
        let id = self.session().await?;
        let question = format!("Delete the session {id}? Clients that use it lose it.");
        talk::confirm(&question, self.options.is("yes"))?;
        let path = [PATH[0], PATH[1], &id];
        let outcome = self.api.send(&Call::delete("could not delete the session", &path)).await;
        if outcome.as_ref().is_err_and(|error| error.http_status() != Some(404)) {
            outcome?;
            return Ok(());
        }
        // Gone is gone, whoever did it.
        if let Some(store) = &self.store {
            store.forget(&id)?;
        }
        let answer = outcome?;
        self.print(&answer, || format!("Deleted {id}."));
        Ok(())
    }

    pub(super) async fn list(&self) -> Result<(), Error> {
        let owner = self.api.identity().await?;
        let all = self.store.iter().flat_map(|store| store.all());
        let (mine, others): (Vec<_>, Vec<_>) = all.partition(|session| session.owner == owner);
        let mut rows = Vec::new();
        for session in mine {
            let state = self.state(&session).await?;
            rows.push((session, state));
        }
        let documents = rows.iter().map(|(session, state)| {
            json!({
                "session_id": session.id,
                "user_id": session.user,
                "url": session.url,
                "created_at": date(session.made_at),
                "state": state,
            })
        });
        let document = Value::from(documents.collect::<Vec<_>>());
        self.print(&document, || {
            let others = match others.len() {
                0 => String::new(),
                1 => "\n1 more was made with another key.".to_owned(),
                count => format!("\n{count} more were made with other keys."),
            };
            format!("{}{others}", listed(&rows))
        });
        Ok(())
    }

    /// Whether a session is still there. One that is gone is forgotten.
    async fn state(&self, session: &Remembered) -> Result<&'static str, Error> {
        if self.options.is("offline") {
            return Ok("not checked");
        }
        let path = [PATH[0], PATH[1], &session.id];
        match self.api.send(&Call::get("could not look up the sessions", &path)).await {
            Ok(_) => Ok("there"),
            Err(error) if error.http_status() == Some(404) => {
                self.store.as_ref().map(|store| store.forget(&session.id)).transpose()?;
                Ok("gone, and forgotten")
            }
            Err(error) => Err(error.hint("`--offline` lists them without asking Composio")),
        }
    }
}

fn listed(rows: &[(Remembered, &str)]) -> String {
    if rows.is_empty() {
        return "No session of this key is remembered here. `composio-bridge session create --user ID` \
                makes one."
            .to_owned();
    }
    let row = |(session, state): &(Remembered, &str)| {
        let (id, user) = (clean(&session.id), clean(&session.user));
        vec![id, user, date(session.made_at), (*state).to_owned(), clean(&session.url)]
    };
    talk::columns(&rows.iter().map(row).collect::<Vec<_>>())
}

/// What an answer says about a session.
fn described(answer: &Value) -> String {
    let config = answer.get("config").unwrap_or(&Value::Null);
    let url = answer.get("mcp").and_then(|mcp| text(mcp, "url")).unwrap_or_default();
    let id = clean(text(answer, "session_id").unwrap_or_default());
    let mut lines = vec![format!("Session {id}")];
    lines.extend(text(config, "user_id").map(|user| format!("  user:  {}", clean(user))));
    lines.push(format!("  URL:   {}", clean(url)));
    let tools: Vec<String> = texts(answer, "tool_router_tools").map(clean).collect();
    if !tools.is_empty() {
        lines.push(format!("  tools: {}", tools.join(", ")));
    }
    let warnings = answer.get("warnings").and_then(Value::as_array).into_iter().flatten();
    let warnings = warnings.filter_map(|warning| text(warning, "message"));
    lines.extend(warnings.map(|warning| format!("  note:  {}", clean(warning))));
    lines.join("\n")
}
