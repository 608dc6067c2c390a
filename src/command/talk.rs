//! What the subcommands about Composio's API share: reaching it, reading JSON that was named, asking,
//! printing.

use std::{
    borrow::Cow,
    fs,
    io::{self, BufRead, IsTerminal, Read, Write},
    path::Path,
};

use serde_json::Value;

use crate::{
    cli::Cli,
    composio::rest::Api,
    config::{Config, environment::Environment},
    error::{Error, Kind},
    logging,
    remote::refusal::one_line,
};

/// The API, with the key and the network settings that the command line, the environment and the
/// configuration file say. Starts logging.
///
/// # Errors
/// They hold a mistake.
pub fn api(cli: Cli, environment: &Environment) -> Result<Api, Error> {
    let config = Config::for_api(cli, environment)?;
    logging::start(&config.log);
    config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    Ok(Api::new(config))
}

/// Runs something to its end, on this thread.
///
/// # Errors
/// Its own, or that nothing can be run.
pub fn run(work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| {
        Error::new(Kind::Unexpected, "could not start").because(cause.to_string())
    })?;
    let outcome = runtime.block_on(work);
    // A thread may wait for a lock that nobody needs any more.
    runtime.shutdown_background();
    outcome
}

/// Prints a text.
pub fn say(text: &str) {
    // Whoever reads this may have gone away; there is nobody left to tell.
    let _ = writeln!(io::stdout().lock(), "{}", harmless(text));
}

/// A text without the characters that JSON lets stand in its strings and that some terminals obey,
/// U+007F to U+009F: in the form that JSON has for them.
fn harmless(text: &str) -> Cow<'_, str> {
    let is_obeyed = |letter: char| matches!(letter, '\u{7f}'..='\u{9f}');
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let each = text.chars().map(|letter| match is_obeyed(letter) {
        true => format!("\\u{:04x}", u32::from(letter)),
        false => letter.to_string(),
    });
    each.collect()
}

/// A word for a shell: in single quotes, whatever it holds.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Prints a document, for a program.
pub fn say_json(document: &Value) {
    say(&format!("{document:#}"));
}

/// A text of the API on one line, without what would move a terminal's cursor.
pub fn clean(text: &str) -> String {
    one_line(text, usize::MAX)
}

/// The beginning of such a text.
pub fn short(text: &str, most: usize) -> String {
    one_line(text, most)
}

/// Rows with their columns below each other.
pub fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..count).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The JSON that an option names: itself, a file after `@`, or stdin for `-`.
///
/// # Errors
/// It cannot be read or is not JSON; the message does not repeat it.
pub fn json(option: &str, named: &str, environment: &Environment) -> Result<Value, Error> {
    let text = match named.strip_prefix('@') {
        _ if named == "-" => stdin(option)?,
        Some(path) => file(option, path, environment)?,
        None => named.to_owned(),
    };
    // Shells take quotes away, each in its own manner.
    let advice = || format!("in a shell put it in single quotes, or in a file: `{option} @FILE`");
    parse(option, &text).map_err(|error| error.hint(advice()))
}

/// The JSON of a session's configuration, in the file that an option names, or on stdin for `-`.
///
/// # Errors
/// As [`json`].
pub fn json_file(option: &str, path: &str, environment: &Environment) -> Result<Value, Error> {
    let text = if path == "-" { stdin(option)? } else { file(option, path, environment)? };
    parse(option, &text)
        .map_err(|error| error.hint(r#"such as {"toolkits": {"enable": ["gmail"]}}"#))
}

fn parse(option: &str, text: &str) -> Result<Value, Error> {
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|cause| {
        let place = format!("line {}, column {}", cause.line(), cause.column());
        unusable(option).because(format!("it is not JSON ({place})"))
    })
}

fn file(option: &str, path: &str, environment: &Environment) -> Result<String, Error> {
    fs::read_to_string(environment.expand_home(Path::new(path)))
        .map_err(|cause| unusable(option).because(format!("its file cannot be read: {cause}")))
}

fn stdin(option: &str) -> Result<String, Error> {
    let mut text = String::new();
    let read = io::stdin().lock().read_to_string(&mut text);
    read.map_err(|cause| unusable(option).because(format!("stdin cannot be read: {cause}")))?;
    Ok(text)
}

/// The value of an option cannot be taken.
pub fn unusable(option: &str) -> Error {
    Error::new(Kind::Usage, format!("the value of {option} cannot be used"))
}

/// Asks before something is destroyed, unless that was said already.
///
/// # Errors
/// The answer is no, or nobody is there to be asked.
pub fn confirm(question: &str, is_agreed: bool) -> Result<(), Error> {
    if is_agreed {
        return Ok(());
    }
    let refused = |kind, why| Error::new(kind, "nothing was done").because(why);
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(refused(Kind::Usage, "it needs a yes, and nobody is there to be asked")
            .hint("pass `--yes`"));
    }
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    read.map_err(|cause| {
        refused(Kind::Unexpected, "no answer could be read").because(cause.to_string())
    })?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(refused(Kind::Usage, "the answer was no"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_api_cannot_move_the_cursor() {
        assert_eq!(clean("a\u{1b}[2Jb\n\tc\u{9b}1m \u{7f}"), "a [2Jb c 1m");
        assert_eq!(
            (short("one two", 20), short("one two", 5)),
            ("one two".into(), "one t…".into())
        );
    }

    #[test]
    fn documents_cannot_either_and_stay_what_they_are() {
        let document = serde_json::json!({ "a": "\u{1b}[2J\u{9b}1m\u{7f}ä" });
        let shown = harmless(&document.to_string()).into_owned();
        assert_eq!(shown, r#"{"a":"\u001b[2J\u009b1m\u007fä"}"#);
        assert_eq!(serde_json::from_str::<Value>(&shown).ok(), Some(document));
    }

    #[test]
    fn a_word_for_a_shell_stays_one_word() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("a'; rm -r ~; '"), r"'a'\''; rm -r ~; '\'''");
    }

    #[test]
    fn columns_stand_below_each_other() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect();
        let rows: Vec<Vec<String>> = vec![row(&["a", "bb", "c"]), row(&["äää", "b", ""])];
        assert_eq!(columns(&rows), "a    bb  c\näää  b");
    }

    #[test]
    fn json_is_read_from_where_it_is_and_never_shown() {
        let environment = Environment::of([]);
        let place = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(place.path(), "\u{feff}{\"a\":1}").expect("written");
        let named = format!("@{}", place.path().display());
        for text in [named.as_str(), "{\"a\":1}"] {
            let value = json("--arguments", text, &environment).expect("it is good");
            assert_eq!(value["a"], 1, "{text}");
        }
        for text in ["SECRET", "{\"a\":SECRET}", "@/no/SECRET"] {
            let report = json("--arguments", text, &environment).expect_err(text).report();
            assert!(report.contains("--arguments") && !report.contains("SECRET"), "{report}");
        }
    }
}
