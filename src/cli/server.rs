//! `composio-bridge server` and `composio-bridge migrate`, as tables.

use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use super::table::{
    Chosen, Operation, Options, Row,
    Takes::{Bool, MaybeWord, Nothing, Number, One, Text, Texts, Word},
    alone, chosen, subcommands,
};

const SERVER: [Row; 1] = [("server", Word("SERVER"), "The server: its id, or a URL of it")];
const JSON: [Row; 1] = [("json", Nothing, "Print JSON")];
const YES: [Row; 1] = [("yes", Nothing, "Do not ask first")];

/// What a server is made of.
const CONFIGURATION: [Row; 4] = [
    ("toolkit", Texts("SLUG"), "Serve this toolkit (repeatable, or with commas)"),
    ("tool", Texts("SLUG"), "Serve this tool alone, such as GMAIL_SEND_EMAIL (repeatable)"),
    ("auth-config", Texts("ac_..."), "Connect accounts with this auth config (repeatable)"),
    ("managed-auth", Bool, "Let Composio manage the connections"),
];

const PAGE: [Row; 5] = [
    ("page", Number, "The number of the page [default: 1]"),
    ("limit", Number, "How many entries a page has"),
    ("all", Nothing, "Print all pages from there on"),
    ("order-by", One("WHAT", &["created_at", "updated_at"]), "What to sort by"),
    ("order", One("DIRECTION", &["asc", "desc"]), "Which way to sort"),
];

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "create",
        about: "Make an MCP server",
        rows: &[
            &[("name", Word("NAME"), "4 to 30 letters, digits, spaces and hyphens")],
            &CONFIGURATION,
            &[(
                "no-auth-app",
                Texts("SLUG"),
                "Serve this app, which needs no account (repeatable)",
            )],
            &JSON,
        ],
    },
    Operation {
        name: "list",
        about: "List the MCP servers",
        rows: &[
            &[
                ("name", Text("TEXT"), "Only those with this in their name"),
                ("toolkit", Texts("SLUG"), "Only those of this toolkit (repeatable)"),
                ("auth-config", Texts("ac_..."), "Only those with this auth config (repeatable)"),
                ("app", Text("SLUG"), "Only those of this app"),
            ],
            &PAGE,
            &JSON,
        ],
    },
    Operation { name: "show", about: "Show an MCP server", rows: &[&SERVER, &JSON] },
    Operation {
        name: "update",
        about: "Change an MCP server; what is named replaces what was",
        rows: &[
            &SERVER,
            &[("name", Text("NAME"), "4 to 30 letters, digits, spaces and hyphens")],
            &CONFIGURATION,
            &JSON,
        ],
    },
    Operation { name: "delete", about: "Delete an MCP server", rows: &[&SERVER, &YES, &JSON] },
    Operation {
        name: "generate",
        about: "Print the URLs of an MCP server for users and accounts",
        rows: &[
            &SERVER,
            &[
                ("user", Texts("ID"), "A URL for this user (repeatable)"),
                ("connected-account", Texts("ca_..."), "A URL for this account (repeatable)"),
                (
                    "helper-actions",
                    Nothing,
                    "Let the agent help the user to connect accounts in the chat",
                ),
            ],
            &JSON,
        ],
    },
    Operation {
        name: "instances",
        about: "List the users of an MCP server, add one, or delete one with their accounts",
        rows: &[
            &[
                ("action", Word("ACTION"), "list, which may be left out, create or delete"),
                ("server", MaybeWord("SERVER"), "The server: its id, or a URL of it"),
                ("user", MaybeWord("USER"), "The user to add or to delete"),
                ("search", Text("TEXT"), "List only users with this in their id"),
            ],
            &PAGE,
            &YES,
            &JSON,
        ],
    },
];

/// What `composio-bridge server` is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server(pub Chosen);

impl Args for Server {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| subcommands(command, OPERATIONS))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Server {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        chosen(matches, OPERATIONS).map(Server)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

const MIGRATION: [Row; 9] = [
    ("server", Word("SERVER"), "The MCP server: its id, or a URL of it"),
    ("user", Text("ID"), "The user whose URL is replaced [default: the one in the URL]"),
    (
        "auth-config",
        Texts("TOOLKIT=ac_..."),
        "Connect a toolkit with this auth config [default: the server's] (repeatable)",
    ),
    (
        "connected-account",
        Texts("TOOLKIT=ca_..."),
        "Use this connected account for a toolkit [default: the user's] (repeatable)",
    ),
    (
        "preset",
        One("PRESET", &["direct-tools"]),
        "direct-tools: the tools alone, and none to search, connect or compute with",
    ),
    ("apply", Nothing, "Swap the URL in the clients' configurations too; a backup is kept"),
    ("file", Texts("FILE"), "Look into this configuration too (repeatable)"),
    ("dry-run", Nothing, "Make and change nothing; show what would be"),
    ("json", Nothing, "Print JSON"),
];

/// What `composio-bridge migrate` is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrate(pub Options);

impl Args for Migrate {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| alone(command, &MIGRATION))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Migrate {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut migrate = Self::default();
        migrate.update_from_arg_matches(matches)?;
        Ok(migrate)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update(&MIGRATION, matches);
        Ok(())
    }
}
