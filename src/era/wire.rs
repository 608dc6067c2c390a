//! What a modern remote needs of any client (spec 26:http): headers that repeat the body, their
//! repair, and listen streams that outlive a connection.

use super::{Layer, Step};
use crate::{
    bridge::{Millis, state::Now},
    remote::event::{Event, ExchangeId, Get, Post},
};

/// The layer above the transport to a modern remote.
#[derive(Debug)]
pub struct Wire {
    exchanges: ExchangeId,
}

impl Wire {
    /// A layer that numbers the exchanges of its own from `exchanges` on, and makes up request ids
    /// that begin with `own_id`.
    pub fn new(exchanges: ExchangeId, own_id: &str) -> Self {
        let _ = own_id;
        Wire { exchanges }
    }
}

impl Layer for Wire {
    fn post(&mut self, post: Post, _: Now, steps: &mut Vec<Step>) {
        self.exchanges += 1;
        steps.push(Step::Post(post));
    }

    fn get(&mut self, _: Get, _: Now, _: &mut Vec<Step>) {}

    fn abort(&mut self, exchange: ExchangeId, _: Now, steps: &mut Vec<Step>) {
        steps.push(Step::Abort(exchange));
    }

    fn event(&mut self, event: Event, _: Now, steps: &mut Vec<Step>) {
        steps.push(Step::Up(event));
    }

    fn tick(&mut self, _: Now, _: &mut Vec<Step>) {}

    fn next_deadline(&self) -> Option<Millis> {
        None
    }
}
