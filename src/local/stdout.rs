//! Writing stdout: whole lines only, many at once, never waiting.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
};

use bytes::Bytes;

#[cfg(unix)]
use super::stdin::is_passing;

/// How many messages one write takes.
const AT_ONCE: usize = 64;

/// How much a pipe should hold, in bytes, so that a large message takes few turns (Linux).
#[cfg(target_os = "linux")]
const PIPE: usize = 1024 * 1024;

/// Our stdout, and what has yet to be written there.
pub struct Stdout {
    sink: Sink,
    queue: VecDeque<Bytes>,
    /// How much of the first message, with its newline, is written.
    offset: usize,
    backlog: usize,
}

enum Sink {
    /// A pipe or a socket.
    #[cfg(unix)]
    Direct {
        /// The descriptor.
        fd: tokio::net::unix::pipe::Sender,
        /// Put back in the end.
        _mode: super::pipe::Mode,
    },
    /// A terminal, a file, or another operating system: a thread that writes.
    Thread(thread::Writer),
}

impl Stdout {
    /// Opens it. Needs a runtime.
    pub fn open() -> Self {
        Stdout { sink: Sink::open(), queue: VecDeque::new(), offset: 0, backlog: 0 }
    }

    /// Adds a message; [`Stdout::write`] writes it.
    pub fn push(&mut self, message: Bytes) {
        self.backlog += message.len() + 1;
        self.queue.push_back(message);
    }

    /// How many bytes wait to be written.
    pub fn backlog(&self) -> usize {
        match &self.sink {
            #[cfg(unix)]
            Sink::Direct { .. } => self.backlog,
            Sink::Thread(writer) => self.backlog + writer.backlog(),
        }
    }

    /// Writes as much as is taken at once.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub fn write(&mut self) -> io::Result<()> {
        while !self.queue.is_empty() {
            match self.write_once() {
                Ok(written) => self.consume(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until more can be written, and writes it.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub async fn written(&mut self) -> io::Result<()> {
        match &mut self.sink {
            #[cfg(unix)]
            Sink::Direct { fd, .. } => {
                fd.writable().await?;
                match fd.try_write_vectored(&slices(&self.queue, self.offset)) {
                    Ok(written) => self.consume(written),
                    Err(error) if is_passing(&error) => return Ok(()),
                    Err(error) => return Err(error),
                }
                self.write()
            }
            Sink::Thread(writer) => writer.drained().await,
        }
    }

    fn write_once(&mut self) -> io::Result<usize> {
        match &mut self.sink {
            #[cfg(unix)]
            Sink::Direct { fd, .. } => {
                Ok(rustix::io::writev(fd, &slices(&self.queue, self.offset))?)
            }
            Sink::Thread(writer) => {
                let Some(message) = self.queue.front() else { return Ok(0) };
                writer.write(message.clone())?;
                Ok(message.len() + 1)
            }
        }
    }

    fn consume(&mut self, written: usize) {
        self.backlog -= written;
        self.offset += written;
        while let Some(first) = self.queue.front() {
            let length = first.len() + 1;
            if self.offset < length {
                return;
            }
            self.offset -= length;
            self.queue.pop_front();
        }
    }
}

impl Sink {
    fn open() -> Self {
        #[cfg(unix)]
        if let Some((file, mode)) = super::pipe::without_blocking(&io::stdout()) {
            #[cfg(target_os = "linux")]
            // Where it is refused, or a socket, the size it has will do.
            let _ = rustix::pipe::fcntl_setpipe_size(&file, PIPE);
            if let Ok(fd) = tokio::net::unix::pipe::Sender::from_file_unchecked(file) {
                return Sink::Direct { fd, _mode: mode };
            }
        }
        Sink::Thread(thread::Writer::start())
    }
}

/// The messages of `queue` with their newlines, but for the first `offset` bytes.
fn slices(queue: &VecDeque<Bytes>, offset: usize) -> Vec<IoSlice<'_>> {
    let mut parts = Vec::with_capacity(2 * queue.len().min(AT_ONCE));
    let mut skip = offset;
    for message in queue.iter().take(AT_ONCE) {
        if skip < message.len() {
            parts.push(IoSlice::new(&message[skip..]));
        }
        parts.push(IoSlice::new(b"\n"));
        skip = 0;
    }
    parts
}

mod thread {
    //! A thread that writes to a stdout which cannot be waited for.

    use std::{
        io::{self, Write},
        sync::{
            Arc,
            atomic::{AtomicBool, AtomicUsize, Ordering},
            mpsc,
        },
    };

    use bytes::Bytes;
    use tokio::sync::Notify;

    /// The thread.
    pub(super) struct Writer {
        messages: mpsc::Sender<Bytes>,
        shared: Arc<Shared>,
    }

    #[derive(Default)]
    struct Shared {
        backlog: AtomicUsize,
        broken: AtomicBool,
        progress: Notify,
    }

    impl Writer {
        pub(super) fn start() -> Self {
            let (messages, received) = mpsc::channel();
            let shared = Arc::<Shared>::default();
            let of_thread = Arc::clone(&shared);
            std::thread::spawn(move || write_all(&received, &of_thread));
            Writer { messages, shared }
        }

        pub(super) fn backlog(&self) -> usize {
            self.shared.backlog.load(Ordering::Acquire)
        }

        pub(super) fn write(&self, message: Bytes) -> io::Result<()> {
            self.check()?;
            self.shared.backlog.fetch_add(message.len() + 1, Ordering::AcqRel);
            self.messages.send(message).map_err(|_| io::ErrorKind::BrokenPipe.into())
        }

        pub(super) async fn drained(&self) -> io::Result<()> {
            let progress = self.shared.progress.notified();
            if self.backlog() > 0 && !self.shared.broken.load(Ordering::Acquire) {
                progress.await;
            }
            self.check()
        }

        fn check(&self) -> io::Result<()> {
            if self.shared.broken.load(Ordering::Acquire) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            Ok(())
        }
    }

    fn write_all(messages: &mpsc::Receiver<Bytes>, shared: &Shared) {
        let mut stdout = io::stdout().lock();
        while let Ok(message) = messages.recv() {
            let written = stdout
                .write_all(&message)
                .and_then(|()| stdout.write_all(b"\n"))
                .and_then(|()| stdout.flush());
            if written.is_err() {
                shared.broken.store(true, Ordering::Release);
                shared.progress.notify_one();
                return;
            }
            shared.backlog.fetch_sub(message.len() + 1, Ordering::AcqRel);
            shared.progress.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_begin_where_the_last_write_ended() {
        let queue: VecDeque<Bytes> =
            [Bytes::from_static(b"abc"), Bytes::new(), Bytes::from_static(b"d")].into();
        for (offset, expected) in [(0, "abc\n\nd\n"), (2, "c\n\nd\n"), (3, "\n\nd\n")] {
            let joined: Vec<u8> =
                slices(&queue, offset).iter().flat_map(|part| part.to_vec()).collect();
            assert_eq!(joined, expected.as_bytes(), "{offset}");
        }
    }
}
