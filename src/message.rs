//! The JSON-RPC envelope over the raw bytes of a message.
//!
//! A [`Message`] is the bytes as they came, plus where its `id`, `method` and the rest lie in them.
//! Nothing is decoded that nobody asks for, and nothing is ever written back from a decoded form:
//! a member is replaced by [splicing](Message::with_id) the bytes around it. Members may repeat;
//! the last one counts, as in JavaScript.

pub mod object;

use std::{borrow::Cow, fmt, ops::Range};

use bytes::{Bytes, BytesMut};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// What a message is (JSON-RPC 2.0, section 4 and 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Has a method and an id.
    Request,
    /// Has a method and no id.
    Notification,
    /// Has a result or an error.
    Response,
}

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invalid {
    /// Not JSON; the text says where and why.
    Syntax(String),
    /// JSON, but neither request, notification nor response. Holds the raw id, if there is one.
    Shape(Option<String>),
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Invalid::Syntax(why) => write!(f, "not valid JSON: {why}"),
            Invalid::Shape(_) => f.write_str("not a JSON-RPC request, notification or response"),
        }
    }
}

/// One JSON-RPC message: its bytes, untouched, and the places of the members that matter.
#[derive(Debug, Clone)]
pub struct Message {
    bytes: Bytes,
    kind: Kind,
    id: Option<Range<usize>>,
    method: Option<Range<usize>>,
    params: Option<Range<usize>>,
    result: Option<Range<usize>>,
    error: Option<Range<usize>>,
}

impl Message {
    /// Reads the envelope of `bytes`.
    ///
    /// # Errors
    /// [`Invalid::Syntax`] where it is not one JSON value, [`Invalid::Shape`] where that value is
    /// no message.
    pub fn parse(bytes: Bytes) -> Result<Self, Invalid> {
        let Ok(text) = simdutf8::basic::from_utf8(&bytes) else {
            return Err(Invalid::Syntax("it is not UTF-8".to_owned()));
        };
        let envelope: Envelope<'_> = match serde_json::from_str(text) {
            Ok(envelope) => envelope,
            Err(error)
                if error.is_data() && serde_json::from_slice::<IgnoredAny>(&bytes).is_ok() =>
            {
                return Err(Invalid::Shape(None));
            }
            Err(error) => return Err(Invalid::Syntax(error.to_string())),
        };
        let place = |raw: Option<&RawValue>| raw.map(|raw| place_in(&bytes, raw.get()));
        let (id, method) = (place(envelope.id), place(envelope.method));
        let (params, result) = (place(envelope.params), place(envelope.result));
        let error = place(envelope.error);
        let is_text = |at: &Range<usize>| bytes[at.start] == b'"';
        let kind = match (&method, &id) {
            (Some(method), Some(_)) if is_text(method) => Kind::Request,
            (Some(method), None) if is_text(method) => Kind::Notification,
            (None, _) if result.is_some() || error.is_some() => Kind::Response,
            _ => return Err(Invalid::Shape(envelope.id.map(|id| id.get().to_owned()))),
        };
        Ok(Message { kind, id, method, params, result, error, bytes })
    }

    /// What the message is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The bytes as they came.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The id as the JSON token that stands in the message.
    pub fn id(&self) -> Option<&str> {
        self.text(&self.id)
    }

    /// The method's name; empty in a response.
    pub fn method(&self) -> Cow<'_, str> {
        self.text(&self.method).map_or(Cow::Borrowed(""), unquote)
    }

    /// What it is, for the log: never what it holds.
    pub fn summary(&self) -> String {
        let id: String = self.id().unwrap_or("none").chars().take(40).collect();
        let (method, size) = (self.method(), self.bytes.len());
        match self.kind() {
            Kind::Request => format!("request {method}, id {id}, {size} bytes"),
            Kind::Notification => format!("notification {method}, {size} bytes"),
            Kind::Response if self.error().is_some() => format!("error for {id}, {size} bytes"),
            Kind::Response => format!("answer to {id}, {size} bytes"),
        }
    }

    /// The raw `params`.
    pub fn params(&self) -> Option<&str> {
        self.text(&self.params)
    }

    /// The raw `result`.
    pub fn result(&self) -> Option<&str> {
        self.text(&self.result)
    }

    /// The raw `error`, unless it is `null`.
    pub fn error(&self) -> Option<&str> {
        self.text(&self.error).filter(|error| *error != "null")
    }

    /// A member of `params`, raw.
    pub fn param(&self, name: &str) -> Option<&str> {
        member(self.params()?, name)
    }

    /// The same bytes with another id in the place of the old one. Gives the bytes back unchanged
    /// where the message has no id.
    pub fn with_id(&self, id: &str) -> Bytes {
        match &self.id {
            Some(place) => splice(&self.bytes, place.clone(), id),
            None => self.bytes.clone(),
        }
    }

    /// The same bytes with `id` in its place, added as the last member where there was none.
    pub fn with_id_added(&self, id: &str) -> Bytes {
        if self.id.is_some() {
            return self.with_id(id);
        }
        let end = memchr::memrchr(b'}', &self.bytes).unwrap_or(self.bytes.len());
        splice(&self.bytes, end..end, &format!(r#","id":{id}"#))
    }

    /// The same bytes with another value for one member of `params`; unchanged where it is absent.
    pub fn with_param(&self, name: &str, value: &str) -> Bytes {
        match self.param(name) {
            Some(old) => splice(&self.bytes, place_in(&self.bytes, old), value),
            None => self.bytes.clone(),
        }
    }

    /// The same bytes with other `params`, added as the last member where there were none.
    pub fn with_params(&self, params: &str) -> Bytes {
        if let Some(place) = &self.params {
            return splice(&self.bytes, place.clone(), params);
        }
        let end = memchr::memrchr(b'}', &self.bytes).unwrap_or(self.bytes.len());
        splice(&self.bytes, end..end, &format!(r#","params":{params}"#))
    }

    /// The same bytes with another `result`; unchanged where there is none.
    pub fn with_result(&self, result: &str) -> Bytes {
        match &self.result {
            Some(place) => splice(&self.bytes, place.clone(), result),
            None => self.bytes.clone(),
        }
    }

    /// The same bytes with another id and other `params`, in one copy; what is absent stays so.
    pub fn with_id_and_params(&self, id: &str, params: impl fmt::Display) -> Bytes {
        self.with_id_and(id, &self.params, &params)
    }

    /// The same bytes with another id and another `result`, in one copy; what is absent stays so.
    pub fn with_id_and_result(&self, id: &str, result: impl fmt::Display) -> Bytes {
        self.with_id_and(id, &self.result, &result)
    }

    fn with_id_and(
        &self,
        id: &str,
        place: &Option<Range<usize>>,
        value: &dyn fmt::Display,
    ) -> Bytes {
        let mut edits: [(&Option<Range<usize>>, &dyn fmt::Display); 2] =
            [(&self.id, &id), (place, value)];
        edits.sort_unstable_by_key(|(place, _)| place.as_ref().map(|place| place.start));
        let mut edited = BytesMut::with_capacity(self.bytes.len() + id.len() + 256);
        let mut copied = 0;
        for (place, value) in edits {
            let Some(place) = place else { continue };
            edited.extend_from_slice(&self.bytes[copied..place.start]);
            // Writing into a buffer that grows cannot fail.
            let _ = fmt::Write::write_fmt(&mut edited, format_args!("{value}"));
            copied = place.end;
        }
        edited.extend_from_slice(&self.bytes[copied..]);
        edited.freeze()
    }

    fn text(&self, place: &Option<Range<usize>>) -> Option<&str> {
        let bytes = self.bytes.get(place.clone()?)?;
        std::str::from_utf8(bytes).ok()
    }
}

/// The members of an envelope, borrowed.
#[derive(Default)]
struct Envelope<'a> {
    id: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Envelope<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
                let mut envelope = Envelope::default();
                while let Some(name) = map.next_key::<Name>()? {
                    match name {
                        Name::Id => envelope.id = Some(map.next_value()?),
                        Name::Method => envelope.method = Some(map.next_value()?),
                        Name::Params => envelope.params = Some(map.next_value()?),
                        Name::Result => envelope.result = Some(map.next_value()?),
                        Name::Error => envelope.error = Some(map.next_value()?),
                        // Through RawValue, as that checks any nesting depth without recursion.
                        Name::Other => drop(map.next_value::<&RawValue>()?),
                    }
                }
                Ok(envelope)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The name of a top-level member.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Name {
    Id,
    Method,
    Params,
    Result,
    Error,
    #[serde(other)]
    Other,
}

/// The raw value of the last member called `name` of the JSON object `object`.
pub fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let [found] = members(object, [name]);
    found
}

/// The same for several members, in one pass over the object.
pub fn members<'a, const N: usize>(object: &'a str, names: [&str; N]) -> [Option<&'a str>; N] {
    struct Find<'n, const N: usize>([&'n str; N]);
    impl<'de, const N: usize> Visitor<'de> for Find<'_, N> {
        type Value = [Option<&'de RawValue>; N];
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = [None; N];
            while let Some(key) = map.next_key::<Text<'de>>()? {
                let value: &RawValue = map.next_value()?;
                if let Some(at) = self.0.iter().position(|name| *name == key.0) {
                    found[at] = Some(value);
                }
            }
            Ok(found)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(object);
    let found = deserializer.deserialize_map(Find(names)).unwrap_or([None; N]);
    found.map(|value| value.map(RawValue::get))
}

/// The JSON object `object` with another value for `name`; as it is where it has none.
pub fn replace_member(object: &str, name: &str, value: &str) -> String {
    let Some(old) = member(object, name) else { return object.to_owned() };
    let place = place_in(object.as_bytes(), old);
    format!("{}{value}{}", &object[..place.start], &object[place.end..])
}

/// A string that borrows where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The raw elements of a JSON array; `None` where it is not one.
pub fn elements(array: &[u8]) -> Option<Vec<&RawValue>> {
    serde_json::from_slice(array).ok()
}

/// The content of a JSON string token; the token itself where it is not a string.
pub fn unquote(token: &str) -> Cow<'_, str> {
    let Some(inner) = token.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Cow::Borrowed(token);
    };
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str::<String>(token).map_or(Cow::Borrowed(token), Cow::Owned)
}

/// Whether two id tokens name the same request, though they may be spelled differently: `1` and
/// `1.0`, `"a"` and `"\u0061"`. Numbers beyond 2^53 are compared as a JavaScript peer would.
pub fn same_id(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    match (a.starts_with('"'), b.starts_with('"')) {
        (true, true) => unquote(a) == unquote(b),
        (false, false) => match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        },
        _ => false,
    }
}

/// Whether a token may be a request id: a string or a number, never `null` (MCP base protocol).
pub fn is_request_id(token: &str) -> bool {
    token.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}

/// The message on one line: raw line breaks, which JSON allows between tokens only, become spaces.
pub fn one_line(bytes: Bytes) -> Bytes {
    if memchr::memchr2(b'\n', b'\r', &bytes).is_none() {
        return bytes;
    }
    let mut owned = BytesMut::from(bytes);
    let places: Vec<usize> = memchr::memchr2_iter(b'\n', b'\r', &owned).collect();
    for place in places {
        owned[place] = b' ';
    }
    owned.freeze()
}

/// Where `part`, a slice of `whole`, lies in it.
fn place_in(whole: &[u8], part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

/// `bytes` with `range` replaced by `text`.
fn splice(bytes: &Bytes, range: Range<usize>, text: &str) -> Bytes {
    let mut spliced = BytesMut::with_capacity(bytes.len() - range.len() + text.len());
    spliced.extend_from_slice(&bytes[..range.start]);
    spliced.extend_from_slice(text.as_bytes());
    spliced.extend_from_slice(&bytes[range.end..]);
    spliced.freeze()
}

#[cfg(test)]
mod tests;
