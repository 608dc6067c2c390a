//! Signing in without a person (spec.md 7; SEP-1046, SEP-1933, SEP-990), and with a private key.

use std::fs;

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
        UnparsedPublicKey,
    },
};
use serde_json::{Value, json};

use crate::support::authorization::{Authorization, get, value};

type Form = Vec<(String, String)>;

/// A client with a private key in a file.
struct Client {
    public: Vec<u8>,
    /// What must stand nowhere.
    body: String,
    /// The option that names it.
    option: String,
}

impl Client {
    fn new(place: &Authorization) -> Self {
        let random = SystemRandom::new();
        let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let der = EcdsaKeyPair::generate_pkcs8(curve, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(curve, der.as_ref(), &random).expect("a key");
        let body = BASE64_STANDARD.encode(&der);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let file = place.home.path().join("key.pem");
        fs::write(&file, pem).expect("written");
        let info = json!({"client_id": "me", "private_key_file": file, "kid": "k1"});
        let option = format!("--static-oauth-client-info={info}");
        Client { public: pair.public_key().as_ref().to_vec(), body, option }
    }

    /// What the assertion in a form says; its signature is checked.
    fn claims(&self, form: &Form) -> Value {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        assert_eq!(value(form, "client_assertion_type"), Some(kind));
        let assertion = value(form, "client_assertion").expect("an assertion");
        let (signed, signature) = assertion.rsplit_once('.').expect("three parts");
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        let known = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.public);
        known.verify(signed.as_bytes(), &signature).expect("it is ours");
        let claims = signed.split('.').nth(1).expect("claims");
        let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64url");
        serde_json::from_slice(&claims).expect("JSON")
    }
}

/// What is stored about sign-ins.
fn stored(place: &Authorization) -> String {
    let directory = place.home.path().join("state/composio-bridge/sign-ins");
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| fs::read_to_string(entry.path()).ok()).collect()
}

fn used(place: &Authorization, args: &[&str]) -> String {
    let mut setup = place.bridge().arg("--log-level=trace");
    for arg in args {
        setup = setup.arg(*arg);
    }
    let mut bridge = setup.spawn();
    bridge.handshake("2025-06-18");
    bridge.call_works("1");
    bridge.end()
}

/// SEP-1046: the audience is the issuer, and each assertion good for one request.
#[test]
fn a_program_signs_in_with_its_private_key_and_does_so_again() {
    let place = Authorization::start();
    let client = Client::new(&place);
    let args = ["--client-credentials", &client.option];
    let (code, mut said) = place.login(&args).end();
    assert_eq!(code, 0, "{said}");
    place.revoke();
    said += &used(&place, &args);
    let grants = place.grants("client_credentials");
    assert_eq!(grants.len(), 2);
    let claims: Vec<_> = grants.iter().map(|form| client.claims(form)).collect();
    for (form, claims) in grants.iter().zip(&claims) {
        assert_eq!(claims["aud"], place.remote.url("/t1"));
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("me"), &json!("me")));
        assert_eq!(value(form, "resource"), Some(place.server.endpoint().as_str()));
        assert_eq!(value(form, "scope"), Some("read"));
        assert_eq!(value(form, "client_secret"), None);
    }
    assert_ne!(claims[0]["jti"], claims[1]["jti"]);
    said += &stored(&place);
    assert!(said.contains("private_key_jwt"), "{said}");
    assert!(!said.contains(&client.body) && !said.contains("client_assertion"), "{said}");
}

#[test]
fn a_person_signs_in_through_a_client_with_a_private_key() {
    let place = Authorization::start();
    let client = Client::new(&place);
    let login = place.login(&[&client.option]);
    get(&place.consent(&login.page()));
    let (code, text) = login.end();
    assert_eq!(code, 0, "{text}");
    assert_eq!(client.claims(&place.grants("authorization_code")[0])["sub"], "me");
    place.revoke();
    used(&place, &[&client.option]);
    let renewals = place.grants("refresh_token");
    assert_eq!(client.claims(&renewals[0])["aud"], place.remote.url("/t1"));
}

#[test]
fn a_program_without_a_secret_and_without_a_key_is_told() {
    let place = Authorization::start();
    let info = "--static-oauth-client-info={\"client_id\":\"me\"}";
    let (code, text) = place.login(&["--client-credentials", info]).end();
    assert!(code == 3 && text.contains("private_key_file"), "{code}: {text}");
    assert!(place.asked("/token").is_empty());
}
