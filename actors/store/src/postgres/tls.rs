//! Connections that nobody listens in on, to a server that is who it says it is.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::StoreError;

/// Whose signature on the server's certificate is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tls {
    /// A PEM file; `None`: those that the system trusts.
    pub roots: Option<PathBuf>,
}

impl Tls {
    /// Reads the certificates anew each time: one that was renewed is trusted without a restart.
    pub(super) fn config(&self) -> Result<ClientConfig, StoreError> {
        let mut roots = RootCertStore::empty();
        let (added, of) = match &self.roots {
            Some(path) => {
                let failed =
                    |error| StoreError::Url(format!("its sslrootcert {} cannot be read ({error})", path.display()));
                let certificates = CertificateDer::pem_file_iter(path).map_err(failed)?;
                let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(failed)?;
                (roots.add_parsable_certificates(certificates).0, path.display().to_string())
            }
            None => {
                let found = rustls_native_certs::load_native_certs().certs;
                (roots.add_parsable_certificates(found).0, "the system's store".to_owned())
            }
        };
        if added == 0 {
            return Err(StoreError::Url(format!(
                "there is no certificate to trust in {of}; name one with sslrootcert"
            )));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| StoreError::Io(error.to_string()))?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}
