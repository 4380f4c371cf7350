//! `[gateway.tls]`: the gateway ends TLS itself.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mosaic_types::settings::Section;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

/// A certificate and its key, read and found to fit each other.
#[derive(Clone)]
pub struct Tls {
    cert_file: PathBuf,
    server: Arc<ServerConfig>,
    cert_sha256: [u8; 32],
}

impl Tls {
    /// Reads the table and the files that it names. `None` where it is not written; a mistake is noted.
    pub(super) fn read(section: &Section<'_>, home: &Path) -> Option<Self> {
        let (cert_file, key_file) = (section.opt_text("cert_file"), section.opt_text("key_file"));
        if !section.exists() {
            return None;
        }
        let missing = |key: &str, what: &str| {
            section.wrong(key, format!("a file with {what} in PEM is wanted; a relative path starts at the home"));
        };
        if cert_file.is_none() {
            missing("cert_file", "the certificate and what vouches for it");
        }
        if key_file.is_none() {
            missing("key_file", "the key of the certificate");
        }
        let (cert_file, key_file) = (home.join(cert_file?), home.join(key_file?));
        let certs = certificates(&cert_file).map_err(|why| section.wrong("cert_file", why)).ok();
        let key = key(&key_file).map_err(|why| section.wrong("key_file", why)).ok();
        let (certs, key) = (certs?, key?);
        let cert_sha256 = Sha256::digest(certs.first()?).into();
        let server = server(certs, key).map_err(|why| section.wrong("key_file", why)).ok()?;
        Some(Self { cert_file, server: Arc::new(server), cert_sha256 })
    }

    /// What the listener needs.
    pub(super) fn server(&self) -> ServerConfig {
        ServerConfig::clone(&self.server)
    }

    /// SHA-256 of the certificate in hex, by which the command line of this home knows its daemon.
    pub fn cert_sha256(&self) -> String {
        self.cert_sha256.iter().fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}"))
    }
}

fn unread(path: &Path, error: &rustls::pki_types::pem::Error) -> String {
    let why = match error {
        rustls::pki_types::pem::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    format!("{} cannot be read ({why}); a relative path starts at the home", path.display())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certs) if certs.is_empty() => Err(format!("{} holds no certificate in PEM", path.display())),
        Ok(certs) => Ok(certs),
        Err(error) => Err(unread(path, &error)),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => format!("{} holds no private key in PEM", path.display()),
        error => unread(path, &error),
    })
}

/// TLS 1.2 and 1.3 with ring, named here so that nothing needs to be installed for the process.
fn server(certs: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, String> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions();
    let built = versions.and_then(|config| config.with_no_client_auth().with_single_cert(certs, key));
    built.map_err(|error| format!("this key does not go with the certificate ({error})"))
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("cert_file", &self.cert_file).finish_non_exhaustive()
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        (&self.cert_file, self.cert_sha256) == (&other.cert_file, other.cert_sha256)
    }
}

impl Eq for Tls {}
