//! What exchanges report, on its way to the bridge; bounded by size, so that a client that does not
//! read holds the remote back.

use std::sync::Arc;

use tokio::sync::{
    Semaphore,
    mpsc::{self, Receiver, Sender},
};

use super::event::Event;

/// How many events may be on their way.
const EVENTS: usize = 256;

/// How many bytes of messages may be on their way. A larger message goes alone.
const BYTES: u32 = 4 * 1024 * 1024;

/// Where exchanges report to.
#[derive(Clone)]
pub struct Reporter {
    events: Sender<Event>,
    room: Arc<Semaphore>,
}

impl Reporter {
    /// A reporter, and where its reports arrive.
    pub fn new() -> (Self, Receiver<Event>) {
        let (events, received) = mpsc::channel(EVENTS);
        (Reporter { events, room: Arc::new(Semaphore::new(BYTES as usize)) }, received)
    }

    /// Reports an event, as soon as there is room for it.
    pub async fn report(&self, event: Event) {
        let size = size(&event);
        let Ok(room) = self.room.acquire_many(size).await else { return };
        // Where the bridge has gone away, so will this task.
        if self.events.send(event).await.is_ok() {
            room.forget();
        }
    }

    /// Makes room again: this event has arrived.
    pub fn arrived(&self, event: &Event) {
        self.room.add_permits(size(event) as usize);
    }
}

fn size(event: &Event) -> u32 {
    let bytes = match event {
        Event::Message { bytes, .. } | Event::Answer { bytes, .. } => bytes.len(),
        Event::Opened { .. } | Event::Endpoint { .. } | Event::Ended { .. } => 0,
    };
    u32::try_from(bytes).unwrap_or(BYTES).min(BYTES)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn large_messages_wait_for_room_and_small_ones_do_not() {
        let (reporter, mut received) = Reporter::new();
        let message =
            |size: usize| Event::Message { exchange: 1, bytes: Bytes::from(vec![b' '; size]) };
        reporter.report(message(3 * 1024 * 1024)).await;
        let other = reporter.clone();
        let waiting = tokio::spawn(async move { other.report(message(64 * 1024 * 1024)).await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        for _ in 0..2 {
            let event = received.recv().await.expect("it is reported");
            reporter.arrived(&event);
        }
        waiting.await.expect("it found room");
        assert_eq!(reporter.room.available_permits(), BYTES as usize);
    }
}
