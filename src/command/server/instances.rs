//! The instances of an MCP server, one a user.

use serde_json::{Value, json};

use super::{
    super::talk::{self, clean},
    Context, cell,
};
use crate::{
    composio::{rest::Call, server},
    error::{Error, Kind},
};

impl Context {
    /// What the words say: `[list|create|delete] SERVER [USER]`.
    pub(super) async fn instances(&self) -> Result<(), Error> {
        let word = |name| self.options.text(name);
        let first = word("action").unwrap_or_default();
        let is_action = matches!(first, "list" | "create" | "delete");
        let (action, named, user) = match is_action {
            true => (first, word("server"), word("user")),
            false => ("list", Some(first), word("server")),
        };
        let named = named.ok_or_else(|| Error::new(Kind::Usage, "no server is named"))?;
        let id = server::id(named)?;
        match (action, user) {
            ("list", None) => self.list_instances(id).await,
            ("create", Some(user)) => self.create_instance(id, user).await,
            ("delete", Some(user)) => self.delete_instance(id, user).await,
            ("list", Some(_)) => Err(Error::new(Kind::Usage, "the list takes no user")
                .hint("`--search TEXT` finds users by their ids")),
            _ => Err(Error::new(Kind::Usage, "no user is named")
                .hint(format!("`composio-bridge server instances {action} SERVER USER`"))),
        }
    }

    async fn list_instances(&self, id: &str) -> Result<(), Error> {
        let path = ["mcp", "servers", id, "instances"];
        let mut call = Call::get("could not list the users", &path);
        let search = self.options.text("search");
        call.query.extend(search.map(|search| ("search", search.to_owned())));
        self.listed(call, "instances", |item| {
            vec![cell(item, "instance_id"), cell(item, "created_at")]
        })
        .await
    }

    async fn create_instance(&self, id: &str, user: &str) -> Result<(), Error> {
        let path = ["mcp", "servers", id, "instances"];
        let call = Call::create("could not add the user", &path, json!({ "user_id": user }));
        let answer = self.api.send(&call).await.map_err(|error| match error.http_status() {
            Some(403) => error.hint(
                "the user needs a connected account for each auth config of the server; a session \
                 does not: `composio-bridge migrate`",
            ),
            Some(409) => error.hint("the user is there already, and nothing has to be done"),
            _ => error,
        })?;
        self.print(&answer, || format!("Added {}.", clean(user)));
        Ok(())
    }

    async fn delete_instance(&self, id: &str, user: &str) -> Result<(), Error> {
        let question = format!(
            "Delete the user {} of the MCP server {id}? Composio deletes the user's connected \
             accounts with it, which cannot be undone.",
            clean(user)
        );
        talk::confirm(&question, self.options.is("yes")).map_err(|error| {
            error.hint("with the user, Composio deletes the user's connected accounts")
        })?;
        let path = ["mcp", "servers", id, "instances", user];
        let call = Call::delete("could not delete the user", &path);
        let answer = self.api.send(&call).await.map_err(|error| match error.http_status() {
            Some(404) => {
                error.hint(format!("`composio-bridge server instances {id}` lists the users"))
            }
            _ => error,
        })?;
        self.print(&answer, || {
            let accounts = match answer.get("deleted_connected_accounts") {
                Some(Value::Array(list)) => Some(list.len() as u64),
                count => count.and_then(Value::as_u64),
            };
            let accounts = match accounts {
                None => "the connected accounts".to_owned(),
                Some(1) => "1 connected account".to_owned(),
                Some(count) => format!("{count} connected accounts"),
            };
            format!("Deleted {}, with {accounts}.", clean(user))
        });
        Ok(())
    }
}
