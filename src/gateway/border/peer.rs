//! Who is at the other end of a connection, seen through proxies that are trusted.

use std::net::IpAddr;

/// The other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) struct Peer {
    pub(in crate::gateway) address: IpAddr,
    /// What is said cannot be read on the way.
    pub(in crate::gateway) secure: bool,
}

impl Peer {
    /// `socket` is who connected, `tls` whether the daemon itself ended TLS. The headers are asked for only where a
    /// trusted proxy connected: everyone can send them.
    pub(super) fn find(
        socket: IpAddr,
        tls: bool,
        proxies: &[IpAddr],
        forwarded_for: impl FnOnce() -> String,
        forwarded_proto: impl FnOnce() -> String,
    ) -> Self {
        let socket = socket.to_canonical();
        if !proxies.contains(&socket) {
            return Self { address: socket, secure: tls };
        }
        // Each proxy adds whom it heard at the end; the first from there that is not a proxy of ours is the client.
        let mut address = socket;
        for hop in forwarded_for().rsplit(',') {
            let Ok(hop) = hop.trim().parse::<IpAddr>() else { break };
            address = hop.to_canonical();
            if !proxies.contains(&address) {
                break;
            }
        }
        let secure = forwarded_proto().rsplit(',').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("https"));
        Self { address, secure }
    }
}

/// Whether someone who connected from `socket` may speak HTTP without TLS: a proxy that is trusted, and whoever is on
/// this machine, where nobody can read along.
pub(super) fn may_speak_plainly(socket: IpAddr, bound: IpAddr, proxies: &[IpAddr]) -> bool {
    let (socket, bound) = (socket.to_canonical(), bound.to_canonical());
    bound.is_loopback() || socket.is_loopback() || socket == bound || proxies.contains(&socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(socket: &str, tls: bool, forwarded_for: &str, proto: &str) -> (String, bool) {
        let proxies = ["10.0.0.2", "10.0.0.3"].map(|ip| ip.parse().expect("an address"));
        let socket = socket.parse().expect("an address");
        let peer = Peer::find(socket, tls, &proxies, || forwarded_for.to_owned(), || proto.to_owned());
        (peer.address.to_string(), peer.secure)
    }

    #[test]
    fn what_a_trusted_proxy_says_counts_and_what_others_say_does_not() {
        let plain = |address: &str| (address.to_owned(), false);
        assert_eq!(seen("192.0.2.7", false, "198.51.100.1", "https"), plain("192.0.2.7"));
        assert_eq!(seen("192.0.2.7", true, "198.51.100.1", "http"), ("192.0.2.7".to_owned(), true));
        assert_eq!(seen("10.0.0.2", false, "198.51.100.1", "https"), ("198.51.100.1".to_owned(), true));
        assert_eq!(seen("10.0.0.2", false, "198.51.100.1", "http"), plain("198.51.100.1"));
        assert_eq!(seen("10.0.0.2", false, "", ""), plain("10.0.0.2"));
        assert_eq!(seen("::ffff:10.0.0.2", false, "::ffff:198.51.100.1", ""), plain("198.51.100.1"));
    }

    #[test]
    fn plain_http_from_elsewhere_is_for_trusted_proxies_only() {
        let may = |socket: &str, bound: &str| {
            let [socket, bound, proxy] = [socket, bound, "10.0.0.2"].map(|ip| ip.parse().expect("an address"));
            may_speak_plainly(socket, bound, &[proxy])
        };
        for (socket, bound) in
            [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("::1", "::"), ("10.0.0.1", "10.0.0.1")]
        {
            assert!(may(socket, bound), "{socket} is on this machine, as {bound}");
        }
        assert!(may("10.0.0.2", "0.0.0.0") && may("::ffff:10.0.0.2", "::"));
        for socket in ["10.0.0.3", "::ffff:10.0.0.3", "2001:db8::1"] {
            assert!(!may(socket, "0.0.0.0") && !may(socket, "10.0.0.1"), "{socket}");
        }
    }

    #[test]
    fn a_client_cannot_put_an_address_before_its_own() {
        let address = |forwarded: &str| seen("10.0.0.2", false, forwarded, "").0;
        assert_eq!(address("127.0.0.1, 198.51.100.1"), "198.51.100.1");
        assert_eq!(address("127.0.0.1, 198.51.100.1, 10.0.0.3"), "198.51.100.1", "through two proxies");
        assert_eq!(address("198.51.100.1, nonsense"), "10.0.0.2");
        assert_eq!(address("10.0.0.3"), "10.0.0.3", "nobody but proxies");
        assert_eq!(seen("10.0.0.2", false, "", "https, http"), ("10.0.0.2".to_owned(), false), "the last one heard it");
    }
}
