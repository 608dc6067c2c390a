//! Lists that the API gives in pages.

use serde_json::Value;

use super::{Api, Call};
use crate::{
    error::{Error, Kind},
    json::text,
};

/// How a list is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// Each page names the next with `next_cursor`.
    Cursor,
    /// Pages are numbered: `page_no`, `current_page`, `total_pages`.
    Number,
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// How many entries a page has; `None` for the API's own choice.
    pub limit: Option<u64>,
    /// Where it begins: a cursor, or the number of a page.
    pub from: Option<String>,
    /// Whether everything from there on is wanted, and not one page.
    pub all: bool,
}

impl Paging {
    /// The query parameter that says where a page begins.
    pub fn parameter(self) -> &'static str {
        match self {
            Paging::Cursor => "cursor",
            Paging::Number => "page_no",
        }
    }

    /// Where the page after this one begins; `None` after the last.
    pub fn next(self, page: &Value) -> Option<String> {
        match self {
            Paging::Cursor => text(page, "next_cursor").map(String::from),
            Paging::Number => {
                let number = |name| page.get(name).and_then(Value::as_u64);
                let current = number("current_page")?;
                (current < number("total_pages")?).then(|| (current + 1).to_string())
            }
        }
    }
}

/// The pages of a list, one after the other.
pub struct Pages<'a> {
    api: &'a Api,
    call: Call<'a>,
    paging: Paging,
    next: Next,
    /// Where the pages so far began.
    seen: Vec<String>,
}

enum Next {
    First,
    From(String),
    End,
}

impl<'a> Pages<'a> {
    /// Nothing is asked yet. `call` is the request for the list, without the part.
    pub fn new(api: &'a Api, mut call: Call<'a>, paging: Paging, part: &Part) -> Self {
        call.query.extend(part.limit.map(|limit| ("limit", limit.to_string())));
        let next = part.from.clone().map_or(Next::First, Next::From);
        Pages { api, call, paging, next, seen: Vec::new() }
    }

    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// The request failed, or the pages lead back to where they came from.
    pub async fn next(&mut self) -> Result<Option<Value>, Error> {
        let from = match std::mem::replace(&mut self.next, Next::End) {
            Next::End => return Ok(None),
            Next::First => None,
            Next::From(place) => Some(place),
        };
        let parameter = self.paging.parameter();
        self.call.query.retain(|(name, _)| *name != parameter);
        self.call.query.extend(from.clone().map(|place| (parameter, place)));
        self.seen.extend(from);
        let page = self.api.send(&self.call).await?;
        if let Some(place) = self.paging.next(&page) {
            if self.seen.contains(&place) {
                return Err(Error::new(Kind::Protocol, self.call.attempted)
                    .because("a page of the list leads back to itself or to one before it"));
            }
            self.next = Next::From(place);
        }
        Ok(Some(page))
    }
}

/// The wanted part of a list as one document: the last page that was read, with the entries of all
/// in its member `list`.
///
/// # Errors
/// The request failed.
pub async fn gather(
    api: &Api,
    call: Call<'_>,
    paging: Paging,
    part: &Part,
    list: &str,
) -> Result<Value, Error> {
    let attempted = call.attempted;
    let mut pages = Pages::new(api, call, paging, part);
    let (mut entries, mut last) = (Vec::new(), Value::Null);
    while let Some(mut page) = pages.next().await? {
        match page.get_mut(list).map(Value::take) {
            Some(Value::Array(some)) => entries.extend(some),
            _ => {
                return Err(Error::new(Kind::Protocol, attempted)
                    .because(format!("the answer has no list `{list}`")));
            }
        }
        last = page;
        if !part.all {
            break;
        }
    }
    last[list] = Value::Array(entries);
    Ok(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_page_has_no_next() {
        for (paging, page, next) in [
            (Paging::Cursor, json!({"next_cursor": "c2"}), Some("c2")),
            (Paging::Cursor, json!({"next_cursor": null}), None),
            (Paging::Cursor, json!({"next_cursor": ""}), None),
            (Paging::Cursor, json!({}), None),
            (Paging::Number, json!({"current_page": 1, "total_pages": 3}), Some("2")),
            (Paging::Number, json!({"current_page": 3, "total_pages": 3}), None),
            (Paging::Number, json!({"current_page": 1, "total_pages": 0}), None),
            (Paging::Number, json!({"total_pages": 3}), None),
        ] {
            assert_eq!(paging.next(&page).as_deref(), next, "{paging:?} {page}");
        }
    }
}
