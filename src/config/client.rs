//! In whose name to sign in, from the JSON that the options hold.

use std::{fs, path::Path};

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{environment::Environment, header::expand, sign_in::StaticClient};
use crate::{
    auth::{exchange::text, jwt::Key},
    error::{Error, Kind},
};

/// The value of an option cannot be used. The value itself is not shown.
pub(super) fn wrong(option: &str, why: impl Into<String>) -> Error {
    Error::new(Kind::Config, format!("the value of {option} cannot be used")).because(why)
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
}
