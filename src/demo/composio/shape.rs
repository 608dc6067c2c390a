//! The shape of a request's body, and what is wrong with one. A member that the API does not know
//! is an error here, so that a misspelt one does not pass for an absent one.

use serde_json::{Map, Value};

/// What a value may be.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// Anything.
    Any,
    /// True or false.
    Flag,
    /// A number from the first to the second.
    Number(u32, u32),
    /// A text that is not empty, and at most so long; 0 for any length.
    Text(usize),
    /// A text that starts like this.
    Id(&'static str),
    /// The name of an MCP server: 4 to 30 letters, digits, spaces and hyphens.
    Name,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list.
    List(&'static Shape),
    /// An object with members of any name.
    Map(&'static Shape),
    /// An object with these members.
    Object(&'static [Member]),
    /// What fits one of these.
    Either(&'static [Shape]),
}

/// A member: its name, whether it must be there, and what it may be. One that need not be there
/// may be null.
pub(super) type Member = (&'static str, bool, Shape);

/// What is wrong with the body of a request, each with its place.
pub(super) fn faults(members: &[Member], body: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check_object(members, body, "", &mut faults);
    faults
}

fn check(shape: Shape, value: &Value, place: &str, faults: &mut Vec<String>) {
    let fits = match shape {
        Shape::Any => true,
        Shape::Flag => value.is_boolean(),
        Shape::Number(least, most) => value
            .as_f64()
            .is_some_and(|number| (f64::from(least)..=f64::from(most)).contains(&number)),
        Shape::Text(0) => value.as_str().is_some_and(|text| !text.is_empty()),
        Shape::Text(most) => {
            value.as_str().is_some_and(|text| (1..=most).contains(&text.chars().count()))
        }
        Shape::Id(start) => value.as_str().is_some_and(|text| text.starts_with(start)),
        Shape::Name => value.as_str().is_some_and(is_name),
        Shape::OneOf(words) => value.as_str().is_some_and(|text| words.contains(&text)),
        Shape::Either(shapes) => shapes.iter().any(|shape| {
            let mut of_this = Vec::new();
            check(*shape, value, place, &mut of_this);
            of_this.is_empty()
        }),
        Shape::List(of) => return check_list(*of, value, place, faults),
        Shape::Map(of) => return check_map(value, place, faults, |_| Some(*of)),
        Shape::Object(members) => return check_object(members, value, place, faults),
    };
    if !fits {
        faults.push(format!("{}: Invalid input", shown(place)));
    }
}

fn check_list(of: Shape, value: &Value, place: &str, faults: &mut Vec<String>) {
    let Some(items) = value.as_array() else {
        return faults.push(format!("{}: Expected array", shown(place)));
    };
    for (index, item) in items.iter().enumerate() {
        check(of, item, &format!("{place}[{index}]"), faults);
    }
}

fn check_object(members: &[Member], value: &Value, place: &str, faults: &mut Vec<String>) {
    let shape_of =
        |name: &str| members.iter().find(|(known, ..)| *known == name).map(|known| known.2);
    check_map(value, place, faults, shape_of);
    for (name, required, _) in members {
        if *required && value.is_object() && value.get(name).is_none_or(Value::is_null) {
            faults.push(format!("{}: Required", join(place, name)));
        }
    }
}

fn check_map(
    value: &Value,
    place: &str,
    faults: &mut Vec<String>,
    shape_of: impl Fn(&str) -> Option<Shape>,
) {
    let Some(members) = value.as_object() else {
        return faults.push(format!("{}: Expected object", shown(place)));
    };
    for (name, value) in present(members) {
        match shape_of(name) {
            Some(shape) => check(shape, value, &join(place, name), faults),
            None => faults.push(format!("{}: Unrecognized key", join(place, name))),
        }
    }
}

fn present(members: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    members.iter().filter(|(_, value)| !value.is_null())
}

fn is_name(text: &str) -> bool {
    (4..=30).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -".contains(&byte))
}

fn join(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

fn shown(place: &str) -> &str {
    if place.is_empty() { "body" } else { place }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        const SHAPE: &[Member] = &[
            ("user", true, Shape::Text(3)),
            ("name", false, Shape::Name),
            ("size", false, Shape::Number(2, 10)),
            ("some", false, Shape::Either(&[Shape::Flag, Shape::List(&Shape::Id("ac_"))])),
            ("of", false, Shape::Map(&Shape::Object(&[("enable", true, Shape::Any)]))),
        ];
        for (body, expected) in [
            (json!({ "user": "u" }), vec![]),
            (json!({ "user": "u", "some": true, "of": { "x": { "enable": 1 } } }), vec![]),
            (json!({ "user": "u", "some": ["ac_1"], "size": null }), vec![]),
            (json!({}), vec!["user: Required"]),
            (json!([]), vec!["body: Expected object"]),
            (json!({ "user": "" }), vec!["user: Invalid input"]),
            (json!({ "user": "four" }), vec!["user: Invalid input"]),
            (json!({ "user": "u", "name": "a_b c" }), vec!["name: Invalid input"]),
            (json!({ "user": "u", "name": "abc" }), vec!["name: Invalid input"]),
            (json!({ "user": "u", "size": 11 }), vec!["size: Invalid input"]),
            (json!({ "user": "u", "some": ["ca_1"] }), vec!["some: Invalid input"]),
            (json!({ "user": "u", "other": 1 }), vec!["other: Unrecognized key"]),
            (
                json!({ "user": "u", "of": { "x": { "enabled": 1 } } }),
                vec!["of.x.enabled: Unrecognized key", "of.x.enable: Required"],
            ),
        ] {
            assert_eq!(faults(SHAPE, &body), expected, "{body}");
        }
    }
}
