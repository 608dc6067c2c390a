//! Whole dialogues, from the first line to the last.

use super::super::transcript::play;

#[test]
fn a_morning_with_tools() {
    play(include_str!("../transcripts/tools.txt"));
}

#[test]
fn a_person_is_asked_twice() {
    play(include_str!("../transcripts/rounds.txt"));
}

#[test]
fn a_session_is_lost_while_a_call_is_held() {
    play(include_str!("../transcripts/session_lost.txt"));
}
