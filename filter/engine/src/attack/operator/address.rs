//! Addresses in networks.

use core::net::{IpAddr, Ipv6Addr};
use portcullis_bundle::layout::Network;

/// Whether a text is an address, with or without a port, in one of the networks.
pub(super) fn is_in(text: &[u8], networks: &[Network]) -> bool {
    let Some(address) = read(text) else { return false };
    networks.iter().any(|network| {
        let bits = u32::from(network.bits.min(128));
        let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
        (u128::from(address) ^ u128::from_be_bytes(network.address)) & mask == 0
    })
}

/// An address; one of IPv4 as mapped into IPv6.
fn read(text: &[u8]) -> Option<Ipv6Addr> {
    let text = core::str::from_utf8(text.trim_ascii()).ok()?;
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let text = bracketed.map_or(text, |(address, _)| address);
    let without_port = text.split_once(':').filter(|(_, rest)| !rest.contains(':'));
    match without_port.map_or(text, |(address, _)| address).parse().ok()? {
        IpAddr::V4(address) => Some(address.to_ipv6_mapped()),
        IpAddr::V6(address) => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str, bits: u8) -> Network {
        let address = read(address.as_bytes()).unwrap().octets();
        Network { address, bits, reserved: [0; 3] }
    }

    #[test]
    fn addresses_in_networks() {
        let private = [network("10.0.0.0", 104), network("fd00::", 8)];
        for inside in ["10.1.2.3", " 10.9.9.9:80", "fd12::1", "[fd12::1]:443"] {
            assert!(is_in(inside.as_bytes(), &private), "{inside}");
        }
        for outside in ["11.1.2.3", "fe80::1", "10.1", "ten", ""] {
            assert!(!is_in(outside.as_bytes(), &private), "{outside}");
        }
        assert!(is_in(b"9.9.9.9", &[network("::", 0)]));
    }
}
