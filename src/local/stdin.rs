//! Reading stdin: on the event loop where it is a pipe or a socket, as every client makes it, and
//! by a thread otherwise.

use std::io;

use bytes::Bytes;
use tokio::{io::AsyncReadExt, sync::mpsc};

/// How much is read at once, in bytes.
const READ: usize = 64 * 1024;

/// Our stdin.
pub enum Stdin {
    /// A pipe or a socket.
    #[cfg(unix)]
    Direct {
        /// The descriptor.
        fd: tokio::net::unix::pipe::Receiver,
        /// Where it is read to.
        buffer: Box<[u8]>,
        /// Put back in the end.
        _mode: super::pipe::Mode,
    },
    /// A terminal, a file, or another operating system.
    Thread {
        /// What the thread has read.
        chunks: mpsc::Receiver<Bytes>,
        /// What was taken from it last.
        last: Bytes,
    },
}

impl Stdin {
    /// Opens it. Needs a runtime.
    pub fn open() -> Self {
        #[cfg(unix)]
        if let Some((file, mode)) = super::pipe::without_blocking(&io::stdin())
            && let Ok(fd) = tokio::net::unix::pipe::Receiver::from_file_unchecked(file)
        {
            return Stdin::Direct { fd, buffer: vec![0; READ].into(), _mode: mode };
        }
        let (sender, chunks) = mpsc::channel(4);
        std::thread::spawn(move || read_all(&sender));
        Stdin::Thread { chunks, last: Bytes::new() }
    }

    /// The next bytes; none at the end of the stream, or when it broke, which is the same to us.
    /// Nothing is lost when the future is dropped.
    pub async fn read(&mut self) -> &[u8] {
        match self {
            #[cfg(unix)]
            // Unlike `try_read` this knows that a pipe which gave less than was asked for is empty,
            // and spares the attempt that would say so.
            Stdin::Direct { fd, buffer, .. } => loop {
                match fd.read(buffer).await {
                    Ok(read) => return &buffer[..read],
                    Err(error) if is_passing(&error) => {}
                    Err(_) => return &[],
                }
            },
            Stdin::Thread { chunks, last } => {
                *last = chunks.recv().await.unwrap_or_default();
                last
            }
        }
    }
}

/// Whether reading or writing again may work.
#[cfg(unix)]
pub(super) fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn read_all(sender: &mpsc::Sender<Bytes>) {
    let mut buffer = vec![0; READ];
    let mut stdin = io::stdin().lock();
    loop {
        match io::Read::read(&mut stdin, &mut buffer) {
            Ok(0) => return,
            Ok(read) => {
                if sender.blocking_send(Bytes::copy_from_slice(&buffer[..read])).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
