//! A client that shows with its private key who it is (`private_key_jwt`: RFC 7523, 2.2; SEP-1046).
//!
//! The key is named anew by each command line, and never stored.

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    rsa::{KeyPairComponents, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
        RsaKeyPair,
    },
};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::json::text;

/// How long an assertion is good for, in seconds: enough for clocks that do not quite agree.
const LIFE: u64 = 300;

/// A private key, and what is said with it.
#[derive(Clone)]
pub struct Key {
    pair: Arc<Pair>,
    algorithm: &'static str,
    id: Option<String>,
    audience: Option<String>,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// A key, and the algorithms it can sign with (RFC 7518, 3.1; RFC 8037), the usual one first.
type Found = (Pair, &'static [&'static str]);

/// The elliptic curves, with their names in a JWK (RFC 7518, 6.2.1.1).
const CURVES: [(&str, &EcdsaSigningAlgorithm, &[&str]); 2] = [
    ("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING, &["ES256"]),
    ("P-384", &ECDSA_P384_SHA384_FIXED_SIGNING, &["ES384"]),
];
const ED25519: &[&str] = &["EdDSA", "Ed25519"];
const RSA: &[&str] = &["RS256", "PS256"];

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Key {
    /// Reads a key: PEM (PKCS #8, or PKCS #1 for RSA) or a JWK (RFC 7517). `said` may hold `alg`,
    /// `kid` and `aud`; the first two may also stand in the JWK.
    ///
    /// # Errors
    /// Why it cannot be used, without a part of it.
    pub fn read(key: &str, said: &Value) -> Result<Self, &'static str> {
        let jwk: Value = serde_json::from_str(key).unwrap_or_default();
        let found = if jwk.is_object() { of_jwk(&jwk) } else { of_pem(key)? };
        let (pair, algorithms) = found.ok_or(
            "it is no EC key with P-256 or P-384, no Ed25519 key and no RSA key of 2048 bits or more",
        )?;
        let member = |name| text(said, name).or_else(|| text(&jwk, name));
        let named = member("alg");
        let algorithm = algorithms.iter().find(|known| named.is_none_or(|name| name == **known));
        Ok(Key {
            pair: Arc::new(pair),
            algorithm: algorithm.ok_or("the key cannot sign with the `alg` that is named")?,
            id: member("kid").map(String::from),
            audience: text(said, "aud").map(String::from),
        })
    }

    /// What the client `id` shows to the authorization server `issuer`, which is the audience
    /// unless the options name another. `unique` is the assertion's own id, `now` in seconds since
    /// 1970. `None` where the key does not sign.
    pub(super) fn assertion(
        &self,
        id: &str,
        issuer: &str,
        unique: &str,
        now: u64,
    ) -> Option<SecretString> {
        let mut header = json!({ "alg": self.algorithm, "typ": "JWT" });
        if let Some(id) = &self.id {
            header["kid"] = json!(id);
        }
        let claims = json!({
            "iss": id,
            "sub": id,
            "aud": self.audience.as_deref().unwrap_or(issuer),
            "jti": unique,
            "iat": now,
            "exp": now.saturating_add(LIFE),
        });
        let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes())?);
        Some(format!("{signed}.{signature}").into())
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &*self.pair {
            Pair::Ecdsa(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let is_pss = self.algorithm == "PS256";
                let encoding: &dyn RsaEncoding =
                    if is_pss { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                pair.sign(encoding, &random, message, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}

fn of_pem(text: &str) -> Result<Option<Found>, &'static str> {
    match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
        Ok(PrivateKeyDer::Pkcs8(der)) => Ok(of_pkcs8(der.secret_pkcs8_der())),
        Ok(PrivateKeyDer::Pkcs1(der)) => {
            Ok(RsaKeyPair::from_der(der.secret_pkcs1_der()).ok().map(|pair| (Pair::Rsa(pair), RSA)))
        }
        Ok(_) => Err("it is not PKCS #8; `openssl pkcs8 -topk8 -nocrypt -in FILE` makes it so"),
        Err(_) => Err("it holds neither an unencrypted private key in PEM nor a JWK"),
    }
}

fn of_pkcs8(der: &[u8]) -> Option<Found> {
    let random = SystemRandom::new();
    for (_, curve, algorithms) in CURVES {
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(curve, der, &random) {
            return Some((Pair::Ecdsa(pair), algorithms));
        }
    }
    if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
        return Some((Pair::Ed25519(pair), ED25519));
    }
    RsaKeyPair::from_pkcs8(der).ok().map(|pair| (Pair::Rsa(pair), RSA))
}

fn of_jwk(jwk: &Value) -> Option<Found> {
    let number = |name| BASE64_URL_SAFE_NO_PAD.decode(text(jwk, name)?).ok();
    let curve = text(jwk, "crv");
    match text(jwk, "kty")? {
        "EC" => {
            let (_, curve, algorithms) =
                CURVES.into_iter().find(|(name, ..)| Some(*name) == curve)?;
            // An uncompressed point (SEC 1, 2.3.3).
            let public = [vec![4], number("x")?, number("y")?].concat();
            let random = SystemRandom::new();
            let pair = EcdsaKeyPair::from_private_key_and_public_key(
                curve,
                &number("d")?,
                &public,
                &random,
            );
            Some((Pair::Ecdsa(pair.ok()?), algorithms))
        }
        "OKP" if curve == Some("Ed25519") => {
            let pair = Ed25519KeyPair::from_seed_and_public_key(&number("d")?, &number("x")?);
            Some((Pair::Ed25519(pair.ok()?), ED25519))
        }
        "RSA" => {
            let pair = RsaKeyPair::from_components(&KeyPairComponents {
                public_key: PublicKeyComponents { n: number("n")?, e: number("e")? },
                d: number("d")?,
                p: number("p")?,
                q: number("q")?,
                dP: number("dp")?,
                dQ: number("dq")?,
                qInv: number("qi")?,
            });
            Some((Pair::Rsa(pair.ok()?), RSA))
        }
        _ => None,
    }
}
