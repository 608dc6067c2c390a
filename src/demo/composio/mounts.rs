//! The files of a session. Addresses to put and get one at need no key, as they are secret.

use serde_json::json;

use super::{
    reply::{Outcome, Refusal, cursor_page, missing},
    state::{Call, State},
};
use crate::json::text;

/// Where a mount is in the sandbox.
const PREFIX: &str = "/mnt/";

pub(super) fn items(state: &mut State, call: &Call) -> Outcome {
    let limit = call.number("limit", 20, 500)?;
    let prefix = place(state, call)? + call.query("mount_relative_prefix").unwrap_or_default();
    let root = place(state, call)?;
    let files = state.files.iter().filter(|(name, _)| name.starts_with(&prefix));
    let items = files.map(|(name, bytes)| {
        json!({
            "mount_relative_path": name[root.len()..],
            "sandbox_mount_prefix": format!("{PREFIX}{}", call.id(1)),
            "size": bytes.len(),
            "last_modified": "2026-11-01T00:00:00.000Z",
        })
    });
    cursor_page(items.collect(), limit, call.query("cursor"))
}

pub(super) fn delete(state: &mut State, call: &Call) -> Outcome {
    let (name, path) = existing(state, call)?;
    state.files.remove(&name);
    let mount = format!("{PREFIX}{}", call.id(1));
    Ok((200, json!({ "mount_relative_path": path, "sandbox_mount_prefix": mount })))
}

pub(super) fn download_url(state: &mut State, call: &Call) -> Outcome {
    let (name, path) = existing(state, call)?;
    Ok((200, addressed(state, call, "download_url", &name, &path)))
}

pub(super) fn upload_url(state: &mut State, call: &Call) -> Outcome {
    let path = path(call);
    let name = place(state, call)? + &path;
    Ok((200, addressed(state, call, "upload_url", &name, &path)))
}

fn addressed(state: &State, call: &Call, what: &str, name: &str, path: &str) -> serde_json::Value {
    let mut answer = json!({
        "mount_relative_path": path,
        "sandbox_mount_prefix": format!("{PREFIX}{}", call.id(1)),
        "expires_at": "2099-01-01T00:00:00.000Z",
    });
    answer[what] = format!("{}/files/{name}", state.base).into();
    answer
}

fn existing(state: &mut State, call: &Call) -> Result<(String, String), Refusal> {
    let path = path(call);
    let name = place(state, call)? + &path;
    if !state.files.contains_key(&name) {
        return Err(missing("File", &path));
    }
    Ok((name, path))
}

fn path(call: &Call) -> String {
    text(&call.body, "mount_relative_path").unwrap_or_default().trim_start_matches('/').to_owned()
}

fn place(state: &mut State, call: &Call) -> Result<String, Refusal> {
    state.session(call)?;
    Ok(format!("{}/{}/", call.id(0), call.id(1)))
}
