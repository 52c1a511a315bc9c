//! Who may do what in an export.
//! What lives here: the policy as its owner states it. What does not: how it is enforced (identity.rs, procedures).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::cidr::Cidr;

/// The user and group that stand for nobody, as on other NFS servers.
pub const NOBODY: u32 = 65534;

/// Who may do what in an export. It is asked at every call, not only when a client mounts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExportPolicy {
    /// Addresses that may use the export. Empty: nobody may.
    pub allowed: Vec<Cidr>,
    /// No call may change anything.
    pub read_only: bool,
    /// Which users of the client become the anonymous user here.
    pub squash: Squash,
    /// The anonymous user.
    pub anonymous_uid: u32,
    /// The group of the anonymous user.
    pub anonymous_gid: u32,
}

impl ExportPolicy {
    /// Whether this address may use the export at all.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|range| range.contains(address))
    }
}

impl Default for ExportPolicy {
    /// Nobody may use it; read and write; root of the client is nobody here.
    fn default() -> ExportPolicy {
        ExportPolicy {
            allowed: Vec::new(),
            read_only: false,
            squash: Squash::Root,
            anonymous_uid: NOBODY,
            anonymous_gid: NOBODY,
        }
    }
}

/// Which users of a client become the anonymous user.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Squash {
    /// None: the client's root is root in this export.
    None,
    /// Root, and the group of root.
    Root,
    /// Everybody.
    All,
}

/// The text names no kind of squash.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("'{0}' says not who is made anonymous. HINT: none, root or all")]
pub struct NoSquash(String);

impl FromStr for Squash {
    type Err = NoSquash;

    fn from_str(text: &str) -> Result<Squash, NoSquash> {
        match text {
            "none" => Ok(Squash::None),
            "root" => Ok(Squash::Root),
            "all" => Ok(Squash::All),
            _ => Err(NoSquash(text.to_owned())),
        }
    }
}

impl fmt::Display for Squash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Squash::None => "none",
            Squash::Root => "root",
            Squash::All => "all",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squash_is_read_as_it_is_shown() {
        for squash in [Squash::None, Squash::Root, Squash::All] {
            assert_eq!(squash.to_string().parse(), Ok(squash));
        }
        assert_eq!("ROOT".parse::<Squash>(), Err(NoSquash("ROOT".into())));
    }

    #[test]
    fn an_empty_list_allows_nobody() {
        assert!(!ExportPolicy::default().allows(IpAddr::from([127, 0, 0, 1])));
    }
}
