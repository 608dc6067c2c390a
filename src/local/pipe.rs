//! Standard streams that can be waited for: pipes and sockets.

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
};

use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat};

/// Gives a stream back its mode when dropped. Copies of a descriptor share one mode, so whatever
/// shares the stream with this process would find it changed.
pub struct Mode {
    fd: OwnedFd,
    flags: OFlags,
}

impl Drop for Mode {
    fn drop(&mut self) {
        // Where that fails, nothing is left to be done about it.
        let _ = fcntl_setfl(&self.fd, self.flags);
    }
}

/// A copy of a standard stream that does not block, if it is a pipe or a socket. A terminal or a
/// file is left as it is: it cannot be waited for.
pub fn without_blocking(stream: &impl AsFd) -> Option<(File, Mode)> {
    let kind = FileType::from_raw_mode(fstat(stream.as_fd()).ok()?.st_mode);
    if !matches!(kind, FileType::Fifo | FileType::Socket) {
        return None;
    }
    let copy = || stream.as_fd().try_clone_to_owned().ok();
    let (file, fd) = (File::from(copy()?), copy()?);
    let flags = fcntl_getfl(&fd).ok()?;
    fcntl_setfl(&fd, flags | OFlags::NONBLOCK).ok()?;
    Some((file, Mode { fd, flags }))
}
