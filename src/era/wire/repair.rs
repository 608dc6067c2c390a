//! Requests that a modern remote refused without running them, sent once more.

use super::{Flight, Role, Wire, answer::Carrier, end, meta};
use crate::{
    era::Step,
    message::{Message, member, members, object::quote, unquote},
    protocol::MODERN_VERSIONS,
    remote::{
        event::{End, ExchangeId, Mirrored, Post, Route},
        refusal,
    },
};

/// How many pages of tools are asked for.
const MOST_PAGES: u32 = 100;

/// How far the repair of a call's headers is (MH-37).
#[derive(Debug)]
pub(super) enum Repair {
    /// Its headers have not been found wrong.
    Unneeded,
    /// The remote is asked for its tools.
    Listing(Box<Listing>),
    /// It has been sent again.
    Done,
}

/// The tools asked for, because a call was refused.
#[derive(Debug)]
pub(super) struct Listing {
    /// How it was refused.
    refusal: End,
    pages: u32,
}

impl Listing {
    pub(super) fn take_refusal(&mut self) -> End {
        std::mem::replace(&mut self.refusal, End::Accepted(0))
    }
}

impl Flight {
    /// Whether its body is in a version of ours: only then the same body may do.
    pub(super) fn is_in_our_version(&self) -> bool {
        let Ok(message) = Message::parse(self.body.clone()) else { return false };
        let meta = message.param("_meta");
        let version = meta.and_then(|meta| member(meta, meta::PROTOCOL_VERSION)).map(unquote);
        version.is_some_and(|version| MODERN_VERSIONS.contains(&version.as_ref()))
    }
}

impl Wire {
    /// Sends a request once more, as it is but for its id.
    pub(super) fn repeat(&mut self, above: ExchangeId, steps: &mut Vec<Step>) {
        if let Some(flight) = self.flights.get_mut(&above) {
            flight.is_second = true;
            // A stream that has brought the refusal may still be open.
            steps.extend(flight.below.map(Step::Abort));
        }
        self.send_again(above, steps);
    }

    /// Whether the end of an exchange is the refusal of a call for its `Mcp-Param-…` headers. The
    /// other headers cannot be wrong, and a call with another status may have run.
    pub(super) fn repairs(&self, above: ExchangeId, how: &End) -> bool {
        let Some(flight) = self.flights.get(&above) else { return false };
        let (Role::ToolsCall(Repair::Unneeded), End::Status(refused)) = (&flight.role, how) else {
            return false;
        };
        let code = || {
            let answer = refusal::json_rpc_error(refused)?;
            Some(member(answer.error()?, "code")? == "-32020")
        };
        refused.status == 400 && code() == Some(true)
    }

    /// Asks for the tools, to make the headers of a call anew.
    pub(super) fn repair(&mut self, above: ExchangeId, refusal: End, steps: &mut Vec<Step>) {
        if let Some(flight) = self.flights.get_mut(&above) {
            flight.role = Role::ToolsCall(Repair::Listing(Box::new(Listing { refusal, pages: 0 })));
        }
        self.ask_for_page(above, None, steps);
    }

    fn ask_for_page(&mut self, above: ExchangeId, cursor: Option<&str>, steps: &mut Vec<Step>) {
        let Some(flight) = self.flights.get(&above) else { return };
        let Ok(call) = Message::parse(flight.body.clone()) else { return };
        let exchange = self.begin(above);
        let keys = [meta::PROTOCOL_VERSION, meta::CLIENT_CAPABILITIES, meta::CLIENT_INFO];
        let values = call.param("_meta").map_or([None; 3], |meta| members(meta, keys));
        let meta: Vec<String> = keys
            .iter()
            .zip(values)
            .filter_map(|(key, value)| Some(format!("{}:{}", quote(key), value?)))
            .collect();
        let cursor = cursor.map(|cursor| format!(r#""cursor":{cursor},"#)).unwrap_or_default();
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{},"method":"tools/list","params":{{{cursor}"_meta":{{{}}}}}}}"#,
            self.own_id(exchange),
            meta.join(",")
        );
        let mirrored = Mirrored {
            version: values[0].map_or(MODERN_VERSIONS[0].into(), unquote).into_owned(),
            method: "tools/list".to_owned(),
            ..Mirrored::default()
        };
        let route = Route::Modern(mirrored);
        steps.push(Step::Post(Post {
            exchange,
            route,
            message: None,
            body: body.into(),
            compressed: true,
            after: None,
        }));
    }

    /// A page of the tools asked for: the next is asked for, or the call sent again.
    pub(super) fn on_page(
        &mut self,
        above: ExchangeId,
        answer: &Message,
        carrier: Carrier,
        steps: &mut Vec<Step>,
    ) {
        let Some(flight) = self.flights.get_mut(&above) else { return };
        let Role::ToolsCall(Repair::Listing(listing)) = &mut flight.role else { return };
        if carrier == Carrier::Stream {
            // It has brought what it was for.
            steps.extend(flight.below.map(Step::Abort));
        }
        let Some(result) = answer.result() else {
            let refusal = listing.take_refusal();
            self.forget(above);
            return end(above, refusal, steps);
        };
        listing.pages += 1;
        let (pages, is_first) = (listing.pages, listing.pages == 1);
        self.learn(result, is_first, steps);
        // An empty one is a cursor like any other.
        let next = member(result, "nextCursor").filter(|next| next.starts_with('"'));
        if let Some(cursor) = next.filter(|_| pages < MOST_PAGES) {
            return self.ask_for_page(above, Some(cursor), steps);
        }
        if let Some(flight) = self.flights.get_mut(&above) {
            flight.role = Role::ToolsCall(Repair::Done);
        }
        self.send_again(above, steps);
    }
}
