//! What quadrant B promises, a test a row of the digest.

mod asking;
mod calls;
mod chain;
mod discovery;
mod holding;
mod listening;
mod logging;
mod random;
mod sessions;
mod tasks;
mod transcripts;
mod urls;

use super::transcript::{ACME, Dialogue};

/// A client that can be asked for everything.
const ALL: &str = r#"{"roots":{},"sampling":{},"elicitation":{"form":{},"url":{}}}"#;

/// With a call of that client under way, `$call`.
fn in_a_call() -> Dialogue {
    in_a_call_of(ALL)
}

fn in_a_call_of(capabilities: &str) -> Dialogue {
    let mut dialogue = Dialogue::open(capabilities, ACME);
    dialogue.play(
        r#"
        client> {$J,"id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]},"_meta":{$V,$CAN:$CAP}}}
        core< {$J,"id":"$call","method":"tools/call","params":{"name":"a","arguments":{"x":1,"y":[2]}}}
        "#,
    );
    dialogue
}

/// The same, with a question asked and the call held under `$state`; its key is `$key`.
fn held() -> Dialogue {
    let mut dialogue = in_a_call();
    dialogue.play(
        r#"
        core($call)> {$J,"id":"s1","method":"elicitation/create","params":{"message":"Name?","requestedSchema":{"type":"object"}}}
        wait 30
        client< {$J,"id":1,"result":{"resultType":"input_required","inputRequests":{"$key":{"method":"elicitation/create","params":{"message":"Name?","requestedSchema":{"type":"object"}}}},"requestState":"$state",$ACME}}
        "#,
    );
    dialogue
}

/// What a `requestState` that is not good any more, or never was, is answered with.
const INVALID: &str = r#""error":{"code":-32602,"message":"could not go on with `tools/call`: its `requestState` is unknown, used, expired or of another request; make the call again without `requestState` and `inputResponses`","data":{"origin":"bridge","reason":"invalid_request_state"}}}"#;
