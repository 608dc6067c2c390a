//! Sign-ins of mcp-remote, so that who moves from it need not sign in again.
//!
//! mcp-remote 0.15.1 keeps a sign-in in `~/.mcp-auth/mcp-remote-v1`, in plain JSON, under a name
//! that is a digest of its command line. Versions until 0.3.1 had a directory each, and fewer
//! flags in the digest; mcp-remote itself no longer looks there.
//!
//! A refresh token is good for one refresh, so that a sign-in is shared or broken: who refreshes
//! one holds [`Lease`], which mcp-remote heeds, and then gives what came to [`Place::write_back`].
//!
//! [`hash`] and [`json`] decide; [`files`] and [`lease`] are thin.

pub mod files;
pub mod hash;
pub mod json;
pub mod lease;
#[cfg(test)]
mod tests;

use secrecy::SecretString;

pub use files::{Place, find, header_lines, root};
pub use hash::Flags;
pub use json::Refreshed;
pub use lease::{Lease, Taking};

/// A sign-in that was found.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The tokens.
    pub tokens: Tokens,
    /// Who the tokens were issued to. Without it a refresh token is of no use, unless the command
    /// line names a client: mcp-remote does not store one that it was given.
    pub client: Option<Client>,
    /// Where it was found, and is to be written back.
    pub place: Place,
}

impl SignIn {
    /// The authorization server that issued the tokens, where that was noted: mcp-remote forgets
    /// it with the tokens' first refresh, but not with the client.
    pub fn issuer(&self) -> Option<&str> {
        let client = || self.client.as_ref()?.issuer.as_deref();
        self.tokens.issuer.as_deref().or_else(client)
    }
}

/// What a token endpoint answered, as mcp-remote stored it.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// What is sent to the endpoint.
    pub access_token: SecretString,
    /// What is sent in its place with `--use-id-token`.
    pub id_token: Option<SecretString>,
    /// What buys the next access token.
    pub refresh_token: Option<SecretString>,
    /// When the access token expires, in milliseconds since 1970; `None` where nobody said.
    pub expires_at: Option<u64>,
    /// How long the access token lives, in seconds from when it was issued.
    pub expires_in: Option<u64>,
    /// The scope that was granted, or `None` for the one that was requested.
    pub scope: Option<String>,
    /// The scope that mcp-remote requested; it signs in again when it would request another.
    pub requested_scope: Option<String>,
    /// The authorization server.
    pub issuer: Option<String>,
}

/// An OAuth client that mcp-remote registered (RFC 7591).
#[derive(Debug, Clone)]
pub struct Client {
    /// Its name at the authorization server.
    pub client_id: String,
    /// Its secret, where it has one.
    pub client_secret: Option<SecretString>,
    /// When the secret expires, in seconds since 1970; `None` for never.
    pub client_secret_expires_at: Option<u64>,
    /// How it identifies at the token endpoint: `none`, `client_secret_post`, ….
    pub token_endpoint_auth_method: Option<String>,
    /// Where the authorization server may send a person back to.
    pub redirect_uris: Vec<String>,
    /// The scope it was registered for.
    pub scope: Option<String>,
    /// The authorization server that knows it.
    pub issuer: Option<String>,
}
