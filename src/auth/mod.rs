//! Signing in: how a person or a program gets an access token from an authorization server, and
//! how the bridge keeps and renews it.
//!
//! - [`challenge`], [`discovery`]: what the remote says about signing in, and which authorization
//!   server it belongs to.
//! - [`registration`]: becoming a client that the authorization server knows.
//! - [`login`]: signing in, in the browser, with a device's code, or as a program.
//! - [`browser`]: opens the sign-in page, and nothing else, in the person's browser.
//! - [`callback`]: waits on loopback for the browser to bring the answer back.
//! - [`grant`]: tokens for a code, a refresh token or a secret.
//! - [`joint`]: one sign-in for all bridges to an endpoint; [`news`]: what becomes of it.
//! - [`jwt`]: a private key in the place of a secret.
//! - [`program`]: signing in without a person.
//! - [`store`]: the sign-ins on disk. [`mcp_remote`], [`imported`]: those of
//!   mcp-remote. `keyring`: their secrets in the system's store.
//! - [`source`]: the token for the next request, renewed in time.
//! - [`exchange`]: HTTP with authorization servers. [`guard`], [`address`]: where they may be.
//!
//! The grants are written here, and not taken from `rmcp`: its module for them makes the executable
//! larger by a twentieth, and says nothing of devices, resources that are named, or stored secrets.

pub mod address;
pub mod browser;
pub mod callback;
pub mod challenge;
pub mod discovery;
pub mod exchange;
pub mod grant;
pub mod guard;
pub mod imported;
pub mod joint;
pub mod jwt;
#[cfg(feature = "keyring")]
pub mod keyring;
pub mod login;
pub mod mcp_remote;
pub mod news;
pub mod program;
pub mod registration;
pub mod source;
pub mod store;
