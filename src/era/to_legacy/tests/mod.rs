//! What quadrant B promises, a test a row of the digest.

mod calls;
mod discovery;
mod listening;
mod logging;
mod rounds;
mod sessions;
mod tasks;
mod transcripts;
