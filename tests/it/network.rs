//! How requests are made: compression, addresses, keys from a command.

use std::{io::Write, path::Path};

use crate::support::{
    bridge::Bridge,
    http::Request,
    json,
    server::{Face, Server},
};

/// A gzip file that holds these bytes as they are (RFC 1952, with a stored block of RFC 1951).
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let crc = !bytes.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    });
    let length = u16::try_from(bytes.len()).expect("a short text");
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(bytes);
    file.extend(crc.to_le_bytes());
    file.extend(u32::from(length).to_le_bytes());
    file
}

#[test]
fn a_list_may_come_compressed_and_what_may_be_streamed_is_asked_for_as_it_is() {
    let server = Server::start(Face::Http);
    server.on("tools/list", |call| {
        let tools = r#"{"tools":[{"name":"zipped","inputSchema":{"type":"object"}}]}"#;
        let body = gzip(json::result(&call.id(), tools).as_bytes());
        let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
        call.http().reply(200, &headers, body);
    });
    // Through a proxy, which the server plays too: on this machine nothing asks for compression.
    let proxy = format!("--proxy=http://{}", server.listener().addr);
    let mut bridge = Bridge::over(Face::Http, &server).arg(proxy).spawn();
    bridge.handshake("2025-11-25");
    bridge.send(json::request("1", "tools/list", "{}"));
    assert_eq!(bridge.answer_to("1")["result"]["tools"][0]["name"], "zipped");
    bridge.call_works("2");
    server.await_request(|request| request.method == "GET");
    for request in server.requests() {
        let expected = if request.is_rpc("tools/list") { "gzip" } else { "identity" };
        assert_eq!(request.header("accept-encoding"), Some(expected), "{}", request.dump());
    }
    bridge.finish();
}

#[test]
fn localhost_is_found_where_it_listens_with_and_without_ipv4_alone() {
    let server = Server::start(Face::Http);
    // A listener of its own, as the server's is on an address that `localhost` does not mean.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("a bound address").port();
    let target = server.listener().addr;
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            std::thread::spawn(move || crate::support::tunnel::splice(&client, target));
        }
    });
    for flags in [&[][..], &["--ipv4"]] {
        let setup = Bridge::to(format!("http://localhost:{port}/mcp")).arg("--transport=http-only");
        let mut bridge = flags.iter().fold(setup, |setup, &flag| setup.arg(flag)).spawn();
        bridge.handshake("2025-11-25");
        bridge.call_works("1");
        bridge.finish();
    }
}

#[test]
fn ipv4_alone_reaches_no_ipv6_address() {
    let mut bridge =
        Bridge::to("http://[::1]:9/mcp").arg("--ipv4").arg("--startup-grace=1").spawn();
    bridge.send(json::initialize("1", "2025-11-25"));
    let answer = bridge.answer_to("1").to_string();
    assert!(answer.contains("could not connect to http://[::1]:9: "), "{answer}");
    bridge.end();
}

/// A pipe with a name, which a key command reads from.
#[cfg(unix)]
fn fifo(folder: &Path) -> String {
    let path = folder.join("key");
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo is there");
    assert!(made.success());
    path.to_str().expect("a plain path").to_owned()
}

#[cfg(unix)]
#[test]
fn a_slow_key_command_holds_the_first_message_back_runs_once_and_its_key_is_in_one_header() {
    let server = Server::start(Face::Http);
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (fifo, runs) = (fifo(folder.path()), folder.path().join("runs"));
    let script = format!("echo >> {}; cat {fifo}", runs.display());
    let mut bridge = Bridge::over(Face::Http, &server)
        .arg(format!("--api-key-command=sh -c '{script}'"))
        .arg("--log-level=trace")
        .spawn();
    bridge.send(json::initialize("\"hello\"", "2025-11-25"));
    // This opens once the command reads.
    let mut key = std::fs::OpenOptions::new().write(true).open(&fifo).expect("the pipe is there");
    bridge.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    bridge.call("1", "works");
    assert_eq!(server.requests().len(), 0);
    writeln!(key, "MARKER-SECRET").expect("the command reads");
    drop(key);
    assert!(bridge.answer_to("\"hello\"").get("result").is_some());
    assert!(bridge.answer_to("1").get("result").is_some());
    bridge.call_works("2");

    for request in server.requests() {
        assert_eq!(request.header("x-api-key"), Some("MARKER-SECRET"));
        assert_eq!(request.dump().matches("MARKER-SECRET").count(), 1, "{}", request.dump());
    }
    assert_eq!(std::fs::read_to_string(runs).expect("it ran"), "\n");
    assert!(!bridge.end().contains("MARKER-SECRET"));
}

#[cfg(unix)]
#[test]
fn a_key_command_that_is_slow_beyond_the_grace_still_leads_to_a_working_client() {
    let server = Server::start(Face::Http);
    let folder = tempfile::tempdir().expect("a temporary directory");
    let fifo = fifo(folder.path());
    let mut bridge = Bridge::over(Face::Http, &server)
        .arg(format!("--api-key-command=cat {fifo}"))
        .arg("--startup-grace=0.2")
        .spawn();
    bridge.handshake("2025-11-25");
    bridge.call("1", "works");
    std::fs::write(&fifo, "k3y\n").expect("the command reads");
    assert!(bridge.answer_to("1").get("result").is_some());
    server.await_request(|request: &Request| request.header("x-api-key") == Some("k3y"));
    bridge.finish();
}

#[cfg(unix)]
#[test]
fn a_key_command_that_fails_is_named_without_what_it_printed_and_tried_again() {
    let server = Server::start(Face::Http);
    let folder = tempfile::tempdir().expect("a temporary directory");
    let ready = folder.path().join("ready");
    let script = format!("echo MARKER-SECRET; echo MARKER-SECRET >&2; test -e {}", ready.display());
    let mut bridge = Bridge::over(Face::Http, &server)
        .arg(format!("--api-key-command=sh -c '{script}'"))
        .arg("--log-level=trace")
        .spawn();
    bridge.send(json::initialize("1", "2025-11-25"));
    let error = bridge.refusal("1", -32603, &["the API key command sh", "exit status: 1"]);
    assert!(!error.to_string().contains("MARKER-SECRET"), "{error}");
    assert_eq!(server.requests().len(), 0);

    // Whoever unlocks their key store meanwhile need not start the client again.
    std::fs::write(ready, "").expect("it is written");
    bridge.handshake("2025-11-25");
    bridge.call_works("2");
    assert!(!bridge.end().contains("MARKER-SECRET"));
}
