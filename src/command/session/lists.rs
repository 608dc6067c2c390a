//! What a session has, in lists.

use serde_json::{Map, Value};

use super::{
    super::talk::{self, clean, columns, short},
    Context,
};
use crate::{
    composio::{
        rest::{
            Call,
            page::{Paging, Part, gather},
        },
        session::PATH,
    },
    error::Error,
    json::text,
};

/// How much of a description is shown, in letters.
const DESCRIPTION: usize = 90;

impl Context {
    /// The part of a list that the options name. The API has no larger pages than `largest`.
    fn part(&self, largest: u64) -> Result<Part, Error> {
        let limit = self.options.text("limit").and_then(|text| text.parse().ok());
        if limit.is_some_and(|limit| limit > largest) {
            return Err(talk::unusable("--limit").because(format!("it must be 1 to {largest}")));
        }
        let all = self.options.is("all");
        Ok(Part {
            limit: limit.or(all.then_some(largest)),
            from: self.options.text("cursor").map(String::from),
            all,
        })
    }

    /// Prints a list of the API.
    async fn listed(
        &self,
        call: Call<'_>,
        largest: u64,
        row: fn(&Value) -> Vec<String>,
    ) -> Result<(), Error> {
        let part = self.part(largest)?;
        let answer = gather(&self.api, call, Paging::Cursor, &part, "items").await?;
        self.print(&answer, || {
            let items = answer.get("items").and_then(Value::as_array);
            let rows: Vec<_> = items.into_iter().flatten().map(row).collect();
            let mut lines = if rows.is_empty() { "None.".to_owned() } else { columns(&rows) };
            if let Some(next) = Paging::Cursor.next(&answer) {
                let total = answer.get("total_items").and_then(Value::as_f64);
                let total = total.map(|total| format!(" of {total}")).unwrap_or_default();
                lines = format!(
                    "{lines}\n\n{}{total}. The next: `--cursor {}`; all of them: `--all`",
                    rows.len(),
                    clean(&next)
                );
            }
            lines
        });
        Ok(())
    }

    /// The query parameters for those options that were given.
    fn query(&self, names: &[(&'static str, &'static str)]) -> Vec<(&'static str, String)> {
        let given = names.iter().filter_map(|(option, parameter)| {
            let values: Vec<&str> = self.options.all(option).collect();
            (!values.is_empty()).then(|| (*parameter, values.join(",")))
        });
        given.collect()
    }

    pub(super) async fn tools(&self) -> Result<(), Error> {
        let id = self.session().await?;
        let path = [PATH[0], PATH[1], &id, "tools"];
        self.listed(Call::get("could not list the tools", &path), 500, tool).await
    }

    pub(super) async fn toolkits(&self) -> Result<(), Error> {
        let names = [("toolkit", "toolkits"), ("connected", "is_connected"), ("search", "search")];
        let id = self.session().await?;
        let path = [PATH[0], PATH[1], &id, "toolkits"];
        let call = Call::get("could not list the toolkits", &path);
        self.listed(Call { query: self.query(&names), ..call }, 50, toolkit).await
    }

    pub(super) async fn history(&self) -> Result<(), Error> {
        let id = self.session().await?;
        let path = [PATH[0], PATH[1], &id, "config_history"];
        self.listed(Call::get("could not list the configurations", &path), 100, version).await
    }

    pub(super) async fn configs(&self) -> Result<(), Error> {
        if let Some(id) = self.options.text("config-id") {
            let path = ["session_configs", id];
            let call = Call::get("could not look up the saved configuration", &path);
            talk::say_json(&self.api.send(&call).await?);
            return Ok(());
        }
        let call = Call::get("could not list the saved configurations", &["session_configs"]);
        let names = [("search", "search"), ("archived", "archived")];
        self.listed(Call { query: self.query(&names), ..call }, 500, saved).await
    }

    pub(super) async fn mounts(&self) -> Result<(), Error> {
        let operations = [
            ("delete", "delete", "could not delete the file"),
            ("download-url", "download_url", "could not get a URL to read the file from"),
            ("upload-url", "upload_url", "could not get a URL to put the file to"),
        ];
        let mount = self.options.text("mount").unwrap_or_default();
        let named = operations.iter().find_map(|(option, segment, attempted)| {
            Some((self.options.text(option)?, *segment, *attempted))
        });
        let id = self.session().await?;
        let Some((file, segment, attempted)) = named else {
            let path = [PATH[0], PATH[1], &id, "mounts", mount, "items"];
            let call = Call::get("could not list the files", &path);
            let query = self.query(&[("prefix", "mount_relative_prefix")]);
            return self.listed(Call { query, ..call }, 500, self::file).await;
        };
        if segment == "delete" {
            talk::confirm("Delete the file?", self.options.is("yes"))?;
        }
        let mut body = self.members(&[("mimetype", "mimetype")]);
        if segment != "upload_url" {
            body = Map::new();
        }
        body.insert("mount_relative_path".to_owned(), Value::from(file));
        let path = [PATH[0], PATH[1], &id, "mounts", mount, segment];
        let answer = self.api.send(&Call::create(attempted, &path, Value::Object(body))).await?;
        self.print(&answer, || {
            let url = text(&answer, "download_url").or(text(&answer, "upload_url"));
            url.map_or_else(|| "Deleted.".to_owned(), clean)
        });
        Ok(())
    }
}

fn cell(item: &Value, name: &str) -> String {
    match item.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => short(text, DESCRIPTION),
        Some(other) => other.to_string(),
    }
}

fn tool(item: &Value) -> Vec<String> {
    let is_deprecated = item.get("is_deprecated") == Some(&Value::Bool(true));
    let description = text(item, "description").or(text(item, "human_description"));
    let description = short(description.unwrap_or_default(), DESCRIPTION);
    let note = if is_deprecated { "deprecated: " } else { "" };
    vec![cell(item, "slug"), format!("{note}{description}")]
}

fn toolkit(item: &Value) -> Vec<String> {
    let account = item.get("connected_account").filter(|account| account.is_object());
    let is = |name: &str| item.get(name) == Some(&Value::Bool(true));
    let state = match account {
        Some(account) => format!("{} {}", cell(account, "status"), cell(account, "id")),
        None if is("is_no_auth") => "needs no account".to_owned(),
        None => "not connected".to_owned(),
    };
    let disabled = item.get("enabled") == Some(&Value::Bool(false));
    let state = if disabled { format!("{state}, not enabled") } else { state };
    vec![cell(item, "slug"), state, cell(item, "name")]
}

fn version(item: &Value) -> Vec<String> {
    let is_current = item.get("is_current") == Some(&Value::Bool(true));
    let state = if is_current { "current" } else { "" };
    let config = item.get("config").map(|config| short(&config.to_string(), DESCRIPTION));
    let config = config.unwrap_or_default();
    vec![cell(item, "version"), cell(item, "created_at"), state.to_owned(), config]
}

fn saved(item: &Value) -> Vec<String> {
    vec![cell(item, "id"), cell(item, "name"), cell(item, "description")]
}

fn file(item: &Value) -> Vec<String> {
    vec![cell(item, "mount_relative_path"), cell(item, "size"), cell(item, "last_modified")]
}
