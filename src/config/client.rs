//! In whose name to sign in, from the JSON that the options hold.

use std::{
    fs,
    path::{Path, PathBuf},
};

use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{
    environment::Environment,
    header::expand,
    sign_in::{StaticClient, page},
};
use crate::{
    auth::jwt::Key,
    error::{Error, Kind},
    json::text,
    origin::may_be_asked,
};

/// The value of an option cannot be used. The value itself is not shown.
pub(super) fn wrong(option: &str, why: impl Into<String>) -> Error {
    Error::new(Kind::Config, format!("the value of {option} cannot be used"))
        .because(why)
        .hint("`composio-bridge login --help` says what it takes")
}

/// The JSON object in a text, or in the file that it names after an `@`.
pub(super) fn object(
    option: &str,
    text: &str,
    env: &Environment,
    expands: bool,
) -> Result<Map<String, Value>, Error> {
    let text = match text.strip_prefix('@') {
        Some(path) => fs::read_to_string(env.expand_home(Path::new(path)))
            .map_err(|cause| wrong(option, format!("its file cannot be read: {cause}")))?,
        None => text.to_owned(),
    };
    let text = if expands {
        let missing = |name| wrong(option, format!("the variable {name} is not set"));
        expand(&text, env).map_err(missing)?
    } else {
        text
    };
    serde_json::from_str(&text).map_err(|_| wrong(option, "it is no JSON object"))
}

/// The client in an option.
pub(super) fn client(option: &str, value: &str, env: &Environment) -> Result<StaticClient, Error> {
    of_members(option, &Value::Object(object(option, value, env, true)?), env)
}

fn of_members(option: &str, members: &Value, env: &Environment) -> Result<StaticClient, Error> {
    let id = text(members, "client_id").ok_or_else(|| wrong(option, "it has no client_id"))?;
    Ok(StaticClient {
        id: id.to_owned(),
        secret: text(members, "client_secret").map(SecretString::from),
        key: key(option, members, env)?,
        method: text(members, "token_endpoint_auth_method").map(String::from),
    })
}

/// The private key in `private_key` (PEM, or a JWK as an object or a text), or in the file that
/// `private_key_file` names.
fn key(option: &str, members: &Value, env: &Environment) -> Result<Option<Key>, Error> {
    let said = match (members.get("private_key"), text(members, "private_key_file")) {
        (_, Some(path)) => {
            fs::read_to_string(env.expand_home(Path::new(path))).map_err(|cause| {
                wrong(option, format!("its private_key_file cannot be read: {cause}"))
            })?
        }
        (Some(Value::String(key)), None) => key.clone(),
        (Some(key @ Value::Object(_)), None) => key.to_string(),
        _ => return Ok(None),
    };
    let unusable = |why| wrong(option, format!("its private key cannot be used: {why}"));
    Key::read(&said, members).map(Some).map_err(unusable)
}

/// Where a token that somebody else gives is found.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// In this file, which is read anew each time: whoever gives the token renews it there.
    File(PathBuf),
    /// Here.
    Value(SecretString),
}

impl TokenSource {
    /// The source in `--workload-identity`: `@FILE`, or a text with `${VAR}`. A token itself must
    /// not be there, where everybody on the machine could read it.
    pub(super) fn named(text: &str, env: &Environment) -> Result<Self, Error> {
        const OPTION: &str = "--workload-identity";
        if let Some(path) = text.strip_prefix('@') {
            return Ok(TokenSource::File(env.expand_home(Path::new(path))));
        }
        let missing = |name| wrong(OPTION, format!("the variable {name} is not set"));
        let value = expand(text, env).map_err(missing)?;
        if value == text.trim() || value.is_empty() {
            return Err(wrong(
                OPTION,
                "it must be @FILE or ${VAR}, so that nobody reads the token",
            ));
        }
        Ok(TokenSource::Value(value.into()))
    }

    /// The token.
    ///
    /// # Errors
    /// The file cannot be read, or is empty.
    pub fn read(&self) -> Result<SecretString, Error> {
        let path = match self {
            TokenSource::Value(token) => return Ok(token.clone()),
            TokenSource::File(path) => path,
        };
        let failed = || {
            let what = format!("could not take the token from `{}`", path.display());
            Error::new(Kind::Config, what)
        };
        let text = fs::read_to_string(path).map_err(|cause| failed().because(cause.to_string()))?;
        match text.trim() {
            "" => Err(failed().because("it is empty")),
            token => Ok(token.into()),
        }
    }
}

/// A company's identity provider (`--identity-provider`; SEP-990).
#[derive(Debug, Clone)]
pub struct IdentityProvider {
    /// Its name, whose metadata says where it gives tokens; empty where that is said.
    pub issuer: String,
    /// Where it gives tokens.
    pub token_endpoint: Option<Url>,
    /// In whose name it is asked.
    pub client: StaticClient,
    /// What it gave when the person signed in.
    pub subject: TokenSource,
    /// What that is (RFC 8693, 3).
    pub subject_type: String,
}

/// The identity provider in an option.
pub(super) fn identity_provider(value: &str, env: &Environment) -> Result<IdentityProvider, Error> {
    const OPTION: &str = "--identity-provider";
    let members = Value::Object(object(OPTION, value, env, true)?);
    let member = |name| text(&members, name);
    let token_endpoint =
        member("token_endpoint").map(|url| page(OPTION, url, false)).transpose()?;
    let issuer = member("issuer").unwrap_or_default();
    if token_endpoint.is_none() && may_be_asked(issuer).is_err() {
        return Err(wrong(OPTION, "it needs an issuer or a token_endpoint, as an https:// URL"));
    }
    let subject = match (member("subject_token_file"), member("subject_token")) {
        (Some(path), _) => TokenSource::File(env.expand_home(Path::new(path))),
        (None, Some(token)) => TokenSource::Value(token.into()),
        (None, None) => return Err(wrong(OPTION, "it has no subject_token_file")),
    };
    let kind = member("subject_token_type").unwrap_or("id_token");
    let is_whole = kind.contains(':');
    let prefix = if is_whole { "" } else { "urn:ietf:params:oauth:token-type:" };
    Ok(IdentityProvider {
        issuer: issuer.to_owned(),
        token_endpoint,
        client: of_members(OPTION, &members, env)?,
        subject,
        subject_type: format!("{prefix}{kind}"),
    })
}

#[cfg(test)]
mod tests {
    use ring::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
    };
    use serde_json::json;

    use super::*;

    #[test]
    fn a_private_key_stands_in_a_file_or_beside_the_id() {
        use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
        let pair =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let pair = pair.expect("a key");
        let body = BASE64_STANDARD.encode(&pair);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let part = |from, to| BASE64_URL_SAFE_NO_PAD.encode(&pair.as_ref()[from..to]);
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "d": part(36, 68), "x": part(74, 106), "y": part(106, 138),
        });
        let home = tempfile::tempdir().expect("a directory");
        fs::write(home.path().join("key"), &pem).expect("written");
        let env = Environment::of([("HOME", home.path().to_str().expect("text"))]);
        for (members, fits) in [
            (json!({"client_id": "me", "private_key_file": "~/key"}), true),
            (json!({"client_id": "me", "private_key": pem}), true),
            (json!({"client_id": "me", "private_key": jwk}), true),
            (json!({"client_id": "me", "private_key": jwk.to_string()}), true),
            (json!({"client_id": "me"}), false),
        ] {
            let client = client("--x", &members.to_string(), &env).expect("good");
            assert_eq!(client.key.is_some(), fits, "{}", client.id);
            assert_eq!(client.can_prove(), fits);
        }
        for (members, part) in [
            (json!({"client_id": "me", "private_key_file": "~/none"}), "cannot be read"),
            (json!({"client_id": "me", "private_key": "SECRET"}), "private key cannot be used"),
            (json!({"client_id": "me", "private_key": pem, "alg": "RS256"}), "`alg`"),
        ] {
            let report = client("--x", &members.to_string(), &env).expect_err(part).report();
            assert!(report.contains(part) && !report.contains("SECRET"), "{report}");
            assert!(!report.contains(&body), "{report}");
        }
    }

    #[test]
    fn an_identity_provider_needs_a_place_a_client_and_somebody() {
        let env = Environment::of([("ID", "SECRET")]);
        let whole = json!({
            "issuer": "https://idp.example", "client_id": "me", "subject_token": "${ID}",
        });
        let read = identity_provider(&whole.to_string(), &env).expect("good");
        assert_eq!(read.subject_type, "urn:ietf:params:oauth:token-type:id_token");
        assert!(!format!("{read:?}").contains("SECRET"));
        for (name, value, part) in [
            ("issuer", json!("http://idp.example/SECRET"), "issuer"),
            ("issuer", json!(null), "issuer"),
            ("token_endpoint", json!("http://idp.example/SECRET"), "https://"),
            ("client_id", json!(null), "client_id"),
            ("subject_token", json!(null), "subject_token_file"),
            ("subject_token", json!("${NONE}"), "NONE"),
        ] {
            let mut changed = whole.clone();
            changed[name] = value;
            let report = identity_provider(&changed.to_string(), &env).expect_err(part).report();
            assert!(report.contains(part) && !report.contains("SECRET"), "{report}");
        }
    }
}
