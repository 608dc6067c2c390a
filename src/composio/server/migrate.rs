//! The session that replaces an MCP server: its toolkits, its tools, and its auth configs. Pure.

use serde_json::{Map, Value, json};

use crate::json::{text, texts};

/// What replaces a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The document that makes the session.
    pub body: Value,
    /// What the person should know.
    pub notes: Vec<String>,
}

/// The auth configs whose toolkit the server itself does not tell: those must be looked up.
pub fn unclear(server: &Value) -> Vec<String> {
    let toolkits = texts(server, "toolkits").count();
    let configs: Vec<String> = texts(server, "auth_config_ids").map(str::to_owned).collect();
    if toolkits == 1 { Vec::new() } else { configs }
}

/// The session for a server as the API shows it. `configs` are auth configs and their toolkits, for
/// those that were looked up.
pub fn plan(server: &Value, user: &str, configs: &[(String, String)]) -> Plan {
    let mut notes = Vec::new();
    let tools: Vec<&str> = texts(server, "allowed_tools").collect();
    let mut toolkits: Vec<String> =
        texts(server, "toolkits").map(str::to_ascii_lowercase).collect();
    let mut by_toolkit = Map::new();
    for tool in &tools {
        let toolkit = toolkit_of(tool, &toolkits);
        if !toolkits.contains(&toolkit) {
            toolkits.push(toolkit.clone());
        }
        let filter = by_toolkit.entry(toolkit).or_insert_with(|| json!({ "enable": [] }));
        if let Some(Value::Array(list)) = filter.get_mut("enable") {
            list.push(Value::from(*tool));
        }
    }
    if !tools.is_empty() {
        // The server served nothing of a toolkit of which it allowed no tool.
        toolkits.retain(|toolkit| by_toolkit.contains_key(toolkit));
    }
    let auth_configs = auth_configs(server, &toolkits, configs, &mut notes);
    let mut body = json!({ "user_id": user });
    if toolkits.is_empty() {
        notes.push("the server names no toolkit, so the session has all of them".to_owned());
    } else {
        body["toolkits"] = json!({ "enable": toolkits });
    }
    if !tools.is_empty() {
        // The server's clients know the tools by their names, and are shown them as before.
        body["preload"] = json!({ "tools": tools });
        body["tools"] = Value::Object(by_toolkit);
    }
    if !auth_configs.is_empty() {
        body["auth_configs"] = Value::Object(auth_configs);
    }
    Plan { body, notes }
}

/// The toolkit of a tool: the longest that its name begins with, or the name's first word.
fn toolkit_of(tool: &str, toolkits: &[String]) -> String {
    let begins = |toolkit: &&String| {
        tool.get(..toolkit.len()).is_some_and(|start| start.eq_ignore_ascii_case(toolkit))
            && tool.as_bytes().get(toolkit.len()) == Some(&b'_')
    };
    let known = toolkits.iter().filter(begins).max_by_key(|toolkit| toolkit.len());
    known
        .cloned()
        .unwrap_or_else(|| tool.split('_').next().unwrap_or_default().to_ascii_lowercase())
}

/// One auth config a toolkit, as a session takes no more.
fn auth_configs(
    server: &Value,
    toolkits: &[String],
    known: &[(String, String)],
    notes: &mut Vec<String>,
) -> Map<String, Value> {
    let mut chosen = Map::new();
    for id in texts(server, "auth_config_ids") {
        let of = known.iter().find(|(known, _)| known == id).map(|(_, toolkit)| toolkit);
        let only = texts(server, "toolkits").next().filter(|_| unclear(server).is_empty());
        let toolkit = of.cloned().or(only.map(str::to_ascii_lowercase));
        let Some(toolkit) = toolkit.filter(|toolkit| toolkits.contains(toolkit)) else {
            notes.push(format!("the auth config {id} belongs to no toolkit of the session"));
            continue;
        };
        match text(&Value::Object(chosen.clone()), &toolkit) {
            Some(first) => notes.push(format!(
                "{toolkit} has several auth configs, and a session takes one: it has {first}, not {id}"
            )),
            None => {
                chosen.insert(toolkit, Value::from(id));
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toolkits_tools_and_auth_configs_are_carried_over() {
        let configs =
            [("ac_1".to_owned(), "gmail".to_owned()), ("ac_2".to_owned(), "github".to_owned())];
        for (server, expected, notes) in [
            (
                json!({ "toolkits": ["gmail"], "allowed_tools": [], "auth_config_ids": ["ac_9"] }),
                json!({ "user_id": "ada", "toolkits": { "enable": ["gmail"] },
                    "auth_configs": { "gmail": "ac_9" } }),
                0,
            ),
            (
                json!({ "toolkits": ["gmail", "github"], "auth_config_ids": ["ac_1", "ac_2"],
                    "allowed_tools": ["GMAIL_SEND_EMAIL", "GITHUB_STAR_A_REPOSITORY", "GMAIL_FETCH_EMAILS"] }),
                json!({ "user_id": "ada", "toolkits": { "enable": ["gmail", "github"] },
                    "tools": {
                        "gmail": { "enable": ["GMAIL_SEND_EMAIL", "GMAIL_FETCH_EMAILS"] },
                        "github": { "enable": ["GITHUB_STAR_A_REPOSITORY"] },
                    },
                    "preload": { "tools": ["GMAIL_SEND_EMAIL", "GITHUB_STAR_A_REPOSITORY", "GMAIL_FETCH_EMAILS"] },
                    "auth_configs": { "gmail": "ac_1", "github": "ac_2" } }),
                0,
            ),
            // A toolkit without an allowed tool showed nothing.
            (
                json!({ "toolkits": ["gmail", "slack"], "allowed_tools": ["GMAIL_SEND_EMAIL"] }),
                json!({ "user_id": "ada", "toolkits": { "enable": ["gmail"] },
                    "tools": { "gmail": { "enable": ["GMAIL_SEND_EMAIL"] } },
                    "preload": { "tools": ["GMAIL_SEND_EMAIL"] } }),
                0,
            ),
            // Two auth configs for one toolkit, and one that is of none.
            (
                json!({ "toolkits": ["gmail", "slack"], "auth_config_ids": ["ac_1", "ac_1b", "ac_x"] }),
                json!({ "user_id": "ada", "toolkits": { "enable": ["gmail", "slack"] },
                    "auth_configs": { "gmail": "ac_1" } }),
                2,
            ),
            (json!({}), json!({ "user_id": "ada" }), 1),
        ] {
            let mut known = configs.to_vec();
            known.push(("ac_1b".to_owned(), "gmail".to_owned()));
            let plan = plan(&server, "ada", &known);
            assert_eq!(plan.body, expected, "{server}");
            assert_eq!(plan.notes.len(), notes, "{server}: {:?}", plan.notes);
        }
    }

    #[test]
    fn a_tool_belongs_to_the_longest_toolkit_that_it_begins_with() {
        let toolkits = ["microsoft".to_owned(), "microsoft_teams".to_owned()];
        for (tool, expected) in [
            ("MICROSOFT_TEAMS_SEND", "microsoft_teams"),
            ("MICROSOFT_SEND", "microsoft"),
            ("SLACK_SEND_MESSAGE", "slack"),
            ("MICROSOFT", "microsoft"),
        ] {
            assert_eq!(toolkit_of(tool, &toolkits), expected);
        }
    }

    #[test]
    fn only_what_is_not_certain_is_looked_up() {
        assert!(unclear(&json!({ "toolkits": ["gmail"], "auth_config_ids": ["ac_1"] })).is_empty());
        let several = json!({ "toolkits": ["gmail", "github"], "auth_config_ids": ["ac_1"] });
        assert_eq!(unclear(&several), ["ac_1"]);
    }
}
