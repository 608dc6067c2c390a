//! A JSON object as its raw members, to replace or take out some and keep every byte of the rest.

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::unquote;

/// The members of a JSON object in their order, keys and values as the tokens they were.
///
/// Written back, each value has the bytes it had; only white space between members is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Object<'a> {
    /// Reads the members of `text`; `None` where it is no JSON object.
    pub fn parse(text: &'a str) -> Option<Self> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(key) = map.next_key::<&'de RawValue>()? {
                    let value: &'de RawValue = map.next_value()?;
                    members.push((Cow::Borrowed(key.get()), Cow::Borrowed(value.get())));
                }
                Ok(Object(members))
            }
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let object = deserializer.deserialize_map(Members).ok()?;
        deserializer.end().ok().map(|()| object)
    }

    /// The raw value of the last member called `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| is_name(key, name)).map(|(_, value)| value.as_ref())
    }

    /// Gives `name` the raw JSON `value`, in the place it had or else at the end.
    pub fn set(&mut self, name: &str, value: impl Into<Cow<'a, str>>) {
        let value = value.into();
        match self.0.iter().rposition(|(key, _)| is_name(key, name)) {
            Some(at) => {
                self.0[at].1 = value;
                let mut index = 0;
                self.0.retain(|(key, _)| {
                    index += 1;
                    index > at || !is_name(key, name)
                });
            }
            None => self.0.push((Cow::Owned(quote(name)), value)),
        }
    }

    /// Takes out every member called `name`; gives the value that counted.
    pub fn remove(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let mut removed = None;
        self.0.retain_mut(|(key, value)| {
            let is_it = is_name(key, name);
            if is_it {
                removed = Some(std::mem::take(value));
            }
            !is_it
        });
        removed
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names and raw values, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
        self.0.iter().map(|(key, value)| (unquote(key), value.as_ref()))
    }
}

/// The JSON text, without white space between members.
impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (key, value)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(key)?;
            f.write_str(":")?;
            f.write_str(value)?;
        }
        f.write_str("}")
    }
}

/// Whether the string token `key` says `name`, escaped or not.
fn is_name(key: &str, name: &str) -> bool {
    let inner = key.get(1..key.len() - 1).unwrap_or_default();
    inner == name || inner.len() > name.len() && unquote(key) == name
}

/// `text` as a JSON string token.
pub fn quote(text: &str) -> String {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\') {
        return ["\"", text, "\""].concat();
    }
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_keeps_its_bytes() {
        let text = r#" { "a" : 1.0, "b":{"x" :  1e400},"a":2,"\u0063":[ 1 ] } "#;
        let mut object = Object::parse(text).expect("an object");
        assert_eq!(object.get("a"), Some("2"));
        assert_eq!(object.get("c"), Some("[ 1 ]"));
        object.set("new", "true");
        assert_eq!(
            object.to_string(),
            r#"{"a":1.0,"b":{"x" :  1e400},"a":2,"\u0063":[ 1 ],"new":true}"#
        );
        object.set("a", "3");
        assert_eq!(object.remove("c").as_deref(), Some("[ 1 ]"));
        assert_eq!(object.to_string(), r#"{"b":{"x" :  1e400},"a":3,"new":true}"#);
    }

    #[test]
    fn quoted_text_is_read_back() {
        for text in ["", "plain", "a\"b", "\\", "\n", "ü", "\u{7f}"] {
            let read: String = serde_json::from_str(&quote(text)).expect("a string");
            assert_eq!(read, text);
        }
    }

    #[test]
    fn only_objects_are_objects() {
        for text in ["[]", "1", "{} {}", "{", ""] {
            assert_eq!(Object::parse(text), None, "{text}");
        }
        assert!(Object::parse("{}").is_some_and(|object| object.is_empty()));
    }
}
