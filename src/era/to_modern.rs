//! A modern remote, as a legacy client's state machine may take it for a legacy one (quadrant A,
//! spec digest 6A).

use super::{Layer, Step};
use crate::{
    bridge::{Millis, state::Now},
    remote::event::{Event, ExchangeId, Get, Post},
};

/// The translation for a legacy client.
#[derive(Debug)]
pub struct ToModern {
    exchanges: ExchangeId,
}

impl ToModern {
    /// A translation to the remote on `host`, which numbers exchanges of its own from `exchanges`
    /// on and makes up request ids that begin with `own_id`.
    pub fn new(host: &str, exchanges: ExchangeId, own_id: &str) -> Self {
        let _ = (host, own_id);
        ToModern { exchanges }
    }
}

impl Layer for ToModern {
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
