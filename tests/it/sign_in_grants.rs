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

use crate::support::{
    authorization::{Authorization, JWT_BEARER, MARKER, form, get, value},
    remote::Remote,
};

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

/// SEP-1933: the file is read anew for each token, as who gives the assertion renews it there.
#[test]
fn a_workload_signs_in_with_the_assertion_in_a_file() {
    let place = Authorization::start();
    let file = place.home.path().join("assertion");
    fs::write(&file, format!("{MARKER}-one\n")).expect("written");
    let option = format!("--workload-identity=@{}", file.display());
    let (code, mut said) = place.login(&["--log-level=trace", &option]).end();
    assert_eq!(code, 0, "{said}");
    let lines: Vec<_> = said.lines().filter(|line| !line.contains("DEBUG")).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("Signed in to"), "{lines:?}");
    fs::write(&file, format!("{MARKER}-two\n")).expect("written");
    place.revoke();
    said += &used(&place, &[&option]);
    let grants = place.grants(JWT_BEARER);
    assert_eq!(grants.len(), 2);
    for (form, assertion) in grants.iter().zip(["one", "two"]) {
        assert_eq!(value(form, "assertion"), Some(format!("{MARKER}-{assertion}").as_str()));
        assert_eq!(value(form, "resource"), Some(place.server.endpoint().as_str()));
        assert_eq!(value(form, "scope"), Some("read"));
        assert_eq!(value(form, "client_id"), None, "nobody registered a client");
    }
    assert!(!said.contains(MARKER), "{said}");
    assert!(!stored(&place).contains(&format!("{MARKER}-two")));
    assert!(place.asked("/register").is_empty());
}

/// SEP-1933: no second attempt, and no other grant in its place.
#[test]
fn what_refuses_a_workload_is_told_and_asked_once() {
    for (error, code) in [
        (r#"{"error":"invalid_grant"}"#, "invalid_grant"),
        (r#"{"error":"invalid_scope"}"#, "invalid_scope"),
        (r#"{"error":"unauthorized_client"}"#, "unauthorized_client"),
    ] {
        let place = Authorization::start();
        place.change(|script| script.fails = Some((400, error)));
        let file = place.home.path().join("assertion");
        fs::write(&file, MARKER).expect("written");
        let option = format!("--workload-identity=@{}", file.display());
        let (exit, text) = place.login(&[&option]).end();
        assert!(exit == 4 && text.contains(code) && !text.contains(MARKER), "{exit}: {text}");
        assert_eq!(place.asked("/token").len(), 1);
    }
}

#[test]
fn an_assertion_is_not_taken_from_the_command_line() {
    let place = Authorization::start();
    let option = format!("--workload-identity={MARKER}");
    let (code, text) = place.login(&[&option]).end();
    assert!(code == 3 && text.contains("@FILE") && !text.contains(MARKER), "{code}: {text}");
    let (code, text) = place.login(&["--workload-identity=${NO_SUCH}"]).end();
    assert!(code == 3 && text.contains("NO_SUCH"), "{code}: {text}");
    let (code, text) = place.login(&["--workload-identity=@/no/such"]).end();
    assert!(code == 3 && text.contains("/no/such"), "{code}: {text}");
    assert!(place.asked("/token").is_empty());
}

/// A company's identity provider, which answers like this.
fn provider(answer: Value) -> Remote {
    Remote::start(move |request, exchange| {
        let at =
            |path: &str| format!("http://{}{path}", request.header("host").unwrap_or_default());
        match request.path.as_str() {
            "/.well-known/openid-configuration" => {
                let issuer = at("").trim_end_matches('/').to_owned();
                let document = json!({"issuer": issuer, "token_endpoint": at("/exchange")});
                exchange.json(document.to_string());
            }
            "/exchange" => exchange.json(answer.to_string()),
            _ => exchange.reply(404, &[], ""),
        }
    })
}

/// SEP-990, 4 and 5.
#[test]
fn a_companys_identity_provider_signs_in() {
    let place = Authorization::start();
    let id_jag = "urn:ietf:params:oauth:token-type:id-jag";
    let company = provider(json!({
        "access_token": format!("{MARKER}-jag"), "issued_token_type": id_jag,
        "token_type": "N_A", "scope": "less",
    }));
    let file = place.home.path().join("id-token");
    fs::write(&file, format!("{MARKER}-id-one")).expect("written");
    let idp = json!({
        "issuer": company.url(""), "client_id": "at-the-company",
        "client_secret": format!("{MARKER}-s"), "token_endpoint_auth_method": "client_secret_post",
        "subject_token_file": file,
    });
    let config = place.home.path().join("idp.json");
    fs::write(&config, idp.to_string()).expect("written");
    let idp = format!("--identity-provider=@{}", config.display());
    let own = "--static-oauth-client-info={\"client_id\":\"me\",\"client_secret\":\"own\"}";
    let args = [idp.as_str(), own];
    let (code, mut said) = place.login(&args).end();
    assert_eq!(code, 0, "{said}");
    fs::write(&file, format!("{MARKER}-id-two")).expect("written");
    place.revoke();
    said += &used(&place, &args);

    let exchanges: Vec<Form> = company
        .requests()
        .iter()
        .filter(|request| request.path == "/exchange")
        .map(|request| form(&request.body))
        .collect();
    let issuer = place.remote.url("/t1");
    let (endpoint, secret) = (place.server.endpoint(), format!("{MARKER}-s"));
    assert_eq!(exchanges.len(), 2);
    for (form, (subject, scope)) in exchanges.iter().zip([("one", "read"), ("two", "less")]) {
        for (name, expected) in [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", id_jag),
            ("audience", issuer.as_str()),
            ("resource", endpoint.as_str()),
            ("scope", scope),
            ("subject_token", &format!("{MARKER}-id-{subject}")),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
            ("client_id", "at-the-company"),
            ("client_secret", &secret),
        ] {
            assert_eq!(value(form, name), Some(expected), "{name}");
        }
    }
    let grants = place.grants(JWT_BEARER);
    assert_eq!(grants.len(), 2);
    let jag = format!("{MARKER}-jag");
    assert_eq!(value(&grants[0], "assertion"), Some(jag.as_str()));
    assert_eq!(value(&grants[0], "scope"), Some("less"));
    let asked = &place.asked("/token")[0];
    assert_eq!(asked.header("authorization"), Some("Basic bWU6b3du"));
    assert!(!said.contains(MARKER), "{said}");
    let stored = stored(&place);
    for kind in ["-id-", "-jag", "-s\""] {
        assert!(!stored.contains(&format!("{MARKER}{kind}")), "{kind}: {stored}");
    }
}

#[test]
fn what_is_no_identity_for_another_server_is_not_passed_on() {
    let place = Authorization::start();
    let company = provider(json!({
        "access_token": format!("{MARKER}-other"), "token_type": "Bearer",
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }));
    let idp = json!({
        "token_endpoint": company.url("/exchange"), "client_id": "at-the-company",
        "subject_token": "x", "subject_token_type": "refresh_token",
    });
    let idp = format!("--identity-provider={idp}");
    let own = "--static-oauth-client-info={\"client_id\":\"me\"}";
    let (code, text) = place.login(&[&idp, own]).end();
    assert!(code == 5 && text.contains("id-jag") && !text.contains(MARKER), "{code}: {text}");
    assert!(place.asked("/token").is_empty());
    let asked = form(&company.requests()[0].body);
    let kind = "urn:ietf:params:oauth:token-type:refresh_token";
    assert_eq!(value(&asked, "subject_token_type"), Some(kind));
    let (code, text) = place.login(&[&idp]).end();
    assert!(code == 3 && text.contains("--static-oauth-client-info"), "{code}: {text}");
    let (code, text) = place.login(&[&idp, own, "--device-code"]).end();
    assert!(code == 3 && text.contains("exclude"), "{code}: {text}");
}

#[test]
fn two_workloads_have_two_sign_ins() {
    let place = Authorization::start();
    for name in ["one", "two", "one"] {
        let file = place.home.path().join(name);
        fs::write(&file, "x").expect("written");
        let option = format!("--workload-identity=@{}", file.display());
        assert_eq!(place.login(&[&option]).end().0, 0);
    }
    assert_eq!(stored(&place).matches("\"access_token\"").count(), 2);
}

/// AU-14, T112: a server that calls itself otherwise is the one that was named, or none.
#[test]
fn an_issuer_of_another_name_is_accepted_by_that_name_alone() {
    const OTHER: &str = "https://other.example/t2";
    let advertised = "authorization_response_iss_parameter_supported";
    let place = Authorization::start();
    place.change(|script| script.metadata = json!({"issuer": OTHER, advertised: true}));
    for flags in [&[][..], &["--accept-issuer=https://other.example/t2/"]] {
        let (code, text) = place.login(flags).end();
        assert!(code == 5 && text.contains("another issuer"), "{code}: {text}");
        let hint = format!("`--accept-issuer {OTHER}`");
        assert!(text.contains(&hint) && text.contains(&place.remote.url("/t1")), "{text}");
    }
    assert!(place.asked("/register").is_empty());
    let flag = format!("--accept-issuer={OTHER}");
    for (iss, proceeds) in [(place.remote.url("/t1"), false), (OTHER.to_owned(), true)] {
        let login = place.login(&[&flag]);
        let mut back = place.consent(&login.page());
        back.query_pairs_mut().append_pair("iss", &iss);
        get(&back);
        let (code, text) = login.end();
        assert_eq!(code == 0, proceeds, "{iss}: {text}");
    }
    let stored: Value = serde_json::from_str(&stored(&place)).expect("one sign-in");
    assert_eq!(stored["issuer"], OTHER);
}

/// Nobody ran `composio-bridge login`, and nobody is asked or told anything.
#[test]
fn a_program_is_signed_in_by_the_bridge_itself() {
    let place = Authorization::start();
    let client = Client::new(&place);
    let file = place.home.path().join("assertion");
    fs::write(&file, "x").expect("written");
    let workload = format!("--workload-identity=@{}", file.display());
    let own = "--static-oauth-client-info={\"client_id\":\"me\",\"client_secret\":\"own\"}";
    for args in [
        &["--client-credentials", own][..],
        &["--client-credentials", &client.option],
        &[workload.as_str()],
    ] {
        place.revoke();
        let _ = fs::remove_dir_all(place.home.path().join("state"));
        let mut setup = place.bridge_with_browser(place.server.endpoint());
        for arg in args {
            setup = setup.arg(*arg);
        }
        let mut bridge = setup.spawn();
        bridge.handshake("2025-06-18");
        bridge.call_works("1");
        // The token is refused in the middle, and there is a next one.
        place.revoke();
        bridge.call_works("2");
        bridge.finish();
    }
    assert_eq!(place.pages_opened(), 0);
    assert_eq!(place.asked("/token").len(), 6);
}

/// AU-23, T117: a secret that one authorization server knows is not shown to another.
#[test]
fn a_programs_secret_does_not_follow_the_server_to_another_issuer() {
    let place = Authorization::start();
    let own = "--static-oauth-client-info={\"client_id\":\"me\",\"client_secret\":\"own\"}";
    let args = ["--client-credentials", own];
    assert_eq!(place.login(&args).end().0, 0);
    place.change(|script| script.tenant = "t2");
    let (code, text) = place.login(&args).end();
    assert!(code == 4 && text.contains("now belongs to"), "{code}: {text}");
    assert!(place.asked("/t2/token").is_empty());
}

#[test]
fn sign_ins_of_mcp_remote_are_listed_as_such() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let theirs = place.home.path().join(".mcp-auth/mcp-remote-v1");
    fs::create_dir_all(&theirs).expect("it can be made");
    let tokens = json!({
        "access_token": format!("{MARKER}-a"), "refresh_token": format!("{MARKER}-r"),
        "token_type": "Bearer", "issuer": "https://as.example", "expires_at": 1000,
        "requested_scope": "files",
    });
    let file = theirs.join("0123_tokens.json");
    fs::write(&file, tokens.to_string()).expect("written");
    let client = json!({"client_id": "theirs", "client_secret": format!("{MARKER}-c")});
    fs::write(theirs.join("0123_client_info.json"), client.to_string()).expect("written");
    fs::write(theirs.join("4567_tokens.json"), "no JSON").expect("written");

    let run = |args: &[&str]| {
        let words = crate::support::bridge::executable();
        let mut command = std::process::Command::new(&words[0]);
        command.args(&words[1..]).args(args).env_clear().env("HOME", place.home.path());
        command.env("XDG_STATE_HOME", place.home.path().join("state"));
        String::from_utf8(command.output().expect("it starts").stdout).expect("text")
    };
    let (text, listed) = (run(&["auth", "status"]), run(&["auth", "status", "--json"]));
    assert!(!text.contains(MARKER) && !listed.contains(MARKER), "{text}{listed}");
    let file = file.to_str().expect("text");
    for part in [file, "of mcp-remote", "https://as.example", "files", "expired on", "renewed"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    assert_eq!(listed[0]["source"], "composio-bridge");
    let expected = json!({
        "source": "mcp-remote", "file": file, "issuer": "https://as.example",
        "clientId": "theirs", "scope": "files", "renewable": true, "expired": true,
        "expiresAt": "Thu, 01 Jan 1970 00:00:01 GMT",
    });
    assert_eq!(listed[1], expected);
}
