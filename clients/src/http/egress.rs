//! The egress guard: which addresses a call may reach, decided after the name was resolved and on the very addresses that are
//! then connected to, so a name that resolves differently a moment later gains nothing.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

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

/// Where the addresses of names come from.
#[derive(Debug, Clone, Default)]
pub enum Names {
    /// The system's resolver.
    #[default]
    System,
    /// This list, which may change while it is used; what is not in it is not found. Tests use it as a name server of their own.
    Listed(Arc<RwLock<HashMap<String, Vec<IpAddr>>>>),
}

impl Names {
    async fn look_up(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::System => Ok(tokio::net::lookup_host((name, 0)).await?.collect()),
            Self::Listed(list) => {
                let list = list.read().unwrap_or_else(PoisonError::into_inner);
                let found = list.get(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
                Ok(found.iter().map(|address| SocketAddr::new(*address, 0)).collect())
            }
        }
    }
}

/// The resolver of the client: it asks once, and hands on exactly what was checked.
#[derive(Debug, Clone)]
pub(super) struct GuardedResolver {
    pub(super) policy: Egress,
    pub(super) names: Names,
}

impl GuardedResolver {
    /// The addresses of a name, all of which the policy allows.
    pub(super) async fn addresses(
        &self,
        name: &str,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let found = self.names.look_up(name).await?;
        // One forbidden address refuses them all: an honest public name does not point inside.
        if found.iter().any(|address| !self.policy.allows(address.ip())) {
            return Err(Refused.into());
        }
        Ok(found)
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let found = resolver.addresses(name.as_str()).await?;
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

/// An IPv4 address hidden in an IPv6 one (mapped, translated, compatible, NAT64, 6to4) is judged as what it is.
fn unwrap_embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => embedded(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => embedded(high, low),
        _ => address,
    }
}

/// Where clouds serve the credentials of their machines, beside the link-local addresses.
const METADATA: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254)),
];

/// No call of ours has business there under any policy.
fn is_never(address: IpAddr) -> bool {
    if METADATA.contains(&address) {
        return true;
    }
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
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
}

/// Of all there is, only 2000::/3 is given out for the internet; parts of it are for protocols and examples.
fn is_private_v6(v6: Ipv6Addr) -> bool {
    let [first, second, ..] = v6.segments();
    (first & 0xe000) != 0x2000
        || (first == 0x2001 && second < 0x0200)
        || (first == 0x2001 && second == 0x0db8)
        || (first == 0x3fff && second < 0x1000)
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
            "[::2]",
            "[::ffff:0:a00:1]",
            "[64:ff9b:1::a00:1]",
            "[2001:0:1::1]",
            "[2001:db8::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[fd00:ec2::254]",
            "[::ffff:169.254.169.254]",
            "0xa9.0xfe.0xa9.0xfe",
            "0251.0376.0251.0376",
            "168.63.129.16",
            "192.88.99.1",
            "198.18.0.1",
            "203.0.113.7",
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
        for host in [
            "169.254.169.254",
            "[::ffff:169.254.169.254]",
            "[fe80::1]",
            "0.0.0.0",
            "[::]",
            "100.100.100.200",
            "192.0.0.192",
            "[fd00:ec2::254]",
        ] {
            assert!(!allowed(Egress::AllowPrivate, &format!("http://{host}/x")), "{host}");
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_means_each_time_it_is_asked() {
        let public: IpAddr = "93.184.216.34".parse().unwrap();
        let inside: IpAddr = "10.0.0.1".parse().unwrap();
        let list = Arc::new(RwLock::new(HashMap::from([("rebinds.example".to_owned(), vec![public])])));
        let resolver = GuardedResolver { policy: Egress::Public, names: Names::Listed(Arc::clone(&list)) };
        let found = resolver.addresses("rebinds.example").await.unwrap();
        assert_eq!(found, [SocketAddr::new(public, 0)], "what was checked is what is connected to");
        for later in [vec![inside], vec![public, inside]] {
            list.write().unwrap().insert("rebinds.example".to_owned(), later);
            let refused = resolver.addresses("rebinds.example").await.unwrap_err();
            assert!(refused.is::<Refused>(), "{refused}");
        }
        assert!(!resolver.addresses("nowhere.example").await.unwrap_err().is::<Refused>());
    }
}
