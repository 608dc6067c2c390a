//! From arguments to [`Cli`].

use std::{ffi::OsString, path::PathBuf};

use clap::{
    ArgMatches, Command, CommandFactory, FromArgMatches,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{Cli, HeaderSource, Settings, argv, table};

/// Reads the command line, the program's name first.
///
/// # Errors
/// clap's own, which also carry `--help` and `--version`.
pub fn parse(args: Vec<OsString>) -> Result<Cli, clap::Error> {
    if let Some(url) = lone_url(&args) {
        let settings = Settings { url: Some(url), ..Settings::default() };
        return Ok(Cli { config: None, profile: None, settings, command: None });
    }
    let parsed = command().try_get_matches_from(argv::prepare(args));
    let mut matches = parsed.map_err(without_values)?;
    let of_server = matches.subcommand().filter(|(name, _)| OF_A_SERVER.contains(name));
    let of_server = of_server.map(|(_, matches)| read(&mut matches.clone())).transpose()?;
    // Reading takes things out, so this comes first.
    let of_api = matches.subcommand().filter(|(name, _)| OF_THE_API.contains(name));
    let of_api = of_api.map(|(_, matches)| {
        read(&mut table::read_general(deepest(matches)).map_err(without_values)?)
    });
    let before = of_server.or(of_api.transpose()?);
    let cli = read(&mut matches)?;
    Ok(match before {
        Some(before) => Cli { command: cli.command, ..before },
        None => cli,
    })
}

/// What was said with the innermost subcommand.
fn deepest(mut matches: &ArgMatches) -> &ArgMatches {
    while let Some((_, inner)) = matches.subcommand() {
        matches = inner;
    }
    matches
}

/// The subcommands about one server, which take the options of bridging to it.
const OF_A_SERVER: [&str; 2] = ["login", "logout"];

/// The subcommands about Composio's API, which take those of its options that concern the API too.
const OF_THE_API: [&str; 3] = ["session", "server", "migrate"];

/// The whole command line, with the options of those subcommands described when they are asked for.
fn command() -> Command {
    OF_A_SERVER.into_iter().fold(Cli::command(), |command, name| {
        command.mut_subcommand(name, |subcommand| {
            subcommand.args_override_self(true).defer(|subcommand| {
                let all = Cli::command();
                subcommand.args(all.get_arguments().cloned())
            })
        })
    })
}

fn read(matches: &mut ArgMatches) -> Result<Cli, clap::Error> {
    let order = header_order(matches);
    let mut cli = Cli::from_arg_matches_mut(matches)?;
    cli.settings.headers_in_order = order;
    Ok(cli)
}

/// The URL, where it is all that was said, as in most clients' configurations. Describing every
/// option to clap would take longer than all else before the first message is read.
fn lone_url(args: &[OsString]) -> Option<String> {
    let [_, only] = args else { return None };
    let url = only.to_str()?;
    let is_plain = url.starts_with("http://") || url.starts_with("https://");
    (is_plain && !argv::is_unfilled(url)).then(|| url.to_owned())
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
    let files = matches.get_many::<PathBuf>("header-file").unwrap_or_default();
    let at = |id| matches.indices_of(id).unwrap_or_default();
    let mut all: Vec<_> = at("header").zip(lines.cloned().map(HeaderSource::Line)).collect();
    all.extend(at("header-file").zip(files.cloned().map(HeaderSource::File)));
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, source)| source).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_url_means_the_same_whichever_way_it_is_read() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let url = "https://h.example/mcp?user_id=1";
        let short = parse(words(&["composio-bridge", url])).expect("a URL is enough");
        // A `--` sends the same through clap.
        let long = parse(words(&["composio-bridge", "--", url])).expect("a URL is enough");
        assert_eq!(format!("{short:?}"), format!("{long:?}"));
        assert_eq!(short.settings.url.as_deref(), Some(url));
    }

    #[test]
    fn what_is_no_plain_url_is_left_to_clap() {
        for only in ["demo", "--help", "-V", "${user_config.url}", "h.example"] {
            assert_eq!(lone_url(&["composio-bridge".into(), only.into()]), None, "{only}");
        }
        assert_eq!(lone_url(&["composio-bridge".into()]), None);
    }
}
