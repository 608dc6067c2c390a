//! Certificates: private authorities, client certificates, and what is said where they are wrong.

use tempfile::NamedTempFile;

use crate::support::{
    bridge::{Bridge, Setup},
    json,
    server::{Face, Server},
    tls::{Authority, Front, file},
};

fn over(front: &Front) -> Setup {
    Bridge::to(front.url("/mcp")).arg("--transport=http-only")
}

fn path(file: &NamedTempFile) -> &str {
    file.path().to_str().expect("a plain path")
}

fn works(setup: Setup) {
    let mut bridge = setup.spawn();
    bridge.handshake("2025-11-25");
    bridge.call_works("1");
    bridge.finish();
}

/// The instructions of the answer that the bridge gives in the remote's place.
#[track_caller]
fn excuse(setup: Setup, words: &[&str]) {
    let mut bridge = setup.arg("--startup-grace=1").spawn();
    bridge.send(json::initialize("1", "2025-11-25"));
    let answer = bridge.answer_to("1");
    let text = answer["result"]["instructions"].as_str().expect("instructions").to_owned();
    for word in words {
        assert!(text.contains(word), "{word} is missing in: {text}");
    }
    bridge.end();
}

#[test]
fn an_unknown_authority_is_told_with_what_to_do() {
    let server = Server::start(Face::Http);
    let front = Front::trusted(server.listener().addr, &Authority::new());
    excuse(over(&front), &["could not connect to https://", "UnknownIssuer", "--ca-file"]);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_private_authority_is_trusted_by_flag_variable_or_configuration_file() {
    let (server, authority) = (Server::start(Face::Http), Authority::new());
    let front = Front::trusted(server.listener().addr, &authority);
    let trusted = authority.file();
    works(over(&front).arg("--ca-file").arg(path(&trusted)));
    works(over(&front).env("NODE_EXTRA_CA_CERTS", path(&trusted)));
    let config = file(&format!("ca-file = \"{}\"\n", path(&trusted)));
    works(over(&front).arg("--config").arg(path(&config)));
}

#[test]
fn a_private_authority_and_a_machine_without_a_store_get_on() {
    let (server, authority) = (Server::start(Face::Http), Authority::new());
    let front = Front::trusted(server.listener().addr, &authority);
    let bare = |setup: Setup| {
        setup.env("SSL_CERT_FILE", "/does/not/exist").env("SSL_CERT_DIR", "/does/not/exist")
    };
    let trusted = authority.file();
    works(bare(over(&front)).arg("--ca-file").arg(path(&trusted)));
    works(bare(Bridge::over(Face::Http, &server)));
    excuse(bare(over(&front)), &["UnknownIssuer", "--ca-file"]);
}

#[test]
fn a_certificate_of_another_host_or_time_is_told() {
    let (server, authority) = (Server::start(Face::Http), Authority::new());
    let trusted = authority.file();
    let front =
        Front::start(server.listener().addr, |_| authority.issue(&["other.test"]).server(None));
    let setup = || over(&front).arg("--ca-file").arg(path(&trusted));
    excuse(setup(), &["certificate not valid for name", "other.test", "check the URL"]);
    let front = Front::start(server.listener().addr, |address| {
        authority.issue_until(&[address], 2001).server(None)
    });
    let setup = || over(&front).arg("--ca-file").arg(path(&trusted));
    excuse(setup(), &["certificate expired", "clock"]);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_client_certificate_opens_what_is_closed_without() {
    let (server, authority) = (Server::start(Face::Http), Authority::new());
    let front = Front::start(server.listener().addr, |address| {
        authority.issue(&[address]).server(Some(&authority))
    });
    let trusted = authority.file();
    let setup = || over(&front).arg("--ca-file").arg(path(&trusted));
    let own = authority.issue(&["client"]).file();
    works(setup().arg("--client-cert").arg(path(&own)));
    let seen = server.requests().len();

    excuse(setup(), &["CertificateRequired", "--client-cert"]);
    let foreign = Authority::new().issue(&["client"]).file();
    let foreign = setup().arg("--client-cert").arg(path(&foreign));
    excuse(foreign, &["received fatal alert", "--client-cert"]);
    assert_eq!(server.requests().len(), seen);
}

#[test]
fn a_client_certificate_works_on_a_machine_without_a_store() {
    let (server, authority) = (Server::start(Face::Http), Authority::new());
    let front = Front::start(server.listener().addr, |address| {
        authority.issue(&[address]).server(Some(&authority))
    });
    let (trusted, own) = (authority.file(), authority.issue(&["client"]).file());
    let setup = over(&front).arg("--ca-file").arg(path(&trusted));
    let bare = setup.env("SSL_CERT_FILE", "/does/not/exist").env("SSL_CERT_DIR", "/does/not/exist");
    works(bare.arg("--client-cert").arg(path(&own)));
}

/// The first `initialize` is answered with an error that says this, and the process goes on.
#[track_caller]
fn unusable(setup: Setup, words: &[&str]) {
    let mut bridge = setup.spawn();
    for id in ["1", "2"] {
        bridge.send(json::initialize(id, "2025-11-25"));
        bridge.refusal(id, -32603, words);
    }
    bridge.send(json::request("3", "ping", "{}"));
    bridge.answer_to("3");
    bridge.end();
}

#[test]
fn a_file_that_cannot_be_used_is_named_and_the_process_lives() {
    let (server, authority) = (Server::start(Face::Http), Authority::new());
    let front = Front::trusted(server.listener().addr, &authority);
    let (text, trusted) = (file("no certificate"), authority.file());
    let broken = file("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    let empty = file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for (flag, path, words) in [
        ("--ca-file", "/does/not/exist", ["certificate file `/does/not/exist`", "No such file"]),
        ("--ca-file", path(&text), [path(&text), "no PEM certificate"]),
        ("--ca-file", path(&broken), [path(&broken), "no PEM certificate"]),
        ("--ca-file", path(&empty), [path(&empty), "no PEM certificate"]),
        ("--client-cert", "/does/not/exist", ["`/does/not/exist`", "No such file"]),
        ("--client-cert", path(&text), [path(&text), "certificate and private key"]),
        ("--client-cert", path(&trusted), [path(&trusted), "certificate and private key"]),
    ] {
        unusable(over(&front).arg(flag).arg(path), &words);
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn one_odd_certificate_in_a_bundle_does_not_spoil_the_others() {
    let (server, authority) = (Server::start(Face::Http), Authority::new());
    let front = Front::trusted(server.listener().addr, &authority);
    let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let good = std::fs::read_to_string(authority.file().path()).expect("it can be read");
    let bundle = file(&format!("# ours\n{odd}{good}"));
    works(over(&front).arg("--ca-file").arg(path(&bundle)));
}
