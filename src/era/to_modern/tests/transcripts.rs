//! The dialogues of `transcripts/`, each a case of the conformance checklist (digest, section 9).

use super::Bench;
use crate::era::transcript::replay;

macro_rules! transcripts {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let text = include_str!(concat!("../transcripts/", stringify!($name), ".txt"));
                replay(stringify!($name), text, &mut Bench::new());
            }
        )*
    };
}

transcripts! {
    t70_handshake
    t72_ping_and_log_level
    t73_resource_subscriptions
    t74_listen_ends_and_returns
    t75_two_questions_and_a_state
    t76_a_state_is_not_kept
    t77_sampling_is_refused
    t78_cancelled_while_asking
    t79_endless_patience
    t80_values_that_are_no_objects
    t81_resource_not_found
    t82_a_url_to_visit
    a_plain_call
    a_task
    a_retry_is_lost
    late_confirmation
    subscribed_again_after_a_reconnect
}
