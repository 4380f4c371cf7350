//! By which names this daemon may be called, and which pages may call it.

use std::net::IpAddr;

use mosaic_types::{Code, Failure};

/// Characters of a foreign name that are repeated in an answer.
const REPEATED: usize = 100;

/// The host and the port of `localhost:80` or `[::1]:80`; small letters, no brackets, no dot at the end.
pub(in crate::gateway) fn split(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = port.map(|port| port.parse::<u16>()).transpose().ok()?;
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    (!host.is_empty() && host.bytes().all(letter)).then_some((host, port))
}

/// The names of this daemon.
#[derive(Debug)]
pub(super) struct Names {
    bound: IpAddr,
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Names {
    /// `hosts` and `origins` as the settings have them.
    pub(super) fn new(bound: IpAddr, hosts: &[String], origins: &[String]) -> Self {
        let small = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { bound: bound.to_canonical(), hosts: small(hosts), origins: small(origins) }
    }

    /// Whether a request may name this host. A page whose name was made to point at this machine may not: it would be
    /// of the same origin as the daemon.
    pub(super) fn host(&self, authority: &str) -> Result<(), Failure> {
        let known = split(authority).is_some_and(|(host, _)| match host.parse::<IpAddr>() {
            // An address cannot be made to point elsewhere, so any of this machine's own is good where all are bound.
            Ok(ip) => {
                let ip = ip.to_canonical();
                ip.is_loopback() || ip == self.bound || self.bound.is_unspecified() || self.hosts.contains(&host)
            }
            Err(_) => host == "localhost" || self.hosts.contains(&host),
        });
        if known {
            return Ok(());
        }
        let name: String = authority.chars().take(REPEATED).collect();
        let sentence = format!("This daemon is not called {name:?}. If it should be, add the name to gateway.hosts.");
        Err(Failure::new(Code::ForbiddenHost, sentence))
    }

    /// Whether the settings name this host.
    pub(super) fn is_public(&self, host: &str) -> bool {
        self.hosts.iter().any(|name| name == host)
    }

    /// Whether a page of `origin` may send a request to `host`: its own pages, and those that the settings name.
    pub(super) fn origin(&self, origin: &str, host: &str) -> Result<(), Failure> {
        let small = origin.to_ascii_lowercase();
        let own = [("http://", 80), ("https://", 443)].into_iter().any(|(scheme, port)| {
            let at = |authority| split(authority).map(|(host, given)| (host, given.unwrap_or(port)));
            small.strip_prefix(scheme).and_then(at).is_some_and(|origin| Some(origin) == at(host))
        });
        if own || self.origins.contains(&small) {
            return Ok(());
        }
        let origin: String = origin.chars().take(REPEATED).collect();
        let sentence =
            format!("Pages of {origin:?} may not use this daemon. If they should, add it to gateway.origins.");
        Err(Failure::new(Code::ForbiddenOrigin, sentence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(bound: &str) -> Names {
        let bound = bound.parse().expect("an address");
        Names::new(bound, &["Mosaic.example.org".into()], &["https://chat.example.org".into()])
    }

    #[test]
    fn a_daemon_answers_to_its_own_names_only() {
        let home = names("127.0.0.1");
        for good in [
            "localhost",
            "LOCALHOST:14242",
            "localhost.:80",
            "127.0.0.1:14242",
            "127.8.8.8",
            "[::1]:14242",
            "[::ffff:127.0.0.1]",
            "mosaic.example.org",
            "mosaic.example.org:443",
        ] {
            assert_eq!(home.host(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "?",
            ":80",
            "evil.example",
            "localhost.evil.example",
            "localhost@evil.example",
            "evil.example#localhost",
            "localhost:",
            "localhost:80:80",
            "localhost:99999",
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
            "[::1",
            "[localhost]",
            "::1",
            "mosaic.example.org.evil.example",
        ] {
            assert_eq!(home.host(bad).expect_err(bad).code, Code::ForbiddenHost, "{bad}");
        }
        let everywhere = names("0.0.0.0");
        for good in ["10.0.0.1", "127.0.0.1:1", "mosaic.example.org"] {
            assert_eq!(everywhere.host(good), Ok(()), "{good}");
        }
        assert!(everywhere.host("evil.example").is_err(), "a name can be made to point here");
        assert_eq!(names("10.0.0.1").host("10.0.0.1:14242"), Ok(()));
        assert!(names("10.0.0.1").host("10.0.0.2:14242").is_err());
    }

    #[test]
    fn only_pages_of_the_same_host_and_those_named_may_call() {
        let home = names("127.0.0.1");
        for (origin, host) in [
            ("http://localhost:14242", "localhost:14242"),
            ("HTTP://LOCALHOST:14242", "localhost:14242"),
            ("http://localhost", "localhost:80"),
            ("https://mosaic.example.org", "mosaic.example.org"),
            ("https://mosaic.example.org", "mosaic.example.org:443"),
            ("http://[::1]:14242", "[::1]:14242"),
            ("https://chat.example.org", "localhost:14242"),
        ] {
            assert_eq!(home.origin(origin, host), Ok(()), "{origin} to {host}");
        }
        for (origin, host) in [
            ("null", "localhost:14242"),
            ("", "localhost:14242"),
            ("several", "localhost:14242"),
            ("localhost:14242", "localhost:14242"),
            ("http://localhost:3000", "localhost:14242"),
            ("http://localhost", "localhost:14242"),
            ("http://127.0.0.1:14242", "localhost:14242"),
            ("http://localhost:14242/", "localhost:14242"),
            ("http://localhost:14242.evil.example", "localhost:14242"),
            ("https://evil.example", "mosaic.example.org"),
            ("https://chat.example.org.evil.example", "mosaic.example.org"),
            ("http://chat.example.org", "mosaic.example.org"),
            ("file://localhost:14242", "localhost:14242"),
        ] {
            let refused = home.origin(origin, host).expect_err(origin);
            assert_eq!(refused.code, Code::ForbiddenOrigin, "{origin} to {host}");
        }
    }
}
