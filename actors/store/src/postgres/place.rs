//! Where a database is, and how it is reached.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use mosaic_types::Secret;
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

use super::link::causes;
use super::tls::Tls;
use crate::StoreError;

/// What is sent must be answered within this time by the other machine itself, or the connection is lost. Linux only;
/// elsewhere the patience of the job finds out.
const SILENCE: Duration = Duration::from_secs(5);

/// A connection on which nothing is sent is looked after so often.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Where a database is, with all that it takes to get there.
#[derive(Clone)]
pub(crate) struct Place {
    pub(super) config: Config,
    /// `None`: in the clear.
    pub(super) tls: Option<Tls>,
    shown: String,
}

impl Place {
    /// Reads `postgres://USER@HOST:PORT/DATABASE`. Its parameters are those of libpq, as far as tokio-postgres has
    /// them; `sslmode` is `disable` (what it is when it is not given), `require` or `verify-full`, which both want a
    /// certificate that one of `sslrootcert` (a file, relative to `home`) or of the system's has signed.
    pub(crate) fn parse(url: &str, home: &Path) -> Result<Self, StoreError> {
        let wrong = |why: &str| StoreError::Url(why.to_owned());
        let (shown, parameters) = url.split_once('?').unwrap_or((url, ""));
        let at = shown.split_once("://").map_or("", |(_, rest)| rest);
        let login = at.rsplit_once('@').map_or("", |(login, _)| login);
        let (mut mode, mut roots, mut others) = ("disable", None, Vec::new());
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => mode = value,
                Some(("sslrootcert", value)) => roots = Some(home.join(value)),
                _ => others.push(parameter),
            }
        }
        if login.contains(':') || others.iter().any(|parameter| parameter.starts_with("password=")) {
            return Err(wrong("it holds a password; name a variable with password_env or a file with password_file"));
        }
        let tls = match mode {
            "disable" => None,
            "require" | "verify-full" => Some(Tls { roots }),
            _ => return Err(wrong("sslmode is disable, require or verify-full here")),
        };
        let others = if others.is_empty() { String::new() } else { format!("?{}", others.join("&")) };
        let mut config = Config::from_str(&format!("{shown}{others}")).map_err(|error| {
            StoreError::Url(format!("it is not of the form postgres://USER@HOST/DATABASE ({})", causes(&error)))
        })?;
        match config.get_hosts() {
            [] => return Err(wrong("it names no server; write postgres://USER@HOST/DATABASE")),
            [_] => {}
            // One of them takes writes; the others follow it.
            _ if config.get_target_session_attrs() == TargetSessionAttrs::Any => {
                config.target_session_attrs(TargetSessionAttrs::ReadWrite);
            }
            _ => {}
        }
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        if config.get_application_name().is_none() {
            config.application_name("mosaic");
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE).keepalives_idle(KEEPALIVE);
        }
        Ok(Self { config, tls, shown: shown.to_owned() })
    }

    /// The same, reached with a password.
    #[must_use]
    pub(crate) fn with_password(mut self, password: &Secret) -> Self {
        self.config.password(password.expose());
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_without_its_secrets_and_what_it_cannot_be_is_told() {
        let home = Path::new("/home/ada");
        let place = Place::parse("postgres://ada@db:5433/mosaic?sslmode=verify-full&sslrootcert=ca.pem", home);
        let place = place.expect("valid").with_password(&Secret::new("hunter2"));
        assert_eq!(place.to_string(), "postgres://ada@db:5433/mosaic");
        assert!(!format!("{place:?}").contains("hunter2"));
        assert_eq!(place.tls, Some(Tls { roots: Some("/home/ada/ca.pem".into()) }));
        assert_eq!(place.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(Place::parse("postgresql:///mosaic?host=/run/pg", home).expect("a socket").tls, None);
        for (bad, why) in [
            ("postgres://ada:hunter2@db/mosaic", "password_env"),
            ("postgres://ada@db/mosaic?password=hunter2", "password_file"),
            ("postgres://ada@db/mosaic?sslmode=prefer", "verify-full"),
            ("postgres://ada@db:port/mosaic", "form"),
            ("postgres:///mosaic", "no server"),
            ("postgres://ada@db/mosaic?nonsense=1", "nonsense"),
        ] {
            let error = Place::parse(bad, home).expect_err(bad).to_string();
            assert!(error.starts_with("store.url") && error.contains(why) && !error.contains("hunter2"), "{error}");
        }
    }
}
