//! What to try, by what the network said. Pure.

/// Words of a cause, in lower case, and the advice that goes with the first of them found.
const HINTS: [(&[&str], &str); 7] = [
    (
        // The other side's alerts about our certificate, or about there being none.
        &["alert: certificate", "alert: bad", "alert: unknownca", "alert: handshake"],
        "the server may want a client certificate of its own authority: pass `--client-cert FILE`, \
         a PEM file with the certificate and its private key",
    ),
    (
        &["not valid for name", "notvalidforname"],
        "check the URL: the host name is not one that the server's certificate names",
    ),
    (
        &["certificate expired", "certificate not valid yet"],
        "check this machine's clock; if it is right, the server needs a new certificate",
    ),
    (
        &["certificate", "unknownissuer"],
        "if a company proxy or a private authority signs the certificate, pass `--ca-file FILE`",
    ),
    (
        &["proxy auth"],
        "the proxy wants a user name and password: pass `--proxy http://user:password@host:port`",
    ),
    (
        &["through the proxy"],
        "check that the proxy is there and may reach the server, or pass `--no-proxy`",
    ),
    (
        &["dns", "lookup", "resolve"],
        "check the host name and the network; behind a company proxy, pass `--proxy URL`",
    ),
];

/// The advice for a connection that failed with this cause.
pub fn of_network(cause: &str) -> &'static str {
    let cause = cause.to_ascii_lowercase();
    let fits = |(words, _): &&(&[&str], &str)| words.iter().any(|word| cause.contains(word));
    let found = HINTS.iter().find(fits).map(|(_, hint)| *hint);
    found.unwrap_or("check that the server is running and the network is up")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_fits_the_cause() {
        for (cause, word) in [
            ("received fatal alert: CertificateRequired", "--client-cert"),
            ("received fatal alert: UnknownCA", "--client-cert"),
            ("invalid peer certificate: UnknownIssuer", "--ca-file"),
            ("invalid peer certificate: certificate not valid for name \"x\"", "check the URL"),
            ("invalid peer certificate: certificate expired: verification time 1", "clock"),
            ("tunnel error: proxy authorization required", "user:password@host"),
            ("through the proxy http://p:1: Connection refused", "--no-proxy"),
            ("failed to lookup address information", "host name"),
            ("Connection refused (os error 111)", "is running"),
        ] {
            assert!(of_network(cause).contains(word), "{cause}: {}", of_network(cause));
        }
    }
}
