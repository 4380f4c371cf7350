//! HTTP clients, one per thread.
//!
//! A pooled connection is driven by a task of the runtime that opened it. With a client per thread, a connection is
//! used only on the arbiter that drives it: no hop to another thread, and none dies with an arbiter that is not its own.

use std::cell::OnceCell;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Client, Url, redirect, retry};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// How long a connection may take to open, TLS included. The only limit kept here: how long an answer may take is for
/// the runtime to say.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);

/// An idle connection is kept for so long: most turns of a conversation come within it, and the usual load balancers
/// keep theirs for longer.
const IDLE: Duration = Duration::from_secs(300);

/// Idle connections kept per thread and server, so that a burst does not leave its sockets open for all of [`IDLE`].
const IDLE_CONNECTIONS: usize = 256;

/// Which way a server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// On this machine: no proxy, whatever the environment says.
    Local,
    /// Through the environment's proxy, if it names one.
    World,
}

impl Way {
    /// The way to `url`.
    pub fn to(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let local = match host.parse::<std::net::IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        };
        if local { Self::Local } else { Self::World }
    }
}

thread_local! {
    static CLIENTS: [OnceCell<Client>; 2] = const { [OnceCell::new(), OnceCell::new()] };
}

/// The client of this thread for that way. The error is developer text.
pub(crate) fn of_this_thread(way: Way) -> Result<Client, String> {
    CLIENTS.with(|clients| {
        let client = &clients[way as usize];
        if client.get().is_none() {
            // A second builder on this thread is not possible: building does not yield.
            let _ = client.set(build(way)?);
        }
        Ok(client.get().expect("set just now").clone())
    })
}

fn build(way: Way) -> Result<Client, String> {
    let builder = Client::builder()
        .tls_backend_preconfigured(tls()?)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_CONNECTIONS);
    let builder = if way == Way::Local { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| error.to_string())
}

/// The TLS settings of all threads (their clones share session tickets and certificates), made at first use: our own
/// root certificates and those of `SSL_CERT_FILE`, so that a machine or container without any will do.
///
/// # Errors
/// `SSL_CERT_FILE` cannot be read; developer text.
pub fn tls() -> Result<ClientConfig, String> {
    static TLS: OnceLock<Result<ClientConfig, String>> = OnceLock::new();
    TLS.get_or_init(|| {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = std::env::var_os("SSL_CERT_FILE") {
            let wrong = |error| format!("SSL_CERT_FILE cannot be read: {error}");
            let added = CertificateDer::pem_file_iter(path).map_err(wrong)?.collect::<Result<Vec<_>, _>>();
            roots.add_parsable_certificates(added.map_err(wrong)?);
        }
        // The provider is named here, so nothing needs to be installed for the process.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| error.to_string())?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    })
    .clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_told_from_the_world() {
        for (url, way) in [
            ("http://127.0.0.1:1/v1", Way::Local),
            ("http://[::1]/v1", Way::Local),
            ("http://localhost:11434/v1", Way::Local),
            ("http://a.localhost", Way::Local),
            ("https://api.openai.com/v1", Way::World),
            ("http://192.168.1.2/v1", Way::World),
        ] {
            assert_eq!(Way::to(&Url::parse(url).expect("a URL")), way, "{url}");
        }
    }

    #[test]
    fn clients_of_a_thread_are_built_once() {
        of_this_thread(Way::Local).expect("a client can be built");
        let built = CLIENTS.with(|clients| clients.each_ref().map(|client| client.get().is_some()));
        assert_eq!(built, [true, false]);
        of_this_thread(Way::World).expect("a client can be built");
    }
}
