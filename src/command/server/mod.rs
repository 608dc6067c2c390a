//! `composio-bridge server`: the MCP servers that came before sessions, an operation of the API each.

mod instances;
mod manage;

use serde_json::Value;

use super::talk;
use crate::{
    cli::{
        Cli,
        table::{Chosen, Options},
    },
    composio::{
        rest::{
            Api, Call,
            page::{Paging, Part, gather},
        },
        server,
    },
    config::environment::Environment,
    error::{Error, Kind},
    json::text,
};

/// The largest page that is asked for where all pages are wanted.
const LARGEST_PAGE: u64 = 100;

/// What helps whoever has named a server that is not there.
pub(super) const LIST: &str = "`composio-bridge server list` shows the servers and their ids";

/// What every operation needs.
struct Context {
    api: Api,
    options: Options,
}

/// Does what the command line asks for.
///
/// # Errors
/// What kept it from being done.
pub fn run(cli: Cli, chosen: Chosen) -> Result<(), Error> {
    let context =
        Context { api: talk::api(cli, &Environment::of_process())?, options: chosen.options };
    talk::run(context.operate(chosen.operation)).map_err(|error| match error.http_status() {
        Some(401) => error.hint("here a scoped key needs the permission for MCP servers instead"),
        Some(404) => error.hint(LIST),
        _ => error,
    })
}

impl Context {
    async fn operate(&self, operation: &str) -> Result<(), Error> {
        match operation {
            "create" => self.create().await,
            "list" => self.list().await,
            "show" => self.show().await,
            "update" => self.update().await,
            "delete" => self.delete().await,
            "generate" => self.generate().await,
            _ => self.instances().await,
        }
    }

    /// Prints the answer: as it is with `--json`, or else as the text.
    fn print(&self, answer: &Value, text: impl FnOnce() -> String) {
        if self.options.is("json") { talk::say_json(answer) } else { talk::say(&text()) }
    }

    /// The id of the server that is meant.
    fn server(&self) -> Result<String, Error> {
        let named = self.options.text("server");
        let named = named.ok_or_else(|| Error::new(Kind::Usage, "no server is named"))?;
        server::id(named).map(String::from)
    }

    /// Prints a list of the API.
    async fn listed(
        &self,
        mut call: Call<'_>,
        list: &'static str,
        row: fn(&Value) -> Vec<String>,
    ) -> Result<(), Error> {
        for (option, parameter) in [("order-by", "order_by"), ("order", "order_direction")] {
            let value = self.options.text(option);
            call.query.extend(value.map(|value| (parameter, value.to_owned())));
        }
        let all = self.options.is("all");
        let limit = self.options.text("limit").and_then(|text| text.parse().ok());
        let part = Part {
            limit: limit.or(all.then_some(LARGEST_PAGE)),
            from: self.options.text("page").map(String::from),
            all,
        };
        let answer = gather(&self.api, call, Paging::Number, &part, list).await?;
        self.print(&answer, || {
            let items = answer.get(list).and_then(Value::as_array);
            let rows: Vec<_> = items.into_iter().flatten().map(row).collect();
            let lines = if rows.is_empty() { "None.".to_owned() } else { talk::columns(&rows) };
            match Paging::Number.next(&answer) {
                Some(next) => {
                    let of = answer.get("total_pages").unwrap_or(&Value::Null);
                    format!("{lines}\n\nThe next of {of} pages: `--page {next}`; all: `--all`")
                }
                None => lines,
            }
        });
        Ok(())
    }
}

/// A member for a column.
fn cell(item: &Value, name: &str) -> String {
    match item.get(name) {
        Some(Value::Number(number)) => number.to_string(),
        _ => talk::clean(text(item, name).unwrap_or_default()),
    }
}
