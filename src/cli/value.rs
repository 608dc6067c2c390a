//! The values of options that are more than text.

use std::{str::FromStr, time::Duration};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;

/// A longer wait is as good as none, and this much can be added to any clock.
const LONGEST: f64 = 365.0 * 86_400.0;

/// A number of seconds above 0, fractions allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositiveSeconds(pub Duration);

/// A number of seconds, 0 included, fractions allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub Duration);

impl Seconds {
    /// The wait, where 0 stands for no limit.
    pub fn limit(self) -> Option<Duration> {
        (!self.0.is_zero()).then_some(self.0)
    }
}

fn seconds(text: &str) -> Option<Duration> {
    let number: f64 = text.trim().parse().ok()?;
    (number >= 0.0).then(|| Duration::from_secs_f64(number.min(LONGEST)))
}

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        seconds(text).map(Seconds).ok_or_else(|| "must be a number of seconds, 0 or more".into())
    }
}

impl FromStr for PositiveSeconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wait = seconds(text).filter(|wait| !wait.is_zero());
        wait.map(PositiveSeconds).ok_or_else(|| "must be a number of seconds above 0".into())
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// Nothing
    Off,
    /// What failed
    Error,
    /// What may need attention
    Warn,
    /// The milestones of a connection
    Info,
    /// What is sent and received, without contents
    Debug,
    /// Everything
    Trace,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Off => LevelFilter::OFF,
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
            Level::Trace => LevelFilter::TRACE,
        }
    }
}

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine(pub Vec<String>);

impl FromStr for CommandLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = split(text)?;
        if words.is_empty() {
            return Err("must name a program".into());
        }
        Ok(CommandLine(words))
    }
}

/// Splits at blanks outside quotes. A backslash protects a blank, a quote or a backslash and
/// stands for itself before anything else, so that `C:\bin\tool.exe` stays what it is.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => {
                let escaped =
                    letters.next_if(|next| matches!(next, ' ' | '\t' | '"' | '\'' | '\\'));
                word.get_or_insert_default().push(escaped.unwrap_or('\\'));
            }
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (_, Some(open)) if letter == open => quote = None,
            (_, None) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err("has a quotation mark that is never closed".into());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_may_have_fractions_and_must_be_a_number() {
        for (text, any, positive) in [
            ("10", Some(10_000), Some(10_000)),
            ("0.25", Some(250), Some(250)),
            ("0", Some(0), None),
            ("-1", None, None),
            ("NaN", None, None),
            ("ten", None, None),
            ("", None, None),
            ("1e300", Some(31_536_000_000), Some(31_536_000_000)),
            ("inf", Some(31_536_000_000), Some(31_536_000_000)),
        ] {
            let millis = |wait: Duration| wait.as_millis();
            assert_eq!(text.parse().ok().map(|Seconds(w)| millis(w)), any, "{text}");
            assert_eq!(text.parse().ok().map(|PositiveSeconds(w)| millis(w)), positive, "{text}");
        }
        assert_eq!(Seconds(Duration::ZERO).limit(), None);
    }

    #[test]
    fn a_command_is_split_as_a_shell_would() {
        for (text, words) in [
            ("op read op://vault/key", Ok(vec!["op", "read", "op://vault/key"])),
            (r#"  a  "b c" 'd "e'  "#, Ok(vec!["a", "b c", "d \"e"])),
            (r#"a"b"'c' """#, Ok(vec!["abc", ""])),
            (r#"a\ b "c\"d" 'e\f'"#, Ok(vec!["a b", "c\"d", "e\\f"])),
            (r"C:\bin\tool.exe x", Ok(vec![r"C:\bin\tool.exe", "x"])),
            ("a 'b", Err("has a quotation mark that is never closed")),
            ("   ", Err("must name a program")),
        ] {
            let expected = words
                .map(|words| CommandLine(words.into_iter().map(String::from).collect()))
                .map_err(String::from);
            assert_eq!(text.parse(), expected, "{text}");
        }
    }
}
