//! The egress guard: which addresses a call may reach, decided after the name was resolved and on the very addresses that are
//! then connected to, so a name that resolves differently a moment later gains nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Which targets a client may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Egress {
    /// Addresses of the public internet only: for every URL that a tenant can type.
    Public,
    /// Private and loopback addresses too, because gateways usually live in an office network. Link-local addresses stay
    /// refused: cloud machines serve their credentials there.
    AllowPrivate,
}

impl Egress {
    /// Whether this policy allows a connection to that address.
    pub fn allows(self, address: IpAddr) -> bool {
        let address = unwrap_embedded(address);
        match self {
            Self::Public => !is_never(address) && !is_private(address),
            Self::AllowPrivate => !is_never(address),
        }
    }

    /// Checks what can be checked without resolving: the scheme, and a host that is an address (connecting to those never
    /// asks the resolver). Odd spellings such as `0x7f000001` were made plain by the URL parser.
    pub(crate) fn allows_url(self, url: &Url) -> bool {
        matches!(url.scheme(), "http" | "https")
            && match url.host() {
                Some(Host::Ipv4(v4)) => self.allows(v4.into()),
                Some(Host::Ipv6(v6)) => self.allows(v6.into()),
                Some(Host::Domain(name)) => !name.is_empty(),
                None => false,
            }
    }
}

/// The resolver of the client: the system's, minus what the policy forbids.
#[derive(Debug, Clone, Copy)]
pub(super) struct GuardedResolver(pub(super) Egress);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One forbidden address refuses them all: an honest public name does not point inside.
            if found.iter().any(|address| !policy.allows(address.ip())) {
                return Err(Refused.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The mark in a chain of errors that says the guard refused.
#[derive(Debug)]
pub(super) struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the target is not an allowed address")
    }
}

impl std::error::Error for Refused {}

/// An IPv4 address hidden in an IPv6 one (mapped, compatible, NAT64, 6to4) is judged as what it is.
fn unwrap_embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => embedded(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => embedded(high, low),
        _ => address,
    }
}

/// No call of ours has business there under any policy.
fn is_never(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() || v4.octets()[0] == 0 || v4.octets()[0] >= 240
        }
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local(),
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => is_private_v6(v6),
    }
}

fn is_private_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    v4.is_private()
        || v4.is_loopback()
        || v4.is_documentation()
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
}

fn is_private_v6(v6: Ipv6Addr) -> bool {
    let [first, second, ..] = v6.segments();
    v6.is_loopback()
        || v6.is_unique_local()
        || (first & 0xffc0) == 0xfec0
        || (first == 0x2001 && (second == 0x0db8 || second == 0))
        || (first == 0x0064 && second == 0xff9b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn allowed(policy: Egress, url: &str) -> bool {
        policy.allows_url(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_public_client_reaches_nothing_inside() {
        for host in [
            "169.254.169.254",
            "[::1]",
            "[::ffff:10.0.0.1]",
            "0x7f000001",
            "2130706433",
            "0177.0.0.1",
            "127.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "[::]",
            "[::7f00:1]",
            "[fe80::1]",
            "[fd00::1]",
            "[64:ff9b::a00:1]",
            "[2002:7f00:1::]",
        ] {
            assert!(!allowed(Egress::Public, &format!("http://{host}/x")), "{host}");
        }
        assert!(!allowed(Egress::Public, "ftp://example.com/x"));
        assert!(allowed(Egress::Public, "https://93.184.216.34/x"));
        assert!(allowed(Egress::Public, "https://[2606:4700::1111]/x"));
    }

    #[test]
    fn a_gateway_client_reaches_the_office_but_never_the_cloud_metadata() {
        for host in ["127.0.0.1", "10.1.2.3", "192.168.1.1", "[::1]", "[fd00::1]", "100.64.0.1"] {
            assert!(allowed(Egress::AllowPrivate, &format!("http://{host}/x")), "{host}");
        }
        for host in ["169.254.169.254", "[::ffff:169.254.169.254]", "[fe80::1]", "0.0.0.0", "[::]"] {
            assert!(!allowed(Egress::AllowPrivate, &format!("http://{host}/x")), "{host}");
        }
    }
}
