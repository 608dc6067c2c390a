//! From arguments to [`Cli`].

use std::{ffi::OsString, path::PathBuf};

use clap::{
    ArgMatches, CommandFactory, FromArgMatches,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{Cli, HeaderSource, argv};

/// Reads the command line, the program's name first.
///
/// # Errors
/// clap's own, which also carry `--help` and `--version`.
pub fn parse(args: Vec<OsString>) -> Result<Cli, clap::Error> {
    let parsed = Cli::command().try_get_matches_from(argv::prepare(args));
    let mut matches = parsed.map_err(without_values)?;
    let order = header_order(&matches);
    let mut cli = Cli::from_arg_matches_mut(&mut matches)?;
    cli.settings.headers_in_order = order;
    Ok(cli)
}

/// Leaves out what was typed, but for the names of flags: a value in the wrong place may be a key.
fn without_values(mut error: clap::Error) -> clap::Error {
    let hidden = || ContextValue::String("…".into());
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidSubcommand] {
        if error.get(kind).is_some() {
            error.insert(kind, hidden());
        }
    }
    if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
        && error.kind() == ErrorKind::UnknownArgument
    {
        let name = argument.split([':', '=', ' ']).next().filter(|name| name.starts_with('-'));
        let name = name.map_or_else(hidden, |name| ContextValue::String(name.to_owned()));
        error.insert(ContextKind::InvalidArg, name);
        error.remove(ContextKind::Suggested);
    }
    error
}

/// The header options of one source, first to last.
pub(crate) fn header_order(matches: &ArgMatches) -> Vec<HeaderSource> {
    let lines = matches.get_many::<String>("header").unwrap_or_default();
    let files = matches.get_many::<PathBuf>("header_file").unwrap_or_default();
    let at = |id| matches.indices_of(id).unwrap_or_default();
    let mut all: Vec<_> = at("header").zip(lines.cloned().map(HeaderSource::Line)).collect();
    all.extend(at("header_file").zip(files.cloned().map(HeaderSource::File)));
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, source)| source).collect()
}
