//! Logging: to stderr for the client's log, and to a file for more.
//!
//! A line on stderr is `WARN message key=value`: clients guess the level from the first word and
//! add the time themselves. Lines of the file begin with the time. A healthy run writes none at the
//! usual level. Only this crate's own events are written: what a library logs may hold a header or
//! a body.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use tracing::{Event, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, MakeWriter,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

use crate::{config::Log, error::is_unfit};

/// The longest line in bytes, its end included; clients cut longer ones.
const LONGEST_LINE: usize = 4096;
const CUT: &str = "…\n";

/// Starts logging. Once it has succeeded in a process, further calls change nothing. A file that
/// cannot be opened is a warning on stderr: it is no reason to leave a client without its server.
pub fn start(log: &Log) {
    let opened = log.file.as_deref().map(|path| (path, open(path)));
    let (file, failure) = match opened {
        Some((_, Ok(file))) => (Some(file), None),
        Some((path, Err(cause))) => (None, Some((path, cause))),
        None => (None, None),
    };
    if log.level == LevelFilter::OFF || (log.silent && file.is_none()) {
        return;
    }
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(log.level)
        .with_ansi(false)
        .log_internal_errors(false)
        .event_format(Line)
        .with_writer(Outputs { stderr: !log.silent, file })
        .finish();
    // Refused if there is one already, which is then as good.
    let _ = tracing::subscriber::set_global_default(subscriber);
    if let Some((path, cause)) = failure {
        tracing::warn!("could not open the log file {}: {cause}", path.display());
    }
}

/// Opens the file for appending; a new one is for its owner alone.
fn open(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// One event, one line.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        if !is_ours(metadata.target()) {
            return Ok(());
        }
        let mut fields = String::new();
        context.format_fields(Writer::new(&mut fields), event)?;
        writer.write_str(&line(&format!("{} {fields}", metadata.level())))
    }
}

fn is_ours(target: &str) -> bool {
    target.split("::").next() == Some("composio_bridge")
}

/// The text as one line that is not too long.
fn line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|letter| if is_unfit(letter) { ' ' } else { letter })
        .take(LONGEST_LINE)
        .collect();
    if line.len() < LONGEST_LINE {
        line.push('\n');
        return line;
    }
    let end = (0..=LONGEST_LINE - CUT.len()).rev().find(|&end| line.is_char_boundary(end));
    line.truncate(end.unwrap_or_default());
    line + CUT
}

/// What has this target is for the person at stderr and not for the file, which may be kept and
/// passed on: the address of a sign-in page is good for one sign-in.
pub const PERSON: &str = "composio_bridge::person";

/// stderr and the file.
struct Outputs {
    stderr: bool,
    file: Option<File>,
}

/// The same, for the length of one event.
struct Writing<'a> {
    stderr: bool,
    file: Option<&'a File>,
}

impl<'a> MakeWriter<'a> for Outputs {
    type Writer = Writing<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Writing { stderr: self.stderr, file: self.file.as_ref() }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        let whole = self.make_writer();
        Writing { file: whole.file.filter(|_| metadata.target() != PERSON), ..whole }
    }
}

impl Write for Writing<'_> {
    /// Always succeeds: where a log cannot be written there is nobody to tell.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.stderr && !line.is_empty() {
            let _ = io::stderr().write_all(line);
        }
        if let Some(mut file) = self.file
            && !line.is_empty()
        {
            // In one write, so that processes which share the file do not mix their lines.
            let mut stamped = String::new();
            let _ = SystemTime.format_time(&mut Writer::new(&mut stamped));
            stamped.push(' ');
            let _ = file.write_all(&[stamped.as_bytes(), line].concat());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_not_too_long() {
        assert_eq!(line("WARN a\r\nb\tc\u{1b}[0m"), "WARN a  b c [0m\n");
        let exact = "x".repeat(LONGEST_LINE - 1);
        assert_eq!(line(&exact), format!("{exact}\n"));
        for letter in ["x", "é", "€", "🦀"] {
            let long = line(&letter.repeat(LONGEST_LINE));
            assert!(long.len() <= LONGEST_LINE && long.ends_with(CUT), "{}", long.len());
        }
    }

    #[test]
    fn only_our_own_events_are_written() {
        assert!(is_ours("composio_bridge::remote") && is_ours("composio_bridge"));
        assert!(!is_ours("composio_bridge_x") && !is_ours("h2::codec") && !is_ours(""));
    }

    #[test]
    fn the_file_is_appended_to_with_the_time_and_is_private() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("log");
        for _ in 0..2 {
            let outputs = Outputs { stderr: false, file: Some(open(&path).expect("it opens")) };
            outputs.make_writer().write_all(b"WARN x\n").expect("it never fails");
        }
        let text = fs::read_to_string(&path).expect("it is there");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines.iter().all(|line| line.starts_with("20") && line.ends_with("Z WARN x")));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
