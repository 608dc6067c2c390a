//! Options and subcommands as tables.
//!
//! Most options are a text or a flag, and what is said is read in one place alone: the code that
//! `clap` derives for them would be twenty times as large.

use std::ffi::OsString;

use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, CommandFactory, Error,
    builder::{IntoResettable, PossibleValuesParser, ValueParser},
    error::ErrorKind,
    value_parser,
};

use super::{
    Cli, Settings,
    value::{PositiveSeconds, Seconds},
};

/// What an option takes.
#[derive(Clone, Copy)]
pub(crate) enum Takes {
    /// Nothing; the value is `true`, or in a file or a variable also `false`.
    Nothing,
    /// `true`, which may be left out, or `false`.
    Bool,
    /// A text, which the word stands for.
    Text(&'static str),
    /// Any number of texts.
    Texts(&'static str),
    /// One of these.
    One(&'static str, &'static [&'static str]),
    /// The path of a file.
    File,
    /// Any number of paths.
    Files,
    /// A number of seconds above 0.
    Seconds,
    /// A number of seconds, 0 included.
    SecondsOrZero,
    /// A whole number above 0.
    Number,
    /// What this parser reads.
    Other(&'static str, fn() -> ValueParser),
    /// A text that stands without the option's name.
    Word(&'static str),
    /// The same, where it may be missing.
    MaybeWord(&'static str),
}

/// An option: its name, what it takes, and what it is for. Where that is more than one paragraph,
/// only `--help` shows those after the first.
pub(crate) type Row = (&'static str, Takes, &'static str);

/// A subcommand: its name, what it does, and its options.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) rows: &'static [&'static [Row]],
}

/// What one source says: options by their names, and their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    values: Vec<(&'static str, String)>,
}

/// The subcommand that was chosen, and what was said with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its name.
    pub operation: &'static str,
    /// Its own options.
    pub options: Options,
}

impl Options {
    /// The value of an option.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of an option.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let own = self.values.iter().filter(move |(known, _)| *known == name);
        own.map(|(_, value)| value.as_str())
    }

    /// Whether a flag is set.
    pub fn is(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many options were given, those with several values counted as often.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Sets an option, whatever was said about it before.
    pub(crate) fn set(&mut self, name: &'static str, values: impl IntoIterator<Item = String>) {
        self.values.retain(|(known, _)| *known != name);
        self.values.extend(values.into_iter().map(|value| (name, value)));
    }

    /// The options of two sources, where both speak the stronger's.
    pub(crate) fn over(self, mut weak: Self) -> Self {
        weak.values.retain(|(known, _)| self.text(known).is_none());
        weak.values.extend(self.values);
        weak
    }

    /// Takes what was said about the options of a table.
    pub(crate) fn update(&mut self, rows: &[Row], matches: &ArgMatches) {
        for (name, takes, _) in rows {
            if matches!(takes, Takes::Nothing) {
                if let Some(flag) = matches.get_one::<bool>(name) {
                    self.set(name, [flag.to_string()]);
                }
            } else if let Some(values) = matches.get_raw(name) {
                self.set(name, values.map(|value| value.to_string_lossy().into_owned()));
            }
        }
    }
}

/// The option of a row, for `clap`.
pub(crate) fn argument(row: &Row) -> Arg {
    const BOOL: &[&str] = &["true", "false"];
    let (name, takes, help) = *row;
    let (parser, word): (ValueParser, _) = match takes {
        Takes::Nothing => (value_parser!(bool), ""),
        Takes::Bool => (PossibleValuesParser::new(BOOL).into(), "BOOL"),
        Takes::One(word, allowed) => (PossibleValuesParser::new(allowed).into(), word),
        Takes::File | Takes::Files => (ValueParser::path_buf(), "FILE"),
        Takes::Seconds => (value_parser!(PositiveSeconds).into(), "SECONDS"),
        Takes::SecondsOrZero => (value_parser!(Seconds).into(), "SECONDS"),
        Takes::Other(word, parser) => (parser(), word),
        Takes::Number => (value_parser!(u64).range(1..).into(), "N"),
        Takes::Text(word) | Takes::Texts(word) | Takes::Word(word) | Takes::MaybeWord(word) => {
            (value_parser!(String), word)
        }
    };
    let is_list = matches!(takes, Takes::Texts(_) | Takes::Files);
    let action = if is_list { ArgAction::Append } else { ArgAction::Set };
    let more = help.split_once("\n\n");
    let arg = Arg::new(name).help(more.map_or(help, |(short, _)| short)).action(action);
    let arg = arg.long_help(more.map(|_| help).into_resettable()).value_parser(parser);
    let arg = arg.allow_negative_numbers(word == "SECONDS");
    match takes {
        Takes::Word(_) => arg.value_name(word).required(true),
        Takes::MaybeWord(_) => arg.value_name(word),
        Takes::Nothing => arg.long(name).num_args(0).default_missing_value("true"),
        Takes::Bool => {
            arg.long(name).value_name(word).num_args(0..=1).default_missing_value("true")
        }
        _ => arg.long(name).value_name(word),
    }
}

/// The options of bridging that concern Composio's API too: the key, the network, the log.
const GENERAL: [&str; 16] = [
    "api-key-file",
    "api-key-command",
    "org-id",
    "project-id",
    "use-composio-cli-key",
    "connect-timeout",
    "proxy",
    "no-proxy",
    "enable-proxy",
    "ca-file",
    "client-cert",
    "ipv4",
    "debug",
    "silent",
    "log-level",
    "log-file",
];

/// Those options, as arguments of a subcommand.
fn general() -> Vec<Arg> {
    let settings = Settings::augment_args(Command::new("settings"));
    let all = settings.get_arguments().filter(|arg| GENERAL.contains(&arg.get_id().as_str()));
    let of_api = |arg: &Arg| match arg.get_id().as_str() {
        "connect_timeout" => {
            arg.clone().help("How long a connection may take, in seconds [default: 5]")
        }
        _ => arg.clone(),
    };
    let mut all: Vec<Arg> = all.map(of_api).collect();
    let rows: [Row; 2] = [
        ("config", Takes::Text("FILE"), "Read this configuration file instead of the usual one"),
        ("profile", Takes::Text("NAME"), "Use the settings under [profiles.NAME]"),
    ];
    all.extend(rows.iter().map(|row| argument(row).help_heading("Configuration")));
    all
}

/// Adds the subcommands of a table. They are described only when one of them was named.
pub(crate) fn subcommands(command: Command, operations: &'static [Operation]) -> Command {
    let one = |operation: &'static Operation| {
        let command = Command::new(operation.name).about(operation.about).args_override_self(true);
        let rows = operation.rows.iter().copied().flatten();
        command.args(rows.map(argument)).defer(|command| command.args(general()))
    };
    command.subcommand_required(true).subcommands(operations.iter().map(one))
}

/// Adds the options of a subcommand that has none below it.
pub(crate) fn alone(command: Command, rows: &'static [Row]) -> Command {
    command.args_override_self(true).args(rows.iter().map(argument)).args(general())
}

/// Which of the subcommands of a table was chosen.
pub(crate) fn chosen(
    matches: &ArgMatches,
    operations: &'static [Operation],
) -> Result<Chosen, Error> {
    let incomplete = || Error::new(ErrorKind::MissingSubcommand);
    let (name, matches) = matches.subcommand().ok_or_else(incomplete)?;
    let operation = operations.iter().find(|known| known.name == name).ok_or_else(incomplete)?;
    let mut options = Options::default();
    operation.rows.iter().for_each(|rows| options.update(rows, matches));
    Ok(Chosen { operation: operation.name, options })
}

/// The general options of a subcommand, as if they had been said without it.
pub(super) fn read_general(matches: &ArgMatches) -> Result<ArgMatches, Error> {
    let mut words = vec![OsString::from("composio-bridge")];
    for arg in general() {
        let (Some(long), Ok(Some(values))) =
            (arg.get_long(), matches.try_get_raw(arg.get_id().as_str()))
        else {
            continue;
        };
        let is_flag = arg.get_num_args().is_some_and(|count| !count.takes_values());
        for value in values {
            let mut word = OsString::from(format!("--{long}"));
            if !is_flag {
                word.push("=");
                word.push(value);
            }
            words.push(word);
        }
    }
    Cli::command().try_get_matches_from(words)
}
