//! What the system tells of a process. Linux only; `None` elsewhere.

use std::time::Duration;

/// Memory that is resident now, in bytes.
pub fn resident(pid: u32) -> Option<f64> {
    status(pid, "VmRSS:")
}

/// The part of it that is the process's own: heap and stack, not pages of the executable, which
/// all processes share and the system may drop.
pub fn private(pid: u32) -> Option<f64> {
    status(pid, "RssAnon:")
}

/// The most memory that was ever resident, in bytes.
pub fn peak(pid: u32) -> Option<f64> {
    status(pid, "VmHWM:")
}

fn status(pid: u32, field: &str) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024.0)
}

/// The processor time that the threads now running have used. In nanoseconds at the source, where
/// the usual ticks are too coarse for a few thousand calls.
pub fn cpu(pid: u32) -> Option<Duration> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Some(Duration::from_nanos(nanos.sum()))
}
