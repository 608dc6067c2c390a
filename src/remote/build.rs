//! Making the HTTP client: certificates, proxies, addresses.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Certificate, ClientBuilder, Identity, NoProxy, Proxy, Url, cookie::Jar, dns::Resolve,
};
use rustls::{
    ConfigBuilder, RootCertStore, WantsVerifier,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::{
    config::{Config, ProxyChoice},
    error::{Error, Kind},
    origin::is_loopback,
};

/// Whether any connection will be encrypted. Without, no certificate store is loaded, which is
/// most of what start-up costs.
pub fn needs_tls(config: &Config) -> bool {
    let proxy_is_https = proxy_of(config).is_some_and(|proxy| proxy.scheme() == "https");
    config.endpoint.scheme() == "https" || proxy_is_https
}

/// The proxy on the way to the endpoint that a flag or the environment names. One that the operating
/// system's settings name is known to the HTTP client alone.
pub fn proxy_of(config: &Config) -> Option<Url> {
    let endpoint = &config.endpoint;
    let variable = |names: [&str; 2]| names.iter().find_map(|name| std::env::var(name).ok());
    let (proxy, except) = match &config.network.proxy {
        ProxyChoice::None => return None,
        ProxyChoice::Url { url, except } => (Some(url.clone()), except.clone()),
        _ if is_loopback(endpoint) => return None,
        ProxyChoice::System => (of_environment(endpoint), variable(["NO_PROXY", "no_proxy"])),
        ProxyChoice::SystemExcept(hosts) => (of_environment(endpoint), Some(hosts.clone())),
    };
    let host = endpoint.host_str().unwrap_or_default();
    proxy.filter(|_| !except.is_some_and(|list| excepted(host, &list)))
}

/// Where a proxy is, without the user name and the password.
pub fn address(proxy: &Url) -> String {
    let host = proxy.host_str().unwrap_or_default();
    let port = proxy.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", proxy.scheme())
}

/// What the usual variables say about the proxy for a URL.
fn of_environment(url: &Url) -> Option<Url> {
    let own = if url.scheme() == "https" {
        ["HTTPS_PROXY", "https_proxy"]
    } else {
        ["HTTP_PROXY", "http_proxy"]
    };
    let names = own.into_iter().chain(["ALL_PROXY", "all_proxy"]);
    let text = names.filter_map(|name| std::env::var(name).ok()).find(|text| !text.is_empty())?;
    let text = if text.contains("://") { text } else { format!("http://{text}") };
    Url::parse(&text).ok()
}

/// Builds the client.
///
/// # Errors
/// A certificate file, the client certificate or the proxy is unusable.
pub fn build(config: &Config, cookies: &Arc<Jar>, tls: bool) -> Result<reqwest::Client, Error> {
    with(config, &|| plain(config, cookies), tls)
}

/// The same, with names looked up by `resolver`.
///
/// # Errors
/// A certificate file, the client certificate or the proxy is unusable.
pub fn build_looking_up(
    config: &Config,
    cookies: &Arc<Jar>,
    tls: bool,
    resolver: Arc<dyn Resolve>,
) -> Result<reqwest::Client, Error> {
    let plain = || Ok(plain(config, cookies)?.dns_resolver(Arc::clone(&resolver)));
    with(config, &plain, tls)
}

/// Adds TLS to what `plain` gives.
fn with(
    config: &Config,
    plain: &dyn Fn() -> Result<ClientBuilder, Error>,
    tls: bool,
) -> Result<reqwest::Client, Error> {
    if !tls {
        let builder = plain()?;
        return builder.tls_backend_preconfigured(no_tls()?).build().map_err(|e| unusable(&e));
    }
    // A second installation is refused, and harmless: it would be the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let encrypted = |extra: Vec<Certificate>| -> Result<ClientBuilder, Error> {
        let builder = with_identity(plain()?, config)?;
        Ok(if extra.is_empty() { builder } else { builder.tls_certs_merge(extra) })
    };
    let extra = certificates(config)?;
    let parsed = extra.iter().filter_map(|der| Certificate::from_der(der).ok()).collect();
    if let Ok(client) = encrypted(parsed)?.build() {
        return Ok(client);
    }
    let builder = plain()?.tls_backend_preconfigured(compiled_in(config, extra)?);
    builder.build().map_err(|error| unusable(&error))
}

/// TLS with the authorities compiled in, for a machine without a certificate store (a bare
/// container).
fn compiled_in(
    config: &Config,
    extra: Vec<CertificateDer<'static>>,
) -> Result<rustls::ClientConfig, Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(extra);
    let builder = tls()?.with_root_certificates(roots);
    let mut tls = match &config.network.client_cert {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let pem = read(path, "client certificate")?;
            let chain = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
            let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| no_identity(path))?;
            builder.with_client_auth_cert(chain, key).map_err(|_| no_identity(path))?
        }
    };
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

/// Everything but TLS.
fn plain(config: &Config, cookies: &Arc<Jar>) -> Result<ClientBuilder, Error> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(config.timeouts.connect)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .http2_keep_alive_timeout(Duration::from_secs(10))
        .http2_keep_alive_while_idle(true);
    if config.network.cookies {
        builder = builder.cookie_provider(Arc::clone(cookies));
    }
    if config.network.ipv4 {
        builder = builder.local_address(IpAddr::from(Ipv4Addr::UNSPECIFIED));
    }
    with_proxy(builder, config)
}

fn with_proxy(builder: ClientBuilder, config: &Config) -> Result<ClientBuilder, Error> {
    match &config.network.proxy {
        ProxyChoice::None => Ok(builder.no_proxy()),
        ProxyChoice::System | ProxyChoice::SystemExcept(_) if is_loopback(&config.endpoint) => {
            Ok(builder.no_proxy())
        }
        ProxyChoice::System => Ok(builder),
        ProxyChoice::SystemExcept(hosts) => {
            let host = config.endpoint.host_str().unwrap_or_default();
            Ok(match of_environment(&config.endpoint) {
                _ if excepted(host, hosts) => builder.no_proxy(),
                // By itself the client would mind `NO_PROXY`, which the exceptions replace.
                Some(url) => {
                    let proxy = Proxy::all(url).map_err(|error| unusable(&error))?;
                    builder.no_proxy().proxy(proxy)
                }
                None => builder,
            })
        }
        ProxyChoice::Url { url, except } => {
            let proxy = Proxy::all(url.clone()).map_err(|error| unusable(&error))?;
            let except = except.as_deref().and_then(NoProxy::from_string);
            Ok(builder.no_proxy().proxy(proxy.no_proxy(except)))
        }
    }
}

/// Whether a host is in a list as `NO_PROXY` has it: names cover their subdomains, `*` everything.
fn excepted(host: &str, list: &str) -> bool {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let name = entry.trim_start_matches("*.").trim_start_matches('.');
        entry == "*"
            || host == name
            || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
    })
}

fn certificates(config: &Config) -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut all = Vec::new();
    for path in &config.network.ca_files {
        let pem = read(path, "certificate file")?;
        let before = all.len();
        let parsed = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
        all.extend(parsed.filter(is_usable));
        if all.len() == before {
            let cause = "it holds no PEM certificate that can be used";
            return Err(bad_file(path, "certificate file", cause));
        }
    }
    Ok(all)
}

/// Whether a certificate can stand for an authority. A bundle may hold odd ones too, and one of
/// them would spoil all connections.
fn is_usable(certificate: &CertificateDer<'_>) -> bool {
    RootCertStore::empty().add(certificate.clone().into_owned()).is_ok()
}

fn with_identity(builder: ClientBuilder, config: &Config) -> Result<ClientBuilder, Error> {
    let Some(path) = &config.network.client_cert else { return Ok(builder) };
    let pem = read(path, "client certificate")?;
    let identity = Identity::from_pem(&pem).map_err(|_| no_identity(path))?;
    Ok(builder.identity(identity))
}

fn no_identity(path: &Path) -> Error {
    bad_file(path, "client certificate", "it does not hold a PEM certificate and private key")
}

/// A TLS configuration that trusts nobody, for a client that will never use it.
///
/// # Errors
/// None, at present.
pub fn no_tls() -> Result<rustls::ClientConfig, Error> {
    Ok(tls()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// A TLS configuration that does not say yet whom it trusts.
fn tls() -> Result<ConfigBuilder<rustls::ClientConfig, WantsVerifier>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Kind::Unexpected, error.to_string()))
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| bad_file(path, what, &error.to_string()))
}

fn bad_file(path: &Path, what: &str, cause: &str) -> Error {
    Error::new(Kind::Config, format!("could not use the {what} `{}`", path.display()))
        .because(cause)
}

fn unusable(error: &reqwest::Error) -> Error {
    Error::new(Kind::Config, "could not set up the HTTP client").because(super::cause::cause(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_cover_subdomains_and_nothing_else() {
        for (host, list, covered) in [
            ("a.corp.example", "corp.example", true),
            ("a.corp.example", ".corp.example", true),
            ("a.corp.example", "*.corp.example, x", true),
            ("corp.example", "corp.example", true),
            ("notcorp.example", "corp.example", false),
            ("h", "*", true),
            ("h", "", false),
        ] {
            assert_eq!(excepted(host, list), covered, "{host} in {list}");
        }
    }
}
