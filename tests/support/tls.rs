//! Certificates of our own making, and a TLS front for any plain remote: HTTP/1.1 is passed through
//! byte by byte, HTTP/2 goes through [`super::http2`].

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

use super::{
    http2::{self, Faults},
    net::Listener,
};

/// A certificate authority that nobody knows.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

/// A certificate with its key.
pub struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![]).expect("no names are good names");
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        params.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        Authority { issuer: Issuer::new(params, key), certificate }
    }

    /// A certificate for these host names and addresses.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_until(names, 2096)
    }

    /// The same, ending when this year begins.
    pub fn issue_until(&self, names: &[&str], year: i32) -> Identity {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("good names");
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity { certificate, key }
    }

    /// A PEM file for `--ca-file`.
    pub fn file(&self) -> NamedTempFile {
        file(&self.certificate.pem())
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).expect("our own certificate");
        Arc::new(roots)
    }
}

impl Identity {
    /// A PEM file for `--client-cert`: certificate and key.
    pub fn file(&self) -> NamedTempFile {
        file(&(self.certificate.pem() + &self.key.serialize_pem()))
    }

    /// A server that shows this; `clients` must have signed the client's certificate, if given.
    pub fn server(&self, clients: Option<&Authority>) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("ring has them");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(clients.roots(), provider);
                builder.with_client_cert_verifier(verifier.build().expect("there is a root"))
            }
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        builder
            .with_single_cert(vec![self.certificate.der().clone()], key)
            .expect("they belong together")
    }
}

/// A file that holds this text.
pub fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("it is written");
    file
}

/// TLS in front of a plain remote.
pub struct Front {
    listener: Listener,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    acceptor: OnceLock<TlsAcceptor>,
    handshakes: AtomicUsize,
    faults: Arc<Faults>,
}

impl Front {
    /// A front for `target`; `config` is made for the address it will have.
    pub fn start(target: SocketAddr, config: impl FnOnce(&str) -> ServerConfig) -> Self {
        let shared = Arc::<Shared>::default();
        let serving = shared.clone();
        let listener = Listener::start(Arc::new(move |stream| serve(&stream, target, &serving)));
        let config = config(&listener.addr.ip().to_string());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        assert!(shared.acceptor.set(acceptor).is_ok(), "set once");
        Front { listener, shared }
    }

    /// A front with a certificate that is in order.
    pub fn trusted(target: SocketAddr, authority: &Authority) -> Self {
        Front::start(target, |address| {
            authority.issue(&[address, "mcp.test", "localhost"]).server(None)
        })
    }

    /// The same, speaking HTTP/2 to whoever offers it.
    pub fn http2(target: SocketAddr, authority: &Authority) -> Self {
        Front::start(target, |address| {
            let mut config = authority.issue(&[address]).server(None);
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            config
        })
    }

    pub fn addr(&self) -> SocketAddr {
        self.listener.addr
    }

    /// The URL of `path` here.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.listener.addr)
    }

    /// How many TLS connections were ever made.
    pub fn handshakes(&self) -> usize {
        self.shared.handshakes.load(Ordering::SeqCst)
    }

    /// What is to go wrong with HTTP/2.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }
}

fn serve(stream: &Arc<TcpStream>, target: SocketAddr, shared: &Shared) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Whatever goes wrong here, the bridge sees and the test judges.
    let _ = runtime.block_on(carry(stream, target, shared));
}

async fn carry(
    stream: &Arc<TcpStream>,
    target: SocketAddr,
    shared: &Shared,
) -> std::io::Result<()> {
    let twin = stream.try_clone()?;
    twin.set_nonblocking(true)?;
    let twin = tokio::net::TcpStream::from_std(twin)?;
    let acceptor = shared.acceptor.wait().clone();
    let mut encrypted = acceptor.accept(twin).await?;
    shared.handshakes.fetch_add(1, Ordering::SeqCst);
    if encrypted.get_ref().1.alpn_protocol() == Some(b"h2") {
        return http2::serve(encrypted, target, &shared.faults).await;
    }
    let mut plain = tokio::net::TcpStream::connect(target).await?;
    tokio::io::copy_bidirectional(&mut encrypted, &mut plain).await.map(drop)
}
