//! What a client of 2026-07-28 is told in the place of a remote that cannot be asked yet: that its
//! subscriptions have begun, and that lists are empty.

use bytes::Bytes;

use super::meta;
use crate::{
    message::{member, one_line, same_id},
    protocol::List,
};

/// How the remote says that a subscription has begun (26:subs).
pub const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

/// What was promised, until the remote can keep it.
#[derive(Debug, Clone, Default)]
pub struct Promised {
    /// The raw ids of the subscriptions.
    ids: Vec<String>,
    /// The lists that were said to be empty.
    lists: Vec<List>,
}

impl Promised {
    /// Promises the subscription of that raw id all of its raw filter; the message that says so.
    pub fn subscription(&mut self, id: &str, filter: &str) -> Bytes {
        self.ids.push(id.to_owned());
        let name = meta::SUBSCRIPTION_ID;
        let text = format!(
            r#"{{"jsonrpc":"2.0","method":"{ACKNOWLEDGED}","params":{{"_meta":{{"{name}":{id}}},"notifications":{filter}}}}}"#
        );
        one_line(text.into())
    }

    /// Says that a list is empty, for now.
    pub fn empty(&mut self, list: List) {
        if !self.lists.contains(&list) {
            self.lists.push(list);
        }
    }

    /// Whether that subscription was promised.
    pub fn has(&self, id: &str) -> bool {
        self.ids.iter().any(|known| same_id(known, id))
    }

    /// Forgets the subscriptions that are over.
    pub fn retain(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.ids.retain(|id| is_wanted(id));
    }

    /// The remote begins that subscription; in the place of its word for it the client hears which
    /// lists have changed. `None` if it was not promised.
    pub fn keep(&mut self, id: &str, filter: &str) -> Option<Vec<Bytes>> {
        let at = self.ids.iter().position(|known| same_id(known, id))?;
        self.ids.swap_remove(at);
        let name = meta::SUBSCRIPTION_ID;
        let is_wanted =
            |list: &&List| member(filter, &format!("{}ListChanged", list.name())) == Some("true");
        let changed = self.lists.iter().filter(is_wanted).map(|list| {
            let list = list.name();
            let text = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/{list}/list_changed","params":{{"_meta":{{"{name}":{id}}}}}}}"#
            );
            text.into()
        });
        Some(changed.collect())
    }
}
