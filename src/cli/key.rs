//! `composio-bridge key` and `composio-bridge url`, as tables: see [`super::table`] for why.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, error::ErrorKind};

/// The subcommands of `composio-bridge key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyCommand {
    /// Store the key that is the first line of stdin.
    Set {
        /// The organisation of a user key.
        org: Option<String>,
        /// Its project.
        project: Option<String>,
    },
    /// List the keys there are.
    Show {
        /// As JSON.
        json: bool,
        /// With those of this profile.
        profile: Option<String>,
    },
    /// Forget the stored key.
    Remove,
}

/// The subcommands of `composio-bridge url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlCommand {
    /// Say what a URL is.
    Explain {
        /// The URL.
        url: String,
        /// As JSON.
        json: bool,
    },
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
}

fn option(name: &'static str, word: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(word).help(help)
}

fn text(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.get_one::<String>(name).cloned()
}

fn incomplete() -> Error {
    Error::new(ErrorKind::MissingSubcommand)
}

impl Args for KeyCommand {
    fn augment_args(command: Command) -> Command {
        let set = Command::new("set")
            .about("Store the key that is the first line of stdin, in the place of any other")
            .arg(option("org", "ID", "The organisation of a user key"))
            .arg(option("project", "ID", "The project of a user key"));
        let show = Command::new("show")
            .about("List the keys there are and what they are used for; never a key itself")
            .arg(option("profile", "NAME", "With the key of this profile"))
            .arg(flag("json", "Print JSON"));
        let remove = Command::new("remove").about("Forget the stored key");
        command.subcommand_required(true).subcommands([set, show, remove])
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for KeyCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let (name, matches) = matches.subcommand().ok_or_else(incomplete)?;
        Ok(match name {
            "set" => {
                KeyCommand::Set { org: text(matches, "org"), project: text(matches, "project") }
            }
            "show" => KeyCommand::Show {
                json: matches.get_flag("json"),
                profile: text(matches, "profile"),
            },
            _ => KeyCommand::Remove,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for UrlCommand {
    fn augment_args(command: Command) -> Command {
        let explain = Command::new("explain")
            .about("Say what a URL is, which key goes with it, and what is wrong; asks nobody")
            .arg(Arg::new("url").value_name("URL").required(true))
            .arg(flag("json", "Print JSON"));
        command.subcommand_required(true).subcommand(explain)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for UrlCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let (_, matches) = matches.subcommand().ok_or_else(incomplete)?;
        let url = text(matches, "url").ok_or_else(incomplete)?;
        Ok(UrlCommand::Explain { url, json: matches.get_flag("json") })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
