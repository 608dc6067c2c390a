//! Parameters of tools that a header repeats: `x-mcp-header` in the schema, `Mcp-Param-…` in the
//! request (26:http, MH-30 to MH-38).

mod schema;

use std::collections::{HashMap, HashSet};

use memchr::memmem;
use serde_json::value::RawValue;

use super::header::{self, TooLarge};
use crate::{
    error::{Error, Kind, is_unfit},
    message::{elements, member, members},
};

/// The key that marks a parameter.
const KEY: &str = "x-mcp-header";

/// How many different warnings a remote may cause.
const MOST_WARNINGS: usize = 200;

/// A parameter that a header repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The header's name, behind `Mcp-Param-`.
    pub header: String,
    /// The names of the properties from the arguments down to it.
    pub path: Vec<String>,
}

/// What a call of a tool has to heed.
#[derive(Debug, PartialEq, Eq)]
enum Tool {
    /// Headers repeat these of its parameters.
    Mirrored(Vec<Parameter>),
    /// Its schema has an invalid annotation; the text says which.
    Excluded(String),
}

/// The tools with annotations, as the remote listed them last (MH-36). Other tools are not kept.
#[derive(Debug, Default)]
pub struct Tools {
    known: HashMap<String, Tool>,
    warned: HashSet<String>,
}

impl Tools {
    /// Learns from one page of a `tools/list` result; the first page makes everything known before
    /// void. Gives the result without the tools whose annotations are invalid, every other byte of
    /// it as it was, or `None` where there is no such tool (MH-31).
    pub fn learn(
        &mut self,
        result: &str,
        is_first: bool,
        warnings: &mut Vec<String>,
    ) -> Option<String> {
        if is_first {
            self.known.clear();
        }
        if self.known.is_empty() && !may_hold(result, KEY) {
            return None;
        }
        let list = member(result, "tools")?;
        let tools = elements(list.as_bytes())?;
        let mut kept = Vec::with_capacity(tools.len());
        for tool in tools.iter().map(|tool| RawValue::get(tool)) {
            match self.learn_tool(tool) {
                None => kept.push(tool),
                Some(warning) => self.warn(warning, warnings),
            }
        }
        if kept.len() == tools.len() {
            return None;
        }
        let start = list.as_ptr() as usize - result.as_ptr() as usize;
        let (before, after) = (&result[..start], &result[start + list.len()..]);
        Some(format!("{before}[{}]{after}", kept.join(",")))
    }

    /// Takes note of one tool; says why it is excluded, where it is.
    fn learn_tool(&mut self, tool: &str) -> Option<String> {
        let [name, schema] = members(tool, ["name", "inputSchema"]);
        let name = header::text(name?)?;
        let parameters = match schema.filter(|schema| may_hold(schema, KEY)) {
            Some(schema) => schema::parameters(schema),
            None => Ok(Vec::new()),
        };
        match parameters {
            Ok(parameters) if parameters.is_empty() => {
                self.known.remove(name.as_ref());
                None
            }
            Ok(parameters) => {
                self.known.insert(name.into_owned(), Tool::Mirrored(parameters));
                None
            }
            Err(reason) => {
                let name = name.into_owned();
                let warning = format!("left out the tool {}: {reason}", clip(&name));
                self.known.insert(name, Tool::Excluded(reason));
                Some(warning)
            }
        }
    }

    fn warn(&mut self, warning: String, warnings: &mut Vec<String>) {
        if self.warned.len() < MOST_WARNINGS && self.warned.insert(warning.clone()) {
            warnings.push(warning);
        }
    }

    /// The list has changed: what was learnt of it is void, but for the tools that the client must
    /// not call (MH-32, MH-38).
    pub fn forget(&mut self) {
        self.known.retain(|_, tool| matches!(tool, Tool::Excluded(_)));
    }

    /// The `Mcp-Param-…` headers of a call of the tool `name` (MH-34).
    ///
    /// # Errors
    /// What the call is answered with, where the tool is excluded or an integer too large
    /// (MH-32, MH-35).
    pub fn headers(
        &self,
        name: &str,
        arguments: Option<&str>,
    ) -> Result<Vec<(String, String)>, Error> {
        let attempted = || format!("could not call the tool {}", clip(name));
        match self.known.get(name) {
            None => Ok(Vec::new()),
            Some(Tool::Excluded(reason)) => Err(Error::new(Kind::InvalidParams, attempted())
                .because("the server's description of it is invalid")
                .because(reason)
                .hint("ask the server's maintainers to correct it")),
            Some(Tool::Mirrored(parameters)) => values(parameters, arguments.unwrap_or("{}"))
                .map_err(|at| Error::new(Kind::InvalidParams, attempted()).because(at)),
        }
    }
}

/// The values of the parameters that are there (MH-34).
fn values(parameters: &[Parameter], arguments: &str) -> Result<Vec<(String, String)>, String> {
    let mut headers = Vec::with_capacity(parameters.len());
    for parameter in parameters {
        let start = Some(arguments);
        let token = parameter.path.iter().fold(start, |object, name| member(object?, name));
        match token.map_or(Ok(None), header::encode_token) {
            Ok(Some(value)) => headers.push((parameter.header.clone(), value)),
            Ok(None) => {}
            Err(TooLarge) => {
                let path = clip(&parameter.path.join("."));
                return Err(format!(
                    "the argument {path} lies beyond 2^53, where not every program reads a number alike"
                ));
            }
        }
    }
    Ok(headers)
}

/// Whether a JSON text may hold the string `word`, plainly or in escapes.
fn may_hold(text: &str, word: &str) -> bool {
    let text = text.as_bytes();
    memmem::find(text, word.as_bytes()).is_some() || memmem::find(text, b"\\u00").is_some()
}

/// A name of the remote's for a sentence: quoted, short and without control characters.
fn clip(name: &str) -> String {
    let mut short: String =
        name.chars().take(80).map(|c| if is_unfit(c) { ' ' } else { c }).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    format!("`{short}`")
}

#[cfg(test)]
mod tests;
