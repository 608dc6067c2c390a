//! The options about signing in, and some about keys; those of mcp-remote mean here what they mean
//! there.
//!
//! A table: see [`super::table`] for why.

use std::ops::{Deref, DerefMut};

use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use super::table::{Options, Row, Takes, argument};

/// Each option: its name, what it takes, and what it is for.
const OPTIONS: [Row; 17] = [
    (
        "device-code",
        Takes::Nothing,
        "Sign in without a browser on this machine: enter a code on any other",
    ),
    (
        "client-credentials",
        Takes::Nothing,
        "Sign in as this program, with a client id and a secret or a private key",
    ),
    (
        "workload-identity",
        Takes::Text("TOKEN"),
        "Sign in as this workload, with the JWT in @FILE or ${VAR}",
    ),
    (
        "identity-provider",
        Takes::Text("JSON"),
        "Sign in through a company's identity provider: JSON, or @FILE; ${VAR} is replaced",
    ),
    (
        "static-oauth-client-info",
        Takes::Text("JSON"),
        "The client that the authorization server knows: JSON, or @FILE; ${VAR} is replaced",
    ),
    (
        "static-oauth-client-metadata",
        Takes::Text("JSON"),
        "What to register a client with, beside the usual: JSON, or @FILE",
    ),
    (
        "client-metadata-url",
        Takes::Text("URL"),
        "The client's own metadata document, an https URL, where the server takes such",
    ),
    (
        "accept-issuer",
        Takes::Text("ISSUER"),
        "Accept the authorization server of this name, though it has another or a private address",
    ),
    (
        "resource",
        Takes::Text("URI"),
        "What the token is for (RFC 8707) [default: what the server says]",
    ),
    ("disable-resource-parameter", Takes::Nothing, "Do not say what the token is for"),
    (
        "authorize-param",
        Takes::Texts("KEY=VALUE"),
        "Add this to the address of the sign-in page (repeatable)",
    ),
    ("token-endpoint", Takes::Text("URL"), "Ask for tokens here, with --client-credentials"),
    ("use-id-token", Takes::Nothing, "Send the id token in the place of the access token"),
    (
        "host",
        Takes::Text("HOST"),
        "The host in the address that the sign-in page leads back to [default: localhost]",
    ),
    ("callback-path", Takes::Text("PATH"), "The path in that address [default: /oauth/callback]"),
    ("auth-timeout", Takes::Seconds, "How long signing in may take [default: 300]"),
    ("auth-success-url", Takes::Text("URL"), "The page to show in the browser after signing in"),
];

/// Those about keys.
const OF_KEYS: [Row; 3] = [
    ("org-id", Takes::Text("ID"), "The organisation of a user key [default: $COMPOSIO_ORG_ID]"),
    ("project-id", Takes::Text("ID"), "The project of a user key [default: $COMPOSIO_PROJECT_ID]"),
    (
        "use-composio-cli-key",
        Takes::Nothing,
        "Use the key that Composio's own command line keeps, where there is no other",
    ),
];

/// What one source says about signing in and keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignInSettings(Options);

impl Deref for SignInSettings {
    type Target = Options;
    fn deref(&self) -> &Options {
        &self.0
    }
}

impl DerefMut for SignInSettings {
    fn deref_mut(&mut self) -> &mut Options {
        &mut self.0
    }
}

impl SignInSettings {
    /// The settings of two sources, where both speak the stronger's.
    pub(crate) fn over(self, mut weak: Self) -> Self {
        // Who names a resource does not mean somebody else's "none at all".
        if self.text("resource").is_some() {
            weak.set("disable-resource-parameter", None);
        }
        SignInSettings(self.0.over(weak.0))
    }
}

impl Args for SignInSettings {
    fn augment_args(command: Command) -> Command {
        let command = command.next_help_heading("Credentials").args(OF_KEYS.iter().map(argument));
        let command = command.next_help_heading("Sign-in");
        command.args(OPTIONS.iter().map(argument)).next_help_heading(None)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SignInSettings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut settings = Self::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update(&OPTIONS, matches);
        self.0.update(&OF_KEYS, matches);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> SignInSettings {
        let command = SignInSettings::augment_args(Command::new("x").no_binary_name(true));
        let matches = command.get_matches_from(arguments);
        SignInSettings::from_arg_matches(&matches).expect("they are good")
    }

    #[test]
    fn options_are_read_and_the_stronger_source_wins() {
        let strong = read(&["--resource=https://h/", "--authorize-param=a=b", "--device-code"]);
        let weak = read(&[
            "--disable-resource-parameter",
            "--authorize-param=c=d",
            "--host=127.0.0.1",
            "--auth-timeout=9",
        ]);
        assert!(weak.is("disable-resource-parameter") && !weak.is("device-code"));
        let merged = strong.over(weak);
        assert!(!merged.is("disable-resource-parameter") && merged.is("device-code"));
        assert_eq!(merged.all("authorize-param").collect::<Vec<_>>(), ["a=b"]);
        assert_eq!(
            (merged.text("host"), merged.text("auth-timeout")),
            (Some("127.0.0.1"), Some("9"))
        );
    }
}
