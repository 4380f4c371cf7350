//! Why a daemon was not reached, in words that say what to do.

use std::error::Error;

use rustls::{AlertDescription, CertificateError};

/// The cause of a request that got no answer. `base` is the address that was asked.
pub(super) fn why(base: &str, error: &(dyn Error + 'static)) -> String {
    let layers: Vec<_> = std::iter::successors(Some(error), |layer| under(*layer)).collect();
    let tls = layers.iter().find_map(|layer| layer.downcast_ref::<rustls::Error>());
    // The layers above the last only repeat that it failed.
    let cause = layers.last().map(ToString::to_string).unwrap_or_default();
    match tls.and_then(refused) {
        Some(sentence) => sentence.to_owned(),
        // What came first was no version of HTTP: the alert of a server that was not spoken to in TLS.
        None if base.starts_with("http://") && cause.contains("invalid HTTP version") => {
            format!("it seems to speak TLS. Ask https://{} instead.", &base["http://".len()..])
        }
        None => match base.strip_prefix("https://") {
            // It answered in words, or hung up on what it took for none.
            Some(rest) if plain(tls, &cause) => format!("it seems to speak plain HTTP. Ask http://{rest} instead."),
            _ => cause,
        },
    }
}

/// Whether what broke a handshake looks like a server without TLS.
fn plain(tls: Option<&rustls::Error>, cause: &str) -> bool {
    matches!(tls, Some(rustls::Error::InvalidMessage(_))) || cause.contains("handshake eof")
}

/// The error below one. That of the system's kind hides what it wraps from `source`.
fn under<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| error.source())
}

/// What to do about a handshake that failed, where that is known.
fn refused(error: &rustls::Error) -> Option<&'static str> {
    use CertificateError as Cert;
    Some(match error {
        rustls::Error::InvalidCertificate(why) => match why {
            Cert::UnknownIssuer => {
                "nobody whom this machine trusts signed its certificate. Name its certificate, or that of who signed \
                 it, in SSL_CERT_FILE."
            }
            Cert::NotValidForName | Cert::NotValidForNameContext { .. } => {
                "its certificate is for another name. Use the name that stands in it, or make one with this name \
                 (subjectAltName)."
            }
            Cert::Expired | Cert::ExpiredContext { .. } => "its certificate has expired. Renew it there.",
            Cert::NotValidYet | Cert::NotValidYetContext { .. } => {
                "its certificate is not valid yet. Look at the clocks of both machines."
            }
            Cert::ApplicationVerificationFailure => {
                "it shows another certificate than the daemon of this home announced. Something else may answer there."
            }
            Cert::Other(why) if why.to_string().contains("CaUsedAsEndEntity") => {
                "its certificate is marked as an authority. Make one with basicConstraints=critical,CA:FALSE."
            }
            _ => return None,
        },
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => "it speaks no TLS that is safe today.",
        _ => return None,
    })
}
