//! The annotations of one `inputSchema`, found and judged (MH-30, MH-31, MH-33).

use std::collections::{BTreeMap, HashSet};

use serde_json::value::RawValue;

use super::{KEY, Parameter, clip, may_hold};
use crate::{era::header, message::elements};

/// How deep an annotation may lie; each level is read once for every level above it.
const DEEPEST: usize = 64;

/// Keywords whose value maps names to schemas, other than `properties`.
const MAPS: [&str; 4] = ["patternProperties", "$defs", "definitions", "dependentSchemas"];

/// Keywords whose value is data, in which the key is not an annotation.
const DATA: [&str; 4] = ["const", "default", "enum", "examples"];

/// A schema that is still to be read.
struct Part<'a> {
    text: &'a str,
    depth: usize,
    place: Place,
}

/// Where a schema lies.
#[derive(Clone)]
enum Place {
    /// Reached by `properties` alone, by these names.
    Reachable(Vec<String>),
    /// Elsewhere: below this keyword.
    Below(String),
}

/// The parameters that are annotated in `schema`, ordered by their paths.
///
/// # Errors
/// Says what is wrong, where one annotation is invalid.
pub fn parameters(schema: &str) -> Result<Vec<Parameter>, String> {
    let mut found = Vec::new();
    let mut parts = vec![Part { text: schema, depth: 0, place: Place::Reachable(Vec::new()) }];
    while let Some(part) = parts.pop() {
        // What cannot hold the key is not taken apart: that is nearly everything.
        if !may_hold(part.text, KEY) {
            continue;
        }
        match part.text.as_bytes().first() {
            Some(b'{') if part.depth < DEEPEST => found.extend(read(&part, &mut parts)?),
            Some(b'[') if part.depth < DEEPEST => {
                let items = elements(part.text.as_bytes()).unwrap_or_default();
                let (depth, place) = (part.depth + 1, part.place.within_array());
                parts.extend(items.iter().map(|item| Part {
                    text: item.get(),
                    depth,
                    place: place.clone(),
                }));
            }
            Some(b'{' | b'[') => {
                return Err(format!("its schema is more than {DEEPEST} levels deep"));
            }
            _ => {}
        }
    }
    let mut names = HashSet::new();
    for parameter in &found {
        if !names.insert(parameter.header.to_ascii_lowercase()) {
            return Err(format!("two `{KEY}` are {}", clip(&parameter.header)));
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

impl Place {
    /// An array is no place for an annotation, even where a schema should have stood.
    fn within_array(&self) -> Place {
        match self {
            Place::Reachable(_) => Place::Below("[]".to_owned()),
            Place::Below(keyword) => Place::Below(keyword.clone()),
        }
    }
}

/// Reads one schema object: adds the schemas in it to `parts`, gives its own annotation.
fn read<'a>(part: &Part<'a>, parts: &mut Vec<Part<'a>>) -> Result<Option<Parameter>, String> {
    let members: BTreeMap<String, &'a RawValue> = map(part.text)?;
    let depth = part.depth + 1;
    for (keyword, value) in &members {
        let text = value.get();
        let below = Place::Below(keyword.clone());
        match keyword.as_str() {
            KEY => {}
            keyword if DATA.contains(&keyword) => {}
            "properties" => add_properties(part, text, parts)?,
            keyword if MAPS.contains(&keyword) && text.starts_with('{') => {
                let schemas = map(text)?;
                let each = schemas.values();
                parts.extend(each.map(|schema| Part {
                    text: schema.get(),
                    depth,
                    place: below.clone(),
                }));
            }
            _ => parts.push(Part { text, depth, place: below }),
        }
    }
    let Some(annotation) = members.get(KEY) else { return Ok(None) };
    let kind = members.get("type").map(|kind| kind.get());
    judge(annotation.get(), kind, &part.place).map(Some)
}

fn add_properties<'a>(
    part: &Part<'a>,
    text: &'a str,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), String> {
    if !text.starts_with('{') || !may_hold(text, KEY) {
        return Ok(());
    }
    for (name, schema) in map(text)? {
        let place = match &part.place {
            Place::Reachable(path) => {
                Place::Reachable(path.iter().cloned().chain([name]).collect())
            }
            below => below.clone(),
        };
        parts.push(Part { text: schema.get(), depth: part.depth + 1, place });
    }
    Ok(())
}

/// The members of an object, the last of repeated ones.
fn map(object: &str) -> Result<BTreeMap<String, &RawValue>, String> {
    serde_json::from_str(object).map_err(|_| "its schema has names that are no text".to_owned())
}

/// Whether an annotation is valid (MH-30), strict about the type (MH-33).
fn judge(annotation: &str, kind: Option<&str>, place: &Place) -> Result<Parameter, String> {
    let path = match place {
        Place::Reachable(path) if !path.is_empty() => path.clone(),
        Place::Reachable(_) => return Err(format!("`{KEY}` stands on the schema itself")),
        Place::Below(keyword) => {
            return Err(format!(
                "`{KEY}` stands below {}, not in `properties` alone",
                clip(keyword)
            ));
        }
    };
    let of = clip(&path.join("."));
    let header = header::text(annotation)
        .ok_or_else(|| format!("`{KEY}` of {of} is not a string"))?
        .into_owned();
    if header.is_empty() || !header.bytes().all(is_tchar) {
        return Err(format!(
            "`{KEY}` of {of} is {}, which cannot end a header's name",
            clip(&header)
        ));
    }
    let is_primitive = |kind: &str| {
        header::text(kind).is_some_and(|kind| matches!(&*kind, "string" | "integer" | "boolean"))
    };
    if !kind.is_some_and(is_primitive) {
        return Err(format!("`{KEY}` of {of}, whose type is not string, integer or boolean"));
    }
    Ok(Parameter { header, path })
}

/// A character of a token (RFC 9110, section 5.6.2).
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
