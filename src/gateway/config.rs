//! The table of the gateway, `[gateway]`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::str::FromStr;
use std::thread::available_parallelism;

use mosaic_types::settings::Section;

use super::border::split;
use super::tls::Tls;
pub use super::ws::config::SocketConfig;

/// Where the gateway listens when nothing else is said: this machine only.
pub const BIND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 14242);

/// Worker threads at the most; more than a machine has cores gains nothing.
const MAX_WORKERS: usize = 64;

/// Connections at once: twice what the largest set of sockets that was tried needs, some 100 MiB if all are in use.
const CONNECTIONS: u64 = 20_000;

/// How the gateway listens, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Beyond loopback only where nobody can read along; port 0 takes any free one.
    pub bind: SocketAddr,
    /// Threads that serve HTTP.
    pub workers: usize,
    /// Connections at once; more wait until one ends.
    pub connections: usize,
    /// Names of this daemon beside those of loopback and the bound address.
    pub hosts: Vec<String>,
    /// Pages of other sites that may use it.
    pub origins: Vec<String>,
    /// Who ends TLS for it: speaks plain HTTP to it, and is believed whom it speaks for.
    pub trusted_proxies: Vec<IpAddr>,
    pub sockets: SocketConfig,
    /// Set where the gateway ends TLS itself.
    pub tls: Option<Tls>,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            bind: BIND,
            workers: cores(),
            connections: usize::try_from(CONNECTIONS).expect("it fits"),
            hosts: Vec::new(),
            origins: Vec::new(),
            trusted_proxies: Vec::new(),
            sockets: SocketConfig::default(),
            tls: None,
        }
    }
}

impl GatewayConfig {
    /// Reads the table. Relative paths start at `home`.
    pub fn read(section: &Section<'_>, home: &Path) -> Self {
        let bind = section.parsed("bind", BIND, "an address and a port such as \"127.0.0.1:14242\" are wanted");
        let workers = section.whole("workers", as_u64(cores()), 1..=as_u64(MAX_WORKERS));
        let connections = section.whole("connections", CONNECTIONS, 16..=1_000_000);
        let proxies = section.list_of::<Proxy>("trusted_proxies");
        let tls_section = section.section("tls");
        let tls = Tls::read(&tls_section, home);
        let read_along = !tls_section.exists() && proxies.is_empty();
        if !bind.ip().to_canonical().is_loopback() && read_along {
            let right = "beyond this machine everybody on the way could read along; set cert_file and key_file in \
                         [gateway.tls], or name the proxy that ends TLS in trusted_proxies = [\"10.0.0.2\"], or use \
                         \"127.0.0.1:PORT\"";
            section.wrong("bind", right);
        }
        Self {
            bind,
            workers: usize::try_from(workers).expect("the range fits"),
            connections: usize::try_from(connections).expect("the range fits"),
            hosts: section.list_of::<Host>("hosts").into_iter().map(|host| host.0).collect(),
            origins: section.list_of::<Origin>("origins").into_iter().map(|origin| origin.0).collect(),
            trusted_proxies: proxies.into_iter().map(|proxy| proxy.0).collect(),
            sockets: SocketConfig::read(&section.section("sockets")),
            tls,
        }
    }
}

impl GatewayConfig {
    /// Where people elsewhere find the daemon, if the settings say it: the first of `hosts`.
    pub(crate) fn public_url(&self) -> Option<String> {
        let host = self.hosts.first()?;
        match (&self.tls, self.bind.port()) {
            // Nobody knows the port beforehand, or whether the proxy has another.
            (_, 0) => None,
            (None, _) if !self.trusted_proxies.is_empty() => Some(format!("https://{host}")),
            (Some(_), 443) => Some(format!("https://{host}")),
            (Some(_), port) => Some(format!("https://{host}:{port}")),
            (None, port) => Some(format!("http://{host}:{port}")),
        }
    }
}

/// Where whoever is on this machine finds what listens at `bound`.
pub fn reachable(bound: SocketAddr) -> SocketAddr {
    match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), bound.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), bound.port()),
        _ => bound,
    }
}

/// A type of text in a list, with the sentence for what is none.
macro_rules! listed {
    ($name:ident($inner:ty), $parse:expr, $right:literal) => {
        struct $name($inner);

        impl FromStr for $name {
            type Err = &'static str;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let parse: fn(&str) -> Option<$inner> = $parse;
                parse(text).map(Self).ok_or($right)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

listed!(
    Host(String),
    |text| split(text).filter(|(_, port)| port.is_none()).map(|(host, _)| host),
    "a name without a port is wanted, as in \"mosaic.example.org\""
);
listed!(
    Origin(String),
    |text| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        split(rest).map(|_| text.to_ascii_lowercase())
    },
    "a scheme and a host are wanted, as in \"https://chat.example.org\""
);
listed!(
    Proxy(IpAddr),
    |text| text.parse::<IpAddr>().ok().filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_canonical()),
    "the address of one proxy is wanted, as in \"10.0.0.2\""
);

/// One worker per core.
fn cores() -> usize {
    available_parallelism().map_or(1, usize::from).min(MAX_WORKERS)
}

fn as_u64(number: usize) -> u64 {
    u64::try_from(number).expect("a usize fits")
}

#[cfg(test)]
mod tests {
    use mosaic_types::settings::Settings;

    use super::*;

    fn read(text: &str) -> Result<GatewayConfig, String> {
        let settings = Settings::parse(text, "config.toml").expect("valid TOML");
        let config = GatewayConfig::read(&settings.root(), Path::new("/home/ada"));
        settings.finish().map(|_| config).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn any_loopback_address_will_do() {
        assert_eq!(read(""), Ok(GatewayConfig::default()));
        for bind in ["127.0.0.1:0", "127.8.8.8:80", "[::1]:14242", "[::ffff:127.0.0.1]:0"] {
            let config = read(&format!("bind = \"{bind}\"\nworkers = 2")).expect("loopback");
            let bind = bind.parse().expect("an address");
            assert_eq!(config, GatewayConfig { bind, workers: 2, ..GatewayConfig::default() });
        }
    }

    #[test]
    fn the_rest_of_the_world_is_refused_unless_nobody_can_read_along() {
        assert_eq!(
            read("bind = \"0.0.0.0:14242\"\nworkers = 65").expect_err("not loopback"),
            "config.toml:1: bind: found \"0.0.0.0:14242\"; beyond this machine everybody on the way could read along; \
             set cert_file and key_file in [gateway.tls], or name the proxy that ends TLS in trusted_proxies = \
             [\"10.0.0.2\"], or use \"127.0.0.1:PORT\"\n\
             config.toml:2: workers: found 65; a whole number from 1 to 64 is wanted"
        );
        assert_eq!(
            read("bind = \"localhost\"").expect_err("not an address"),
            "config.toml:1: bind: found \"localhost\"; an address and a port such as \"127.0.0.1:14242\" are wanted"
        );
        let proxied = read("bind = \"0.0.0.0:14242\"\ntrusted_proxies = [\"10.0.0.2\", \"::1\"]").expect("a proxy");
        assert_eq!(proxied.trusted_proxies.len(), 2);
    }

    #[test]
    fn what_is_no_name_no_origin_and_no_address_is_told() {
        let good = read("hosts = [\"Mosaic.example.org\"]\norigins = [\"https://Chat.example.org:8443\"]");
        let good = good.expect("both are right");
        assert_eq!(
            (good.hosts[0].as_str(), good.origins[0].as_str()),
            ("mosaic.example.org", "https://chat.example.org:8443")
        );
        for bad in ["https://x.example", "x.example:80", "x/y", ""] {
            let told = read(&format!("hosts = [\"{bad}\"]")).expect_err(bad);
            assert!(told.contains("a name without a port"), "{told}");
        }
        for bad in ["x.example", "https://x.example/", "null", "*"] {
            let told = read(&format!("origins = [\"{bad}\"]")).expect_err(bad);
            assert!(told.contains("a scheme and a host"), "{told}");
        }
        for bad in ["x.example", "0.0.0.0", "10.0.0.0/8"] {
            let told = read(&format!("trusted_proxies = [\"{bad}\"]")).expect_err(bad);
            assert!(told.contains("the address of one proxy"), "{told}");
        }
    }

    #[test]
    fn where_people_and_this_machine_find_it() {
        let url = |text: &str| read(text).expect("all is well").public_url();
        assert_eq!(url(""), None);
        assert_eq!(url("hosts = [\"a.example\", \"b.example\"]").as_deref(), Some("http://a.example:14242"));
        let proxied = "hosts = [\"a.example\"]\ntrusted_proxies = [\"127.0.0.1\"]";
        assert_eq!(url(proxied).as_deref(), Some("https://a.example"));
        for (bound, found) in [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.1:80", "10.0.0.1:80")]
        {
            assert_eq!(reachable(bound.parse().expect("an address")).to_string(), found);
        }
    }

    /// A home with a certificate, its key, and the key of another.
    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().expect("a folder");
        let pair = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a pair");
        let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).expect("written");
        let (ours, other) = (pair(), pair());
        write("cert.pem", &ours.cert.pem());
        write("key.pem", &ours.signing_key.serialize_pem());
        write("other.pem", &other.signing_key.serialize_pem());
        write("empty.pem", "");
        home
    }

    #[test]
    fn a_certificate_opens_the_gateway_to_the_rest_of_the_world() {
        let home = home();
        let read = |text: &str| {
            let settings = Settings::parse(text, "config.toml").expect("valid TOML");
            let config = GatewayConfig::read(&settings.root(), home.path());
            settings.finish().map(|_| config).map_err(|mistakes| mistakes.to_string())
        };
        let good = read("bind = \"0.0.0.0:443\"\n[tls]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n");
        let tls = good.expect("both files are good").tls.expect("it is set");
        assert_eq!(tls.cert_sha256().len(), 64);
        assert!(!format!("{tls:?}").contains("key"), "{tls:?}");
        for (cert, key, told) in [
            ("none.pem", "key.pem", "tls.cert_file: found a text; HOME/none.pem cannot be read (No such file"),
            ("cert.pem", "none.pem", "tls.key_file: found a text; HOME/none.pem cannot be read (No such file"),
            ("empty.pem", "key.pem", "tls.cert_file: found a text; HOME/empty.pem holds no certificate"),
            ("cert.pem", "empty.pem", "tls.key_file: found a text; HOME/empty.pem holds no private key"),
            ("cert.pem", "other.pem", "tls.key_file: found a text; this key does not go with the certificate"),
        ] {
            let text = format!("bind = \"0.0.0.0:443\"\n[tls]\ncert_file = \"{cert}\"\nkey_file = \"{key}\"\n");
            let told = told.replace("HOME", &home.path().display().to_string());
            let mistake = read(&text).expect_err(&told);
            assert!(mistake.contains(&told) && mistake.lines().count() == 1, "{mistake}");
        }
        let half = read("[tls]\ncert_file = \"cert.pem\"\n").expect_err("no key is named");
        assert!(half.contains("tls.key_file: not set"), "{half}");
    }
}
