use eventsource_stream::Eventsource;
use futures_util::StreamExt;
use proptest::prelude::*;

use super::*;

/// A body that arrives in these pieces.
fn response(pieces: Vec<Bytes>) -> reqwest::Response {
    struct Pieces(std::collections::VecDeque<Bytes>);
    impl Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }
    http::Response::new(reqwest::Body::wrap(Pieces(pieces.into()))).into()
}

fn cut(text: &str, size: usize) -> Vec<Bytes> {
    text.as_bytes().chunks(size.max(1)).map(Bytes::copy_from_slice).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime needs nothing special").block_on(future)
}

async fn decoded(pieces: Vec<Bytes>) -> Vec<Sse> {
    let mut events = Events::new(response(pieces), None);
    let mut all = Vec::new();
    while let Some(block) = events.next().await {
        all.push(block.expect("the stream is sound"));
    }
    all
}

/// What a message is made of, as both decoders see it.
fn messages(blocks: Vec<Sse>) -> Vec<(String, String)> {
    let of = |block: Sse| {
        let data = block.data.filter(|data| !data.is_empty())?;
        Some((block.event.filter(|name| !name.is_empty()).unwrap_or("message".to_owned()), data))
    };
    blocks.into_iter().filter_map(of).collect()
}

/// The same by another decoder, for the texts it can read.
async fn oracle(text: &str) -> Vec<(String, String)> {
    let bytes = Ok::<_, std::convert::Infallible>(Bytes::copy_from_slice(text.as_bytes()));
    let events = futures_util::stream::iter([bytes]).eventsource();
    let of = |event: eventsource_stream::Event| {
        (!event.data.is_empty()).then_some((event.event, event.data))
    };
    events.filter_map(|event| async { of(event.expect("the text is sound")) }).collect().await
}

proptest! {
    #[test]
    fn messages_are_what_another_decoder_reads_however_the_text_is_cut(
        lines in proptest::collection::vec(
            prop_oneof![
                "data: ?[a-z{}\":é]{0,8}", "event: ?(message|endpoint|x)", "id: ?[0-9]{1,3}",
                ":[a-z ]{0,5}", "[a-z]{1,4}: ?y", Just(String::new()), Just(String::new()),
            ], 0..30),
        ending in prop_oneof![Just("\n"), Just("\r\n")],
        size in 1usize..20,
    ) {
        let text: String = lines.iter().map(|line| format!("{line}{ending}")).collect();
        let ours = block_on(async { messages(decoded(cut(&text, size)).await) });
        prop_assert_eq!(ours, block_on(oracle(&text)));
    }
}

#[test]
fn what_the_other_decoder_cannot_read_is_read_by_the_rules() {
    let block = |data: &str| Sse { data: Some(data.to_owned()), ..Sse::default() };
    for (text, expected) in [
        ("\u{feff}data: a\n\n", vec![block("a")]),
        ("data: a\rdata: b\r\rdata: c\r\r", vec![block("a\nb"), block("c")]),
        ("retry: 50\n\n", vec![Sse { retry: Some(50), ..Sse::default() }]),
        ("retry: +5\nretry: x\ndata: a\n\n", vec![block("a")]),
        ("id: 7\ndata:\n\n", vec![Sse { id: Some("7".to_owned()), ..block("") }]),
        ("data: unfinished", vec![]),
    ] {
        for size in [1, 2, 3, 100] {
            assert_eq!(block_on(decoded(cut(text, size))), expected, "{text:?} by {size}");
        }
    }
}

#[test]
fn a_text_that_is_not_utf8_breaks_the_stream_and_says_so() {
    let broken = block_on(async {
        let mut events = Events::new(response(vec![Bytes::from_static(b"data: \xff\n\n")]), None);
        events.next().await
    });
    assert!(matches!(broken, Some(Err(why)) if why.contains("UTF-8")));
}
