//! What the API answers: values, refusals in the one envelope of its errors, and pages of lists.

use serde_json::{Value, json};

/// A refusal, as the API words it.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) message: String,
    pub(super) errors: Vec<String>,
    pub(super) fix: &'static str,
}

/// The status and the body of an answer.
pub(super) type Outcome = Result<(u16, Value), Refusal>;

/// A refusal with this status.
pub(super) fn refuse(status: u16, message: impl Into<String>) -> Refusal {
    Refusal { status, message: message.into(), errors: Vec::new(), fix: "" }
}

/// 404 for something with an id: it is not there, or of another project.
pub(super) fn missing(what: &str, id: &str) -> Refusal {
    Refusal {
        fix: "Check the id, and that it belongs to the project of this API key",
        ..refuse(404, format!("{what} {id} not found"))
    }
}

/// 400 for a body or a query that breaks the rules, each with its place.
pub(super) fn invalid(errors: Vec<String>) -> Refusal {
    Refusal {
        errors,
        fix: "Compare the request with the API reference",
        ..refuse(400, "Validation error while processing request")
    }
}

impl Refusal {
    /// The body: the envelope of all of the API's errors.
    pub(super) fn envelope(&self, request_id: &str) -> Value {
        let mut error = json!({
            "message": self.message,
            "code": 10_000 + u32::from(self.status),
            "slug": slug(self.status),
            "status": self.status,
            "request_id": request_id,
        });
        if !self.fix.is_empty() {
            error["suggested_fix"] = self.fix.into();
        }
        if !self.errors.is_empty() {
            error["errors"] = self.errors.clone().into();
        }
        json!({ "error": error })
    }
}

fn slug(status: u16) -> &'static str {
    match status {
        400 => "HTTP_BadRequest",
        401 => "HTTP_Unauthorized",
        403 => "HTTP_Forbidden",
        404 => "HTTP_NotFound",
        405 => "HTTP_MethodNotAllowed",
        409 => "HTTP_Conflict",
        410 => "HTTP_Gone",
        429 => "HTTP_TooManyRequests",
        _ => "HTTP_InternalServerError",
    }
}

/// One page of a list that is read on with a cursor.
pub(super) fn cursor_page(all: Vec<Value>, limit: usize, cursor: Option<&str>) -> Outcome {
    let start = match cursor {
        None => 0,
        Some(cursor) => cursor
            .strip_prefix("next_")
            .and_then(|at| at.parse().ok())
            .ok_or_else(|| invalid(vec!["cursor: Invalid cursor".into()]))?,
    };
    let total = all.len();
    let end = total.min(start + limit);
    let items: Vec<_> = all.into_iter().skip(start).take(limit).collect();
    let next = (end < total).then(|| format!("next_{end}"));
    let page = json!({
        "items": items,
        "next_cursor": next,
        "total_items": total,
        "total_pages": total.div_ceil(limit),
        "current_page": start / limit + 1,
    });
    Ok((200, page))
}

/// One page of a list with numbered pages, from 1; `items` is what the list is called.
pub(super) fn numbered_page(items: &str, all: Vec<Value>, limit: usize, page: usize) -> Value {
    let total_pages = all.len().div_ceil(limit).max(1);
    let mut body = json!({ "current_page": page, "total_pages": total_pages });
    body[items] = all.into_iter().skip((page - 1) * limit).take(limit).collect();
    body
}
