//! Notifications, in both directions (XB-31, XB-32, XB-35).

use tracing::debug;

use super::{
    ToLegacy,
    request::{Method, Params},
};
use crate::message::Message;

impl ToLegacy {
    /// The client notifies.
    pub(super) fn on_notification(&mut self, message: &Message) {
        match message.method().as_ref() {
            "notifications/cancelled" => self.on_local_cancelled(message),
            // These are no part of 2026-07-28, and the session here is not the client's.
            "notifications/initialized"
            | "notifications/roots/list_changed"
            | "notifications/progress" => debug!("ignored a notification that is gone"),
            _ if self.session.is_open() => {
                let bytes = match message.params() {
                    Some(_) => message.with_params(
                        &Params::of(message).into_legacy(Method::Other, "0").to_string(),
                    ),
                    None => message.bytes().clone(),
                };
                self.say(bytes);
            }
            _ => debug!("ignored a notification before there was a session"),
        }
    }

    /// The server notifies.
    pub(super) fn on_notice(&mut self, message: &Message, during: Option<&str>) {
        match message.method().as_ref() {
            "notifications/progress" => self.on_progress(message),
            "notifications/message" => self.on_log_message(message, during),
            "notifications/cancelled" => self.on_question_cancelled(message),
            "notifications/tools/list_changed" => self.on_list_changed("tools", message),
            "notifications/prompts/list_changed" => self.on_list_changed("prompts", message),
            "notifications/resources/list_changed" => self.on_list_changed("resources", message),
            "notifications/resources/updated" => self.on_updated(message),
            // They have no modern form: the next answer tells the same.
            "notifications/elicitation/complete" | "notifications/tasks/status" => {}
            _ => self.on_other_notice(message, during),
        }
    }

    /// Progress goes to the client under its own token, as long as its request runs (XB-47).
    fn on_progress(&mut self, message: &Message) {
        let number = message.param("progressToken").and_then(|token| self.own_number(token));
        let call = number.and_then(|number| self.calls.get(&number));
        if let Some(token) = call.and_then(|call| call.progress()) {
            let bytes = message.with_param("progressToken", token);
            self.tell(bytes);
        }
    }

    /// What nobody knows may go with the request it came for, and only then.
    fn on_other_notice(&mut self, message: &Message, during: Option<&str>) {
        let number = during.and_then(|id| self.own_number(id)).and_then(|id| self.call_of(id));
        match number.and_then(|number| self.calls.get(&number)) {
            Some(call) if !call.is_held => self.tell(message.bytes().clone()),
            _ => debug!("ignored a notification that no request asked for"),
        }
    }
}
