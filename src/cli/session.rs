//! `composio-bridge session`, as tables; and what is said about a Composio session's configuration.

use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use super::table::{
    Chosen, Operation, Options, Row,
    Takes::{Bool, MaybeWord, Nothing, Number, One, Seconds, Text, Texts, Word},
    argument, chosen, subcommands,
};

/// What a session is made of. Each has its place in the API's document, which
/// `composio::session::body` knows.
const CONFIGURATION: [Row; 27] = [
    ("toolkit", Texts("SLUG"), "Only this toolkit (repeatable, or with commas)"),
    ("disable-toolkit", Texts("SLUG"), "All toolkits but this one (repeatable)"),
    (
        "tool",
        Texts("SLUG"),
        "Of its toolkit only this tool: GMAIL_SEND_EMAIL, or TOOLKIT:SLUG (repeatable)",
    ),
    ("disable-tool", Texts("SLUG"), "Of its toolkit all tools but this one (repeatable)"),
    ("tag", Texts("TAG"), "Only tools with this tag, such as readOnlyHint (repeatable)"),
    ("disable-tag", Texts("TAG"), "No tools with this tag (repeatable)"),
    (
        "require-approval",
        Texts("NAME"),
        "Ask the user before calls of this toolkit, tool or tag (repeatable)",
    ),
    (
        "auth-config",
        Texts("TOOLKIT=ac_..."),
        "Connect a toolkit with this auth config (repeatable)",
    ),
    (
        "connected-account",
        Texts("TOOLKIT=ca_..."),
        "Use this connected account for a toolkit (repeatable)",
    ),
    (
        "preset",
        One("PRESET", &["direct-tools"]),
        "direct-tools: every allowed tool itself, and none to search, connect or compute with",
    ),
    ("manage-connections", Bool, "Let the agent connect accounts"),
    ("callback-url", Text("URL"), "Where the user is led after connecting an account"),
    ("remove-connections", Bool, "Let the agent remove connected accounts"),
    ("wait-for-connections", Bool, "Let the agent wait until an account is connected"),
    ("workbench", Bool, "Let the agent run code"),
    (
        "sandbox-size",
        One("SIZE", &["standard", "medium", "large", "xlarge"]),
        "How large the machine for it is",
    ),
    ("proxy-execute", Bool, "Let the agent make requests of its own to the connected apps"),
    ("multi-account", Bool, "Allow several accounts for a toolkit"),
    ("max-accounts", Number, "How many of them, 2 to 10"),
    ("choose-account", Bool, "Make the agent say which account it means"),
    (
        "preload",
        Texts("SLUG"),
        "Offer this tool itself (repeatable), or with `all` every allowed one",
    ),
    ("search", Bool, "Let the agent search for tools"),
    ("multi-execute", Bool, "Let the agent run several tools in one call"),
    ("timezone", Text("NAME"), "The user's time zone, such as Europe/London"),
    (
        "permissions",
        One("DEFAULT", &["allow_all", "ask_every_call", "ask_once_per_session"]),
        "When the user is asked before a call",
    ),
    (
        "saved-config",
        Text("sc_..."),
        "Begin with this saved configuration (`composio-bridge session configs`)",
    ),
    (
        "session-config",
        Text("FILE"),
        "Begin with the JSON of this file, in the form of the API's request; - reads stdin",
    ),
];

/// For a bridge.
const ATTACHED: [Row; 1] = [("session", Text("trs_..."), "Bridge to this Composio session")];

const USER: [Row; 1] = [("user", Text("ID"), "The user whose accounts are used")];
const JSON: [Row; 1] = [("json", Nothing, "Print JSON")];
const SESSION: [Row; 1] =
    [("session", Text("trs_..."), "The session [default: the only one remembered here]")];
/// The same, where no other word is expected.
const NAMED: [Row; 2] = [
    ("named", MaybeWord("SESSION"), "The session [default: the only one remembered here]"),
    ("session", Text("trs_..."), "The same, as other commands take it"),
];
const YES: [Row; 1] = [("yes", Nothing, "Do not ask first")];
const ARGUMENTS: [Row; 1] =
    [("arguments", Text("JSON"), "The arguments: a JSON object, @FILE, or - for stdin")];

const PAGE: [Row; 3] = [
    ("limit", Number, "How many entries a page has"),
    ("cursor", Text("CURSOR"), "Begin where the page before said"),
    ("all", Nothing, "Print all pages from there on"),
];

/// How a call that was interrupted by a question goes on.
const ANSWERS: [Row; 2] = [
    ("input-responses", Text("JSON"), "The answers to what a call before asked: JSON, @FILE, or -"),
    ("request-state", Text("STATE"), "The state that came with the questions"),
];

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "create",
        about: "Make a session, and print what to paste into a client's configuration",
        rows: &[&USER, &CONFIGURATION, &JSON],
    },
    Operation {
        name: "show",
        about: "Show a session: its URL and its configuration",
        rows: &[&NAMED, &JSON],
    },
    Operation {
        name: "update",
        about: "Change a session; each part that is named replaces that part as it was",
        rows: &[
            &NAMED,
            &CONFIGURATION,
            &[(
                "clear",
                Texts("PART"),
                "Take back what was said about this part, such as workbench (repeatable)",
            )],
            &JSON,
        ],
    },
    Operation { name: "delete", about: "Delete a session", rows: &[&NAMED, &YES, &JSON] },
    Operation {
        name: "list",
        about: "List the sessions remembered here, and whether they are still there",
        rows: &[&[("offline", Nothing, "Do not ask Composio about them")], &JSON],
    },
    Operation {
        name: "tools",
        about: "List the tools of a session",
        rows: &[&NAMED, &PAGE, &JSON],
    },
    Operation {
        name: "toolkits",
        about: "List the toolkits of a session, and what is connected",
        rows: &[
            &NAMED,
            &[
                ("toolkit", Texts("SLUG"), "Only this toolkit (repeatable, or with commas)"),
                ("connected", Bool, "Only what is connected, or with `false` what is not"),
                ("search", Text("WORDS"), "Only what these words are about"),
            ],
            &PAGE,
            &JSON,
        ],
    },
    Operation {
        name: "authorize",
        about: "Print the link with which the user connects an account",
        rows: &[
            &[("for", Word("TOOLKIT"), "The toolkit")],
            &SESSION,
            &[
                ("alias", Text("NAME"), "What to call the account"),
                ("callback-url", Text("URL"), "Where the user is led afterwards"),
                ("shared", Nothing, "Connect an account that other users may be allowed to use"),
                (
                    "experimental",
                    Text("JSON"),
                    "Who may: the API's member of that name; JSON, @FILE, or -",
                ),
                ("open", Nothing, "Open the link in the browser"),
                ("wait", Nothing, "Wait until the account is connected"),
                ("timeout", Seconds, "How long to wait [default: 300]"),
            ],
            &JSON,
        ],
    },
    Operation {
        name: "execute",
        about: "Call a tool, once",
        rows: &[
            &[("tool", Word("SLUG"), "The tool, such as GMAIL_SEND_EMAIL")],
            &SESSION,
            &ARGUMENTS,
            &[
                ("account", Text("ID"), "The connected account, by its id or alias"),
                ("offload", Bool, "Let large results be kept in the workbench"),
                ("experimental", Text("JSON"), "Custom tools for this call: JSON, @FILE, or -"),
            ],
            &ANSWERS,
            &JSON,
        ],
    },
    Operation {
        name: "execute-meta",
        about: "Call one of Composio's own tools, once",
        rows: &[
            &[("tool", Word("SLUG"), "The tool, such as COMPOSIO_SEARCH_TOOLS")],
            &SESSION,
            &ARGUMENTS,
            &ANSWERS,
            &JSON,
        ],
    },
    Operation {
        name: "proxy-execute",
        about: "Make a request to the API of a connected app, once",
        rows: &[
            &[
                ("toolkit", Word("TOOLKIT"), "The toolkit whose account is used"),
                ("endpoint", Word("ENDPOINT"), "The URL, or the path below the app's base"),
            ],
            &SESSION,
            &[
                (
                    "method",
                    One("METHOD", &["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]),
                    "The method [default: GET]",
                ),
                ("body", Text("JSON"), "The body: JSON, @FILE, or -"),
                ("binary-body", Text("JSON"), "A binary body: {\"url\": ...} or {\"base64\": ...}"),
                ("header", Texts("NAME: VALUE"), "Add this header (repeatable)"),
                ("query", Texts("NAME=VALUE"), "Add this to the query (repeatable)"),
            ],
            &JSON,
        ],
    },
    Operation {
        name: "search",
        about: "Find tools for what you want to do",
        rows: &[
            &[("for", Word("USE_CASE"), "What you want to do, in a sentence")],
            &SESSION,
            &[
                ("known", Text("TEXT"), "What is known already, such as channel_name:general"),
                ("model", Text("NAME"), "The model that the results are for"),
                ("strategy", One("STRATEGY", &["auto", "tool_search"]), "How to search"),
                ("experimental", Text("JSON"), "Custom tools to search too: JSON, @FILE, or -"),
            ],
            &JSON,
        ],
    },
    Operation {
        name: "attach",
        about: "Attach custom tools to a session",
        rows: &[
            &[("experimental", Word("JSON"), "The custom tools and toolkits: JSON, @FILE, or -")],
            &SESSION,
            &JSON,
        ],
    },
    Operation {
        name: "history",
        about: "List the configurations that a session has had",
        rows: &[&NAMED, &PAGE, &JSON],
    },
    Operation {
        name: "mounts",
        about: "List the files of a mount, delete one, or get a URL to read or write one",
        rows: &[
            &[("mount", Word("MOUNT"), "The mount's id")],
            &SESSION,
            &[
                ("prefix", Text("PATH"), "Only files below this"),
                ("delete", Text("PATH"), "Delete this file"),
                ("download-url", Text("PATH"), "Print a URL that this file can be fetched from"),
                ("upload-url", Text("PATH"), "Print a URL that this file can be put to"),
                ("mimetype", Text("TYPE"), "The media type of the file to be put"),
            ],
            &YES,
            &PAGE,
            &JSON,
        ],
    },
    Operation {
        name: "configs",
        about: "List the saved configurations, or show one",
        rows: &[
            &[
                ("config-id", MaybeWord("sc_..."), "The one to show"),
                ("search", Text("WORDS"), "Only those that these words are about"),
                ("archived", Bool, "The archived ones"),
            ],
            &PAGE,
            &JSON,
        ],
    },
];

/// What `composio-bridge session` is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session(pub Chosen);

impl Args for Session {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| subcommands(command, OPERATIONS))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Session {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        chosen(matches, OPERATIONS).map(Session)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The options about a session's user and configuration, as a part of a larger command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configuration(pub Options);

impl Args for Configuration {
    fn augment_args(command: Command) -> Command {
        let command = command.next_help_heading("Composio session");
        let rows = USER.iter().chain(&ATTACHED).chain(&CONFIGURATION);
        command.args(rows.map(argument)).next_help_heading(None)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Configuration {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut configuration = Self::default();
        configuration.update_from_arg_matches(matches)?;
        Ok(configuration)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update(&USER, matches);
        self.0.update(&ATTACHED, matches);
        self.0.update(&CONFIGURATION, matches);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::error::ErrorKind;

    use super::*;
    use crate::cli::{Cli, parse};

    fn parsed(words: &[&str]) -> Result<Cli, Error> {
        let words = ["composio-bridge", "session"].iter().chain(words);
        parse(words.map(OsString::from).collect())
    }

    #[test]
    fn every_operation_explains_itself() {
        for operation in OPERATIONS {
            let shown = parsed(&[operation.name, "--help"]).expect_err("it is help");
            assert_eq!(shown.kind(), ErrorKind::DisplayHelp, "{shown}");
            let text = shown.to_string();
            for part in [operation.about, "--json", "--proxy", "--api-key-file", "--log-level"] {
                assert!(text.contains(part), "{}: {part} is missing in {text}", operation.name);
            }
        }
    }

    #[test]
    fn the_options_of_the_bridge_are_taken_where_they_concern_the_api() {
        let words = [
            "tools",
            "--limit=5",
            "--proxy=http://p:1",
            "--no-proxy=a,b",
            "--ca-file=one.pem",
            "--ca-file",
            "two.pem",
            "--api-key-command=op read x",
            "--org-id=o",
            "--log-level=info",
            "--ipv4",
            "--profile=work",
            "--config=c.toml",
        ];
        let cli = parsed(&words).expect("they are good");
        let settings = &cli.settings;
        assert_eq!(settings.proxy.as_deref(), Some("http://p:1"));
        assert_eq!(settings.no_proxy.as_deref(), Some("a,b"));
        assert_eq!(settings.ca_file.len(), 2);
        assert!(settings.api_key_command.is_some() && settings.log_level.is_some());
        assert_eq!((settings.ipv4, settings.sign_in.text("org-id")), (Some(true), Some("o")));
        assert_eq!(cli.profile.as_deref(), Some("work"));
        assert!(cli.config.is_some());
        let Some(crate::cli::Command::Session(Session(chosen))) = &cli.command else {
            panic!("{cli:?}");
        };
        assert_eq!((chosen.operation, chosen.options.text("limit")), ("tools", Some("5")));
        let report = parsed(&["tools", "--log-level=SECRET"]).expect_err("no level").to_string();
        assert!(report.contains("--log-level") && !report.contains("SECRET"), "{report}");
        assert!(parsed(&["tools", "--header=a: b"]).is_err(), "headers are for servers");
    }
}
