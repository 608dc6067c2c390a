//! The apps of the stand-in and their tools, in the wording of this project.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::json::{text, texts};

/// The only version of every tool.
const VERSION: &str = "20261101_00";

/// The toolkit of the tools that find and run tools.
pub(super) const META: &str = "composio";

static CATALOGUE: LazyLock<Value> = LazyLock::new(|| {
    // Our own text, which a test keeps valid.
    serde_json::from_str(include_str!("catalogue.json")).unwrap_or_default()
});

/// All apps, without the one of the meta tools.
pub(super) fn toolkits() -> impl Iterator<Item = &'static Value> {
    everything().filter(|toolkit| slug(toolkit) != META)
}

fn everything() -> impl Iterator<Item = &'static Value> {
    CATALOGUE.as_array().into_iter().flatten()
}

/// The app with this slug.
pub(super) fn toolkit(slug: &str) -> Option<&'static Value> {
    toolkits().find(|toolkit| self::slug(toolkit) == slug.to_ascii_lowercase())
}

/// The tool with this slug, and its app.
pub(super) fn tool(slug: &str) -> Option<(&'static Value, &'static Value)> {
    let own = |toolkit| tools(toolkit).find(|tool| self::slug(tool) == slug);
    everything().find_map(|toolkit| own(toolkit).map(|tool| (toolkit, tool)))
}

/// The tools of an app.
pub(super) fn tools(toolkit: &'static Value) -> impl Iterator<Item = &'static Value> {
    toolkit["tools"].as_array().into_iter().flatten()
}

/// The slug of an app or a tool.
pub(super) fn slug(entry: &'static Value) -> &'static str {
    text(entry, "slug").unwrap_or_default()
}

/// Whether an app needs no account.
pub(super) fn is_open(toolkit: &Value) -> bool {
    toolkit["scheme"] == "NO_AUTH"
}

/// Whether a tool has one of these tags.
pub(super) fn has_tag(tool: &Value, tags: &[&str]) -> bool {
    texts(tool, "tags").any(|tag| tags.contains(&tag))
}

/// The id of the auth config of an app; each has one, managed by Composio.
pub(super) fn auth_config(toolkit: &str) -> String {
    format!("ac_demo_{toolkit}")
}

/// The app of an auth config.
pub(super) fn of_auth_config(id: &str) -> Option<&'static Value> {
    toolkit(id.strip_prefix("ac_demo_")?).filter(|toolkit| !is_open(toolkit))
}

/// The JSON Schema of a tool's arguments.
pub(super) fn input_schema(tool: &Value) -> Value {
    let required = tool.get("required").cloned().unwrap_or_else(|| json!([]));
    json!({ "type": "object", "properties": tool["input"], "required": required })
}

/// The address of an app's picture.
pub(super) fn logo(toolkit: &'static Value) -> String {
    format!("https://logos.composio.dev/api/{}", slug(toolkit))
}

/// A tool as the list of a session's tools describes it.
pub(super) fn item(toolkit: &'static Value, tool: &'static Value) -> Value {
    json!({
        "slug": tool["slug"],
        "name": tool["name"],
        "description": tool["description"],
        "human_description": tool["description"],
        "input_parameters": input_schema(tool),
        "output_parameters": {
            "type": "object",
            "properties": {
                "data": { "type": "object" },
                "error": { "type": "string" },
                "successful": { "type": "boolean" },
            },
        },
        "toolkit": { "slug": toolkit["slug"], "name": toolkit["name"], "logo": logo(toolkit) },
        "version": VERSION,
        "available_versions": [VERSION],
        "tags": tool["tags"],
        "scopes": [],
        "scope_requirements": null,
        "no_auth": is_open(toolkit),
        "is_deprecated": false,
        "deprecated": { "version": VERSION, "is_deprecated": false },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_sound() {
        assert!(toolkits().count() >= 4);
        for toolkit in everything() {
            assert!(tools(toolkit).count() >= 1 && text(toolkit, "description").is_some());
            for tool in tools(toolkit) {
                let start = slug(toolkit).to_ascii_uppercase() + "_";
                assert!(slug(tool).starts_with(&start), "{tool}");
                assert!(tool["input"].is_object() && text(tool, "description").is_some());
                for name in texts(tool, "required") {
                    assert!(tool["input"].get(name).is_some(), "{tool}");
                }
            }
        }
        assert_eq!(of_auth_config(&auth_config("gmail")).map(slug), Some("gmail"));
        assert!(of_auth_config("ac_demo_hackernews").is_none());
    }
}
