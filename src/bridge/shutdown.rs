//! What ends the process besides the end of stdin: signals, and a parent that is gone.

use tokio::sync::mpsc;

/// Waits for an end.
pub struct Endings(mpsc::UnboundedReceiver<&'static str>);

impl Endings {
    /// Begins to watch. Needs a runtime.
    pub fn watch() -> Self {
        let (sender, reasons) = mpsc::unbounded_channel();
        let (mut signals, mut parent) = (Signals::watch(), Parent::watch());
        // A task of its own, so that no message pays for asking after the signals.
        tokio::spawn(async move {
            let mut orphaned = false;
            loop {
                let reason = tokio::select! {
                    signal = signals.next() => signal,
                    () = parent.gone(), if !orphaned => {
                        orphaned = true;
                        "the parent process is gone"
                    }
                };
                if sender.send(reason).is_err() {
                    return;
                }
            }
        });
        Endings(reasons)
    }

    /// Waits for the next end, and says what it was. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> &'static str {
        match self.0.recv().await {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }
}

#[cfg(unix)]
struct Signals {
    all: [(Option<tokio::signal::unix::Signal>, &'static str); 3],
}

#[cfg(unix)]
impl Signals {
    fn watch() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let watch = |kind| signal(kind).ok();
        Signals {
            all: [
                (watch(SignalKind::terminate()), "SIGTERM"),
                (watch(SignalKind::interrupt()), "SIGINT"),
                (watch(SignalKind::hangup()), "SIGHUP"),
            ],
        }
    }

    async fn next(&mut self) -> &'static str {
        std::future::poll_fn(|cx| {
            for (signal, name) in &mut self.all {
                if let Some(signal) = signal
                    && signal.poll_recv(cx).is_ready()
                {
                    return std::task::Poll::Ready(*name);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

#[cfg(windows)]
struct Signals;

#[cfg(windows)]
impl Signals {
    fn watch() -> Self {
        Signals
    }

    async fn next(&mut self) -> &'static str {
        use tokio::signal::windows::{ctrl_break, ctrl_close};
        let (Ok(mut pressed), Ok(mut closed)) = (ctrl_break(), ctrl_close()) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => "Ctrl-C",
            _ = pressed.recv() => "Ctrl-Break",
            _ = closed.recv() => "the console is closed",
        }
    }
}

/// The process that started us. Its death usually ends stdin too, but not where another process
/// holds the other end.
#[cfg(target_os = "linux")]
struct Parent(Option<tokio::net::unix::pipe::Receiver>);

#[cfg(target_os = "linux")]
impl Parent {
    fn watch() -> Self {
        use rustix::process::{PidfdFlags, getppid, pidfd_open};
        let fd = getppid().and_then(|parent| pidfd_open(parent, PidfdFlags::empty()).ok());
        // A process's descriptor becomes readable when it ends, which is all that is used here.
        Parent(fd.and_then(|fd| tokio::net::unix::pipe::Receiver::from_owned_fd_unchecked(fd).ok()))
    }

    async fn gone(&mut self) {
        let ended = match &self.0 {
            Some(fd) => fd.readable().await.is_ok(),
            None => false,
        };
        if !ended {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
struct Parent(Option<rustix::process::Pid>);

#[cfg(all(unix, not(target_os = "linux")))]
impl Parent {
    fn watch() -> Self {
        Parent(rustix::process::getppid())
    }

    async fn gone(&mut self) {
        while rustix::process::getppid() == self.0 {
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        }
    }
}

#[cfg(not(unix))]
struct Parent;

#[cfg(not(unix))]
impl Parent {
    fn watch() -> Self {
        Parent
    }

    /// Windows ends a client's children by job object, and stdin with them.
    async fn gone(&mut self) {
        std::future::pending::<()>().await;
    }
}
