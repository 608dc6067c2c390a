//! The translation for a legacy client: tables, and whole dialogues.

mod handshake;
mod input;
mod play;
mod random;
mod requests;
mod results;
mod subscriptions;
mod tasks;
mod transcripts;

use play::Bench;
