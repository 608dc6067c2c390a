//! Options as rows of a table: what `clap` derives for each would be twenty times as large.

use clap::{
    Arg, ArgAction,
    builder::{IntoResettable, ValueParser},
    value_parser,
};

use super::value::{PositiveSeconds, Seconds};

/// An option: its name, what it takes, and what it is for. Where that is more than one paragraph,
/// only `--help` shows those after the first.
pub(super) type Row = (&'static str, Takes, &'static str);

/// What an option takes; a word stands for the value.
#[derive(Clone, Copy)]
pub(super) enum Takes {
    /// Nothing; the value is `true`, or in a file or a variable also `false`.
    Nothing,
    /// A text.
    Text(&'static str),
    /// One of several texts.
    Texts(&'static str),
    /// The path of a file.
    File,
    /// One of several paths.
    Files,
    /// A number of seconds above 0.
    Seconds,
    /// A number of seconds, 0 included.
    SecondsOrZero,
    /// What this parser reads.
    Other(&'static str, fn() -> ValueParser),
}

impl Takes {
    /// Whether each mention adds a value, where for others the last one counts.
    fn is_list(self) -> bool {
        matches!(self, Takes::Texts(_) | Takes::Files)
    }

    fn word(self) -> Option<&'static str> {
        match self {
            Takes::Nothing => None,
            Takes::Text(word) | Takes::Texts(word) | Takes::Other(word, _) => Some(word),
            Takes::File | Takes::Files => Some("FILE"),
            Takes::Seconds | Takes::SecondsOrZero => Some("SECONDS"),
        }
    }

    fn parser(self) -> ValueParser {
        match self {
            Takes::Nothing => ValueParser::bool(),
            Takes::Text(_) | Takes::Texts(_) => ValueParser::string(),
            Takes::File | Takes::Files => ValueParser::path_buf(),
            Takes::Seconds => value_parser!(PositiveSeconds).into(),
            Takes::SecondsOrZero => value_parser!(Seconds).into(),
            Takes::Other(_, parser) => parser(),
        }
    }
}

/// The option that a row describes.
pub(super) fn argument((name, takes, help): Row) -> Arg {
    let action = if takes.is_list() { ArgAction::Append } else { ArgAction::Set };
    let (short, more) =
        help.split_once("\n\n").map_or((help, None), |(short, _)| (short, Some(help)));
    let arg = Arg::new(name).long(name).help(short).long_help(more.into_resettable());
    let arg = arg.action(action).value_parser(takes.parser());
    let arg = arg.allow_negative_numbers(takes.word() == Some("SECONDS"));
    match takes.word() {
        Some(word) => arg.value_name(word),
        None => arg.num_args(0).default_missing_value("true"),
    }
}
