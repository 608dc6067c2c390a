//! Which addresses are of this machine or of a private network, where somebody elsewhere must not
//! send the bridge (AU-61).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

use crate::origin::is_loopback;

/// Whether a URL names this machine or a private network by its address. Names are looked up
/// elsewhere.
pub fn names_internal(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    is_loopback(url) || host.parse().is_ok_and(is_internal)
}

/// Whether an address is not one of the public network.
pub fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_internal_v4(v4),
        IpAddr::V6(v6) => {
            let within = embedded(v6);
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
                || within.is_some_and(is_internal_v4)
        }
    }
}

fn is_internal_v4(v4: Ipv4Addr) -> bool {
    let [a, b, ..] = v4.octets();
    v4.is_loopback()
        || v4.is_private()
        || v4.is_link_local()
        || v4.is_broadcast()
        || v4.is_multicast()
        || a == 0
        // Shared by the customers of a carrier or a cloud (RFC 6598).
        || (a == 100 && b & 0xc0 == 64)
}

/// The IPv4 address in one that leads to it: mapped, compatible, or translated (RFC 6052), or by
/// way of 6to4 (RFC 3056).
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(of(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(of(high, low)),
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        for (host, internal) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("192.168.0.1", true),
            ("169.254.169.254", true),
            ("100.100.100.200", true),
            ("100.128.0.1", false),
            ("0.0.0.0", true),
            ("255.255.255.255", true),
            ("8.8.8.8", false),
            ("[::1]", true),
            ("[::]", true),
            ("[fd00::1]", true),
            ("[fe80::1]", true),
            ("[::ffff:10.0.0.1]", true),
            ("[::ffff:8.8.8.8]", false),
            ("[64:ff9b::10.0.0.1]", true),
            ("[64:ff9b::8.8.8.8]", false),
            ("[2002:0a00:0001::1]", true),
            ("[2606:4700::1111]", false),
            ("localhost", true),
            ("as.example", false),
        ] {
            let url = Url::parse(&format!("https://{host}/")).expect("a URL");
            assert_eq!(names_internal(&url), internal, "{host}");
        }
    }
}
