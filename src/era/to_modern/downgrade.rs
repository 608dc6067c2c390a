//! What a modern server asks, in the words of the client's version (XA-47, XA-49).

use serde_json::value::RawValue;

use crate::message::{elements, member, object::Object};

/// A form for a client of 2025-06-18; `None` where it has no words for it: the choice of several.
pub(super) fn form(params: &str) -> Option<String> {
    let mut all = Object::parse(params)?;
    all.remove("mode");
    let schema = all.get("requestedSchema").map(str::to_owned);
    if let Some(schema) = schema {
        let mut schema = Object::parse(&schema)?;
        if let Some(properties) = schema.get("properties").map(str::to_owned) {
            schema.set("properties", form_properties(&properties)?);
        }
        let text = schema.to_string();
        all.set("requestedSchema", text);
        return Some(all.to_string());
    }
    Some(all.to_string())
}

fn form_properties(properties: &str) -> Option<String> {
    let all = Object::parse(properties)?;
    let mut older = Object::default();
    for (name, property) in all.iter() {
        if member(property, "type") == Some("\"array\"") {
            return None;
        }
        older.set(&name, one_choice(property).unwrap_or_else(|| property.to_owned()));
    }
    Some(older.to_string())
}

/// `oneOf` with titles, as `enum` and `enumNames`.
fn one_choice(property: &str) -> Option<String> {
    let mut all = Object::parse(property)?;
    let choices = all.remove("oneOf")?.into_owned();
    let choices = elements(choices.as_bytes())?;
    let list = |name| -> Option<String> {
        let values: Option<Vec<&str>> =
            choices.iter().map(|choice| member(RawValue::get(choice), name)).collect();
        values.map(|values| format!("[{}]", values.join(",")))
    };
    all.set("enum", list("const")?);
    if let Some(names) = list("title") {
        all.set("enumNames", names);
    }
    Some(all.to_string())
}

/// A request to sample for a client older than 2025-11-25, where each message holds one block.
///
/// # Errors
/// What it has no words for.
pub(super) fn sampling(params: &str) -> Result<String, &'static str> {
    let all = Object::parse(params).ok_or("it asks for a sample without parameters")?;
    let messages = all.get("messages").and_then(|list| elements(list.as_bytes()));
    let messages = messages.ok_or("it asks for a sample without messages")?;
    let mut older = Vec::new();
    for message in messages.into_iter().map(RawValue::get) {
        let mut one = Object::parse(message).ok_or("a message to sample from is no object")?;
        if let Some(content) = one.get("content").filter(|content| content.starts_with('[')) {
            let blocks = elements(content.as_bytes()).unwrap_or_default();
            let [block] = blocks[..] else {
                return Err("it asks for a sample with several blocks in a message");
            };
            let block = block.get().to_owned();
            one.set("content", block);
        }
        older.push(one.to_string());
    }
    let mut all = all.clone();
    all.set("messages", format!("[{}]", older.join(",")));
    Ok(all.to_string())
}
