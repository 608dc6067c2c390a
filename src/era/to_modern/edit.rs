//! Replacing parts of a message in one copy, with every other byte as it was.

use std::{borrow::Cow, ops::Range};

use bytes::{Bytes, BytesMut};

use crate::message::object::Object;

/// Replacements of parts of a message that do not overlap.
pub(super) struct Edits<'a> {
    whole: &'a Bytes,
    all: Vec<(Range<usize>, Cow<'a, str>)>,
}

impl<'a> Edits<'a> {
    /// None so far.
    pub fn new(whole: &'a Bytes) -> Self {
        Edits { whole, all: Vec::new() }
    }

    /// Whether the message stays as it is.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Puts `text` in the place of `part`, a slice of the message.
    pub fn replace(&mut self, part: &str, text: impl Into<Cow<'a, str>>) {
        self.all.push((self.place(part), text.into()));
    }

    /// Adds raw members before all others of the object whose text is `object`; `others` says
    /// whether any other member stays.
    pub fn add_members(&mut self, object: &str, members: impl Into<Cow<'a, str>>, others: bool) {
        let Some(start) = object.get(1..1) else { return };
        self.replace(start, members);
        if others {
            self.replace(start, ",");
        }
    }

    /// Takes members out of `object`, whose text is `text`.
    pub fn cut(&mut self, text: &str, object: &Object<'_>, goes: impl Fn(&str) -> bool) {
        let mut is_first = true;
        let mut end = self.place(text).start + 1;
        for (name, value) in object.iter() {
            let value_end = self.place(value).end;
            if goes(&name) {
                let stop = if is_first { self.after_comma(value_end) } else { value_end };
                self.all.push((end..stop, Cow::Borrowed("")));
                end = stop;
            } else {
                is_first = false;
                end = value_end;
            }
        }
    }

    /// The message with all replacements.
    pub fn finish(mut self) -> Bytes {
        if self.is_empty() {
            return self.whole.clone();
        }
        // Stable: what is added in one place stays in the order it was added.
        self.all.sort_by_key(|(place, _)| (place.start, place.end));
        let added: usize = self.all.iter().map(|(_, text)| text.len()).sum();
        let mut edited = BytesMut::with_capacity(self.whole.len() + added);
        let mut from = 0;
        for (place, text) in &self.all {
            edited.extend_from_slice(&self.whole[from..place.start]);
            edited.extend_from_slice(text.as_bytes());
            from = place.end;
        }
        edited.extend_from_slice(&self.whole[from..]);
        edited.freeze()
    }

    fn place(&self, part: &str) -> Range<usize> {
        let start = part.as_ptr() as usize - self.whole.as_ptr() as usize;
        start..start + part.len()
    }

    /// The place behind the comma that follows `at`, or `at` itself where none does.
    fn after_comma(&self, at: usize) -> usize {
        let rest = &self.whole[at..];
        let space = rest.len() - rest.trim_ascii_start().len();
        if rest.get(space) == Some(&b',') { at + space + 1 } else { at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_go_and_every_other_byte_stays() {
        for (text, gone, left) in [
            (r#"{"a":1,"b" : 2 ,"c":3}"#, "a", r#"{"b" : 2 ,"c":3}"#),
            (r#"{"a":1,"b" : 2 ,"c":3}"#, "b", r#"{"a":1 ,"c":3}"#),
            (r#"{"a":1,"b" : 2 ,"c":3}"#, "c", r#"{"a":1,"b" : 2}"#),
            (r#"{"a":1,"b" : 2 ,"c":3}"#, "ab", r#"{"c":3}"#),
            (r#"{"a":1,"b" : 2 ,"c":3}"#, "ac", r#"{"b" : 2}"#),
            (r#"{"a":1,"b" : 2 ,"c":3}"#, "abc", "{}"),
            (r#"{ "a":1, "a":2, "b":3}"#, "a", r#"{ "b":3}"#),
            (r#"{ "a" : 1 }"#, "a", r"{ }"),
            (r#"{ "a" : 1 }"#, "z", r#"{ "a" : 1 }"#),
        ] {
            let bytes = Bytes::from_static(text.as_bytes());
            let object = Object::parse(text).expect("an object");
            let mut edits = Edits::new(&bytes);
            edits.cut(text, &object, |name| gone.contains(name));
            assert_eq!(edits.finish(), left, "{text} without {gone}");
        }
    }

    #[test]
    fn what_is_added_comes_first() {
        for (text, others, expected) in
            [("{}", false, r#"{"n":1}"#), (r#"{"a":2}"#, true, r#"{"n":1,"a":2}"#)]
        {
            let bytes = Bytes::from_static(text.as_bytes());
            let mut edits = Edits::new(&bytes);
            edits.add_members(text, r#""n":1"#, others);
            assert_eq!(edits.finish(), expected);
        }
    }
}
