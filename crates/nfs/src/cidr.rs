//! Ranges of network addresses, as an allow-list names them.
//! What lives here: reading, showing and matching a range. What does not: what a listed address may do.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses: `10.1.2.3`, `10.1.0.0/16`, `fd00::/8`, or `*` for all of both kinds.
///
/// An IPv4 address that arrives mapped into IPv6 (`::ffff:10.1.2.3`) counts as the IPv4 address that it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cidr(Range);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Range {
    All,
    /// Network and length of its prefix; the bits behind the prefix are zero.
    Network(IpAddr, u8),
}

/// The text is no range of addresses.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "'{0}' is no range of addresses. HINT: 10.1.2.3, 10.1.0.0/16, fd00::/8, or * for every address; names of hosts are not looked up"
)]
pub struct NoCidr(String);

impl Cidr {
    /// Every address of both kinds.
    pub const ALL: Cidr = Cidr(Range::All);

    /// Whether the address lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.0, address.to_canonical()) {
            (Range::All, _) => true,
            (Range::Network(network, prefix), address) => {
                network.is_ipv4() == address.is_ipv4() && masked(address, prefix) == network
            }
        }
    }
}

/// The address with the bits behind the prefix cleared.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

impl FromStr for Cidr {
    type Err = NoCidr;

    fn from_str(text: &str) -> Result<Cidr, NoCidr> {
        if text == "*" {
            return Ok(Cidr::ALL);
        }
        let wrong = || NoCidr(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
        };
        if prefix > longest {
            return Err(wrong());
        }
        // A mapped address would match nothing, because what arrives is compared unmapped.
        match address.to_canonical() {
            unmapped if unmapped == address => {
                Ok(Cidr(Range::Network(masked(address, prefix), prefix)))
            }
            unmapped => {
                let prefix = prefix.checked_sub(96).ok_or_else(wrong)?;
                Ok(Cidr(Range::Network(masked(unmapped, prefix), prefix)))
            }
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Range::All => formatter.write_str("*"),
            Range::Network(network @ IpAddr::V4(_), 32) | Range::Network(network, 128) => {
                write!(formatter, "{network}")
            }
            Range::Network(network, prefix) => write!(formatter, "{network}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(range: &str, address: &str) -> bool {
        range
            .parse::<Cidr>()
            .unwrap()
            .contains(address.parse().unwrap())
    }

    #[test]
    fn a_range_holds_its_addresses_and_no_others() {
        assert!(contains("10.1.0.0/16", "10.1.255.255"));
        assert!(!contains("10.1.0.0/16", "10.2.0.0"));
        assert!(contains("10.1.2.3", "10.1.2.3"));
        assert!(!contains("10.1.2.3", "10.1.2.4"));
        assert!(contains("fd00::/8", "fdff::1"));
        assert!(!contains("fd00::/8", "fe00::1"));
        assert!(contains("0.0.0.0/0", "255.1.2.3"));
        assert!(!contains("0.0.0.0/0", "::1"));
        assert!(!contains("::/0", "127.0.0.1"));
        assert!(contains("*", "::1") && contains("*", "127.0.0.1"));
    }

    #[test]
    fn an_address_mapped_into_ipv6_is_the_ipv4_address() {
        assert!(contains("10.1.0.0/16", "::ffff:10.1.2.3"));
        assert!(contains("::ffff:10.1.2.3", "10.1.2.3"));
        assert!(contains("::ffff:10.1.0.0/112", "10.1.2.3"));
        assert!(!contains("::ffff:10.1.2.3", "10.1.2.4"));
    }

    #[test]
    fn a_range_is_shown_as_its_network() {
        for (given, shown) in [
            ("10.1.2.3/16", "10.1.0.0/16"),
            ("10.1.2.3/32", "10.1.2.3"),
            ("fd00:1::5/8", "fd00::/8"),
            ("::1", "::1"),
            ("*", "*"),
        ] {
            assert_eq!(given.parse::<Cidr>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "10.1.2",
            "10.1.2.3/33",
            "10.1.2.3/",
            "10.1.2.3/+8",
            "fd00::/129",
            "localhost",
            "* ",
            "::ffff:1.2.3.4/8",
        ] {
            assert_eq!(text.parse::<Cidr>(), Err(NoCidr(text.to_owned())), "{text}");
        }
    }
}
