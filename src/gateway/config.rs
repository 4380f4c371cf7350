//! The table of the gateway, `[gateway]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread::available_parallelism;

use mosaic_types::settings::Section;

/// Where the gateway listens when nothing else is said: this machine only.
pub const BIND: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 14242);

/// Worker threads at the most; more than a machine has cores gains nothing.
const MAX_WORKERS: usize = 64;

/// How the gateway listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// A loopback address; port 0 takes any free one.
    pub bind: SocketAddr,
    /// Threads that serve HTTP.
    pub workers: usize,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self { bind: BIND, workers: cores() }
    }
}

impl GatewayConfig {
    /// Reads the table.
    pub fn read(section: &Section<'_>) -> Self {
        let bind = section.parsed("bind", BIND, "an address and a port such as \"127.0.0.1:14242\" are wanted");
        if !bind.ip().is_loopback() {
            let right =
                "Mosaic listens on loopback only until TLS or a trusted proxy can be set; use \"127.0.0.1:PORT\"";
            section.wrong("bind", right);
        }
        let workers = section.whole("workers", as_u64(cores()), 1..=as_u64(MAX_WORKERS));
        Self { bind, workers: usize::try_from(workers).expect("the range fits") }
    }
}

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
        let config = GatewayConfig::read(&settings.root());
        settings.finish().map(|_| config).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn any_loopback_address_will_do() {
        assert_eq!(read(""), Ok(GatewayConfig::default()));
        for bind in ["127.0.0.1:0", "127.8.8.8:80", "[::1]:14242"] {
            let config = read(&format!("bind = \"{bind}\"\nworkers = 2")).expect("loopback");
            assert_eq!(config, GatewayConfig { bind: bind.parse().expect("an address"), workers: 2 });
        }
    }

    #[test]
    fn the_rest_of_the_world_is_refused_for_now() {
        assert_eq!(
            read("bind = \"0.0.0.0:14242\"\nworkers = 65").expect_err("not loopback"),
            "config.toml:1: bind: found \"0.0.0.0:14242\"; Mosaic listens on loopback only until TLS or a trusted proxy \
             can be set; use \"127.0.0.1:PORT\"\n\
             config.toml:2: workers: found 65; a whole number from 1 to 64 is wanted"
        );
        assert_eq!(
            read("bind = \"localhost\"").expect_err("not an address"),
            "config.toml:1: bind: found \"localhost\"; an address and a port such as \"127.0.0.1:14242\" are wanted"
        );
    }
}
