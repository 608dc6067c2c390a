//! Making, listing, showing, changing and deleting MCP servers, and their URLs.

use serde_json::{Value, json};

use super::{
    super::talk::{self, clean},
    Context, cell,
};
use crate::{
    composio::{
        rest::Call,
        server::{self, each, with_helpers, with_singular},
    },
    error::{Error, Kind},
    json::{text, texts},
};

impl Context {
    pub(super) async fn create(&self) -> Result<(), Error> {
        const ATTEMPTED: &str = "could not create the MCP server";
        let mut body = server::body(&self.options)?;
        let names = |member: &str| body.get(member).is_some();
        if names("toolkits") && names("no_auth_apps") {
            return Err(Error::new(Kind::Usage, ATTEMPTED)
                .because("`--toolkit` and `--no-auth-app` exclude each other")
                .hint("name apps without accounts with `--toolkit` too"));
        }
        if !["toolkits", "no_auth_apps", "auth_config_ids"].into_iter().any(names) {
            return Err(Error::new(Kind::Usage, ATTEMPTED)
                .because("nothing says what it is to serve")
                .hint("name an auth config with `--auth-config ac_...`, or a toolkit with `--toolkit`"));
        }
        let path: &[&str] = match names("toolkits") {
            true => &["mcp", "servers", "custom"],
            false => {
                body.entry("auth_config_ids").or_insert_with(|| json!([]));
                &["mcp", "servers"]
            }
        };
        let answer = self.api.send(&Call::create(ATTEMPTED, path, Value::Object(body))).await?;
        self.print(&answer, || {
            let id = clean(text(&answer, "id").unwrap_or_default());
            format!(
                "{}\n\nIts URLs: `composio-bridge server generate {id} --user ID`\n{}",
                described(&answer),
                deprecated(&id)
            )
        });
        Ok(())
    }

    pub(super) async fn list(&self) -> Result<(), Error> {
        let app = self.options.text("app");
        let path = app.map_or(vec!["mcp", "servers"], |app| vec!["mcp", "app", app]);
        let mut call = Call::get("could not list the MCP servers", &path);
        for (option, parameter) in
            [("name", "name"), ("toolkit", "toolkits"), ("auth-config", "auth_config_ids")]
        {
            let values = each(&self.options, option);
            if !values.is_empty() {
                call.query.push((parameter, values.join(",")));
            }
        }
        self.listed(call, "items", |item| {
            let toolkits: Vec<String> = texts(item, "toolkits").map(clean).collect();
            let users = cell(item, "server_instance_count");
            vec![
                cell(item, "id"),
                cell(item, "name"),
                toolkits.join(", "),
                format!("{users} users"),
            ]
        })
        .await
    }

    pub(super) async fn show(&self) -> Result<(), Error> {
        let id = self.server()?;
        let path = ["mcp", &id];
        let call = Call::get("could not look up the MCP server", &path);
        let answer = self.api.send(&call).await?;
        self.print(&answer, || format!("{}\n{}", described(&answer), deprecated(&id)));
        Ok(())
    }

    pub(super) async fn update(&self) -> Result<(), Error> {
        const ATTEMPTED: &str = "could not change the MCP server";
        let id = self.server()?;
        let body = server::body(&self.options)?;
        if body.is_empty() {
            return Err(Error::new(Kind::Usage, ATTEMPTED)
                .because("nothing says what is to change")
                .hint("`composio-bridge server update --help` lists what can"));
        }
        let path = ["mcp", &id];
        let answer = self.api.send(&Call::patch(ATTEMPTED, &path, Value::Object(body))).await?;
        self.print(&answer, || format!("Changed:\n{}", described(&answer)));
        Ok(())
    }

    pub(super) async fn delete(&self) -> Result<(), Error> {
        let id = self.server()?;
        let question = format!("Delete the MCP server {id}? Clients that use it lose it.");
        talk::confirm(&question, self.options.is("yes"))?;
        let path = ["mcp", &id];
        let call = Call::delete("could not delete the MCP server", &path);
        let answer = self.api.send(&call).await?;
        self.print(&answer, || format!("Deleted {id}."));
        Ok(())
    }

    pub(super) async fn generate(&self) -> Result<(), Error> {
        const ATTEMPTED: &str = "could not generate the URLs";
        let id = self.server()?;
        let users = each(&self.options, "user");
        let accounts = each(&self.options, "connected-account");
        if users.is_empty() && accounts.is_empty() {
            return Err(Error::new(Kind::Usage, ATTEMPTED)
                .because("a URL is for a user or for an account, and none is named")
                .hint("name one with `--user ID` or `--connected-account ca_...`"));
        }
        let helpers = self.options.is("helper-actions");
        let mut body = json!({ "mcp_server_id": id });
        for (member, values) in [("user_ids", &users), ("connected_account_ids", &accounts)] {
            if !values.is_empty() {
                body[member] = Value::from(values.clone());
            }
        }
        if helpers {
            body["managed_auth_by_composio"] = true.into();
        }
        let path = ["mcp", "servers", "generate"];
        let mut answer = self.api.send(&Call::create(ATTEMPTED, &path, body)).await?;
        for list in ["user_ids_url", "connected_account_urls"] {
            let urls = texts(&answer, list).map(with_singular);
            let urls: Vec<String> =
                urls.map(|url| if helpers { with_helpers(url) } else { url }).collect();
            answer[list] = Value::from(urls);
        }
        self.print(&answer, || {
            let named = |names: Vec<String>, list| {
                let urls: Vec<String> = texts(&answer, list).map(clean).collect();
                names.into_iter().zip(urls).map(|(name, url)| vec![name, url]).collect::<Vec<_>>()
            };
            let mut rows = named(users, "user_ids_url");
            rows.extend(named(accounts, "connected_account_urls"));
            format!("{}\n\n{}", talk::columns(&rows), deprecated(&id))
        });
        Ok(())
    }
}

/// What an answer says about a server.
fn described(answer: &Value) -> String {
    let id = clean(text(answer, "id").unwrap_or_default());
    let mut lines = vec![format!("MCP server {id}")];
    for (label, member) in [("name:     ", "name"), ("URL:      ", "mcp_url")] {
        lines.extend(text(answer, member).map(|text| format!("  {label}{}", clean(text))));
    }
    for (label, member) in [
        ("toolkits: ", "toolkits"),
        ("tools:    ", "allowed_tools"),
        ("auth:     ", "auth_config_ids"),
    ] {
        let values: Vec<String> = texts(answer, member).map(clean).collect();
        if !values.is_empty() {
            lines.push(format!("  {label}{}", values.join(", ")));
        }
    }
    if answer.get("managed_auth_via_composio") == Some(&Value::Bool(true)) {
        lines.push("  connections are managed by Composio".to_owned());
    }
    lines.join("\n")
}

/// What comes after these servers.
fn deprecated(id: &str) -> String {
    format!(
        "Composio calls MCP servers deprecated. `composio-bridge migrate {id} --user ID` makes the \
         session that replaces this one."
    )
}
