//! Connecting accounts: links that a person opens, on a page of the stand-in.

use serde_json::{Value, json};

use super::{
    catalogue,
    reply::{Outcome, invalid, missing, refuse},
    state::{Account, Call, State},
};
use crate::json::text;

pub(super) fn link(state: &mut State, call: &Call) -> Outcome {
    let slug = text(&call.body, "toolkit").unwrap_or_default();
    let user = state.session(call)?.user.clone();
    let Some(toolkit) = catalogue::toolkit(slug) else {
        return Err(invalid(vec![format!("toolkit: Toolkit with slug \"{slug}\" not found")]));
    };
    if catalogue::is_open(toolkit) {
        return Err(refuse(400, format!("Toolkit {slug} needs no connection")));
    }
    let base = state.base.clone();
    let account = state.open_account(call.project, &user, toolkit, false);
    account.alias = text(&call.body, "alias").unwrap_or_default().to_owned();
    Ok((201, linked(&base, account)))
}

/// The link of an account that waits for the person.
pub(super) fn linked(base: &str, account: &Account) -> Value {
    json!({
        "connected_account_id": account.id,
        "link_token": account.token,
        "redirect_url": format!("{base}/link/{}", account.token),
    })
}

/// The page behind a link: whoever opens it has connected the account.
pub(super) fn visit(state: &mut State, token: &str) -> Option<String> {
    let account = state.accounts.iter_mut().find(|account| account.token == token)?;
    account.is_active = true;
    Some(format!(
        "<!doctype html><title>Connected</title><p>{} is connected. You can close this page.</p>",
        account.toolkit
    ))
}

/// The auth config of an app.
pub(super) fn auth_config(_: &mut State, call: &Call) -> Outcome {
    let id = call.id(0);
    let toolkit = catalogue::of_auth_config(id).ok_or_else(|| missing("Auth config", id))?;
    let answer = json!({
        "id": id,
        "name": toolkit["name"],
        "toolkit": { "slug": toolkit["slug"], "logo": catalogue::logo(toolkit) },
        "auth_scheme": toolkit["scheme"],
        "is_composio_managed": true,
        "status": "ENABLED",
    });
    Ok((200, answer))
}
