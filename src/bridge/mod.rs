//! The relay.
//!
//! [`state`] decides everything and does nothing; `event_loop` reads, writes and waits, and does
//! what it says. [`pending`], [`memory`] and [`tools`] are the pure parts it is built of; [`store`]
//! keeps the memory on disk. `switch` keeps a state machine for each era of the client's, with the
//! layers that translate around it.

mod effects;
mod event_loop;
pub mod memory;
pub mod pending;
mod shutdown;
pub mod state;
pub mod store;
mod switch;
pub mod tools;

pub use event_loop::run;
