use ring::{
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use secrecy::ExposeSecret;

use super::*;
use crate::auth::{
    grant::assertion,
    store::{Client, Proof},
};

/// Made for these tests alone.
const RSA_JWK: &str = include_str!("rsa.json");

fn pem(der: &[u8]) -> String {
    let text = base64::prelude::BASE64_STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("ASCII")).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

fn ecdsa(curve: &'static EcdsaSigningAlgorithm) -> Vec<u8> {
    EcdsaKeyPair::generate_pkcs8(curve, &SystemRandom::new()).expect("a key").as_ref().to_vec()
}

fn url_safe(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn parts(assertion: &SecretString) -> [String; 3] {
    let parts: Vec<_> = assertion.expose_secret().split('.').map(String::from).collect();
    parts.try_into().expect("three parts")
}

fn decoded(part: &str) -> Value {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// The assertion of the key, checked with its public half.
fn check(key: &Key, algorithm: &str) {
    use signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
        RSA_PSS_2048_8192_SHA256, VerificationAlgorithm,
    };
    let public = match &*key.pair {
        Pair::Ecdsa(pair) => pair.public_key().as_ref().to_vec(),
        Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
    };
    let verifies: &dyn VerificationAlgorithm = match algorithm {
        "ES256" => &ECDSA_P256_SHA256_FIXED,
        "ES384" => &ECDSA_P384_SHA384_FIXED,
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        _ => &ED25519,
    };
    let [header, claims, signature] =
        parts(&key.assertion("me", "https://as.example", "one", 1000).expect("signed"));
    assert_eq!(decoded(&header)["alg"], algorithm);
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let signed = format!("{header}.{claims}");
    let known = UnparsedPublicKey::new(verifies, public);
    assert!(known.verify(signed.as_bytes(), &signature).is_ok(), "{algorithm}");
}

#[test]
fn keys_in_pem_and_jwk_sign_what_their_public_half_verifies() {
    let p256 = ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING);
    let p384 = ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING);
    let ed = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let ed = ed.as_ref();
    // Where these numbers stand in the keys that `ring` makes.
    let (d, x, y) = (&p256[36..68], &p256[74..106], &p256[106..]);
    let ec = json!({
        "kty": "EC", "crv": "P-256", "d": url_safe(d), "x": url_safe(x), "y": url_safe(y),
    });
    let (d, x) = (&ed[16..48], &ed[ed.len() - 32..]);
    let okp = json!({"kty": "OKP", "crv": "Ed25519", "d": url_safe(d), "x": url_safe(x)});
    for (key, said, algorithm) in [
        (pem(&p256), json!({}), "ES256"),
        (pem(&p256), json!({"alg": "ES256"}), "ES256"),
        (pem(&p384), json!({}), "ES384"),
        (pem(ed), json!({}), "EdDSA"),
        (pem(ed), json!({"alg": "Ed25519"}), "Ed25519"),
        (ec.to_string(), json!({}), "ES256"),
        (okp.to_string(), json!({}), "EdDSA"),
        (RSA_JWK.to_owned(), json!({}), "RS256"),
        (RSA_JWK.to_owned(), json!({"alg": "PS256"}), "PS256"),
    ] {
        check(&Key::read(&key, &said).expect(algorithm), algorithm);
    }
}

/// RFC 7523, 3, with the issuer for the audience as MCP and its update want it.
#[test]
fn an_assertion_is_for_one_server_for_a_short_time_and_for_once() {
    let key = pem(&ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING));
    let said = json!({"kid": "k1"});
    let mut client = Client {
        id: "me".into(),
        proof: Proof::PrivateKey,
        key: Key::read(&key, &said).ok(),
        ..Client::default()
    };
    let made =
        |client: &Client| assertion(client, "https://as.example/t1", 1000).expect("it signs");
    let (one, other) = (made(&client).expect("one"), made(&client).expect("another"));
    let [header, claims, _] = parts(&one);
    assert_eq!(decoded(&header), json!({"alg": "ES256", "typ": "JWT", "kid": "k1"}));
    let mut claims = decoded(&claims);
    let unique = claims["jti"].take();
    assert!(unique.as_str().is_some_and(|text| text.len() == 22));
    assert_ne!(unique, decoded(&parts(&other)[1])["jti"]);
    assert_eq!(
        claims,
        json!({
            "iss": "me", "sub": "me", "aud": "https://as.example/t1",
            "jti": null, "iat": 1000, "exp": 1300,
        })
    );
    client.key = Key::read(&key, &json!({"aud": "https://as.example/token"})).ok();
    let claims = decoded(&parts(&made(&client).expect("one"))[1]);
    assert_eq!(claims["aud"], "https://as.example/token");
    client.key = None;
    let report = assertion(&client, "x", 0).expect_err("there is no key").report();
    assert!(report.contains("private_key_file"), "{report}");
    client.proof = Proof::Basic;
    assert!(assertion(&client, "x", 0).expect("nothing is wrong").is_none());
}

#[test]
fn what_is_no_key_is_refused_and_a_key_is_not_shown() {
    let p256 = ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING);
    let sec1 = pem(&p256).replace("PRIVATE", "EC PRIVATE");
    let wrong = json!({"alg": "RS256"});
    let nothing = json!({});
    let symmetric = r#"{"kty":"oct","k":"SECRET"}"#;
    for (key, said, part) in [
        ("SECRET", &nothing, "neither"),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
            &nothing,
            "unencrypted",
        ),
        (&sec1, &nothing, "openssl pkcs8"),
        (&pem(&p256), &wrong, "alg"),
        (&pem(b"SECRET"), &nothing, "no RSA key"),
        (symmetric, &nothing, "no RSA key"),
        (r#"{"kty":"EC","crv":"P-256","d":"AQ","x":"AQ","y":"AQ"}"#, &nothing, "no RSA key"),
    ] {
        let why = Key::read(key, said).expect_err(part);
        assert!(why.contains(part) && !why.contains("SECRET"), "{why}");
    }
    let key = Key::read(&pem(&p256), &nothing).expect("a key");
    assert_eq!(format!("{key:?}"), "Key { algorithm: \"ES256\", .. }");
}
