//! Whose power a call has.
//! What lives here: from the credential of a call and the policy of its export to the user the kernel checks. What does
//! not: the checks, which are the kernel's.
//!
//! Everything that a permission decides is done while the thread has the user's identity, so that modes, access lists,
//! sticky directories and the reserve of the file system mean what they mean for a local user. Opening a kernel handle
//! needs root; hence in every procedure: first resolve the handles, then [`Identity::assume`], then act.

use std::cell::{Cell, RefCell};
use std::io;
use std::marker::PhantomData;

use crate::kernel;
use crate::policy::{ExportPolicy, Squash};

/// Groups that a credential may list beside the first (RFC 5531).
pub(crate) const GROUPS_MAX: usize = 16;

/// What a call says about its user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Credential {
    Anonymous,
    System {
        user: u32,
        group: u32,
        groups: Vec<u32>,
    },
}

/// The user that a call is served for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Identity {
    user: u32,
    group: u32,
    groups: Vec<u32>,
}

/// While it lives, this thread acts as the user.
pub(crate) struct Assumed(PhantomData<*const ()>);

thread_local! {
    /// Whose identity the thread has now. A connection's calls come from one user mostly, so it is changed late. None: not
    /// known, for a new thread has the identity that the thread which started it had at that moment.
    static CURRENT: RefCell<Option<Identity>> = const { RefCell::new(None) };
    static ASSUMED: Cell<u32> = const { Cell::new(0) };
}

impl Identity {
    /// The user after the squash of the policy.
    pub(crate) fn of(credential: &Credential, policy: &ExportPolicy) -> Identity {
        let anonymous = Identity {
            user: policy.anonymous_uid,
            group: policy.anonymous_gid,
            groups: Vec::new(),
        };
        let Credential::System {
            user,
            group,
            groups,
        } = credential
        else {
            return anonymous;
        };
        // The number of nobody stands for no user; the kernel takes it for "do not change".
        if policy.squash == Squash::All || *user == u32::MAX || *group == u32::MAX {
            return anonymous;
        }
        let squashed = |number: u32, to: u32| match (policy.squash, number) {
            (Squash::Root, 0) => to,
            _ => number,
        };
        Identity {
            user: squashed(*user, policy.anonymous_uid),
            group: squashed(*group, policy.anonymous_gid),
            groups: groups
                .iter()
                .map(|group| squashed(*group, policy.anonymous_gid))
                .collect(),
        }
    }

    pub(crate) fn user(&self) -> u32 {
        self.user
    }

    pub(crate) fn is_root(&self) -> bool {
        self.user == 0
    }

    /// From now on this thread acts as this user, until the token is dropped.
    pub(crate) fn assume(&self) -> io::Result<Assumed> {
        become_user(self)?;
        ASSUMED.set(ASSUMED.get() + 1);
        Ok(Assumed(PhantomData))
    }
}

impl Drop for Assumed {
    fn drop(&mut self) {
        ASSUMED.set(ASSUMED.get() - 1);
    }
}

/// Makes the thread root, to open a kernel handle. A bug if it acts as a user just now: what follows would be done as root.
pub(crate) fn be_root() -> io::Result<()> {
    assert_eq!(
        ASSUMED.get(),
        0,
        "a handle is opened while the thread acts as a user"
    );
    let is_root = CURRENT.with_borrow(|current| match current {
        Some(identity) => identity.is_root(),
        None => kernel::thread_user() == 0,
    });
    if is_root {
        return Ok(());
    }
    become_user(&Identity::default())
}

fn become_user(identity: &Identity) -> io::Result<()> {
    CURRENT.with_borrow_mut(|current| {
        if current.as_ref() == Some(identity) {
            return Ok(());
        }
        // Should it fail half-way, nobody may believe that the thread is still who it was.
        *current = None;
        kernel::set_thread_identity(identity.user, identity.group, &identity.groups)?;
        *current = Some(identity.clone());
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(user: u32, group: u32, groups: &[u32]) -> Credential {
        Credential::System {
            user,
            group,
            groups: groups.to_vec(),
        }
    }

    fn squashed(squash: Squash, credential: &Credential) -> (u32, u32, Vec<u32>) {
        let policy = ExportPolicy {
            squash,
            anonymous_uid: 99,
            anonymous_gid: 98,
            ..ExportPolicy::default()
        };
        let identity = Identity::of(credential, &policy);
        (identity.user, identity.group, identity.groups)
    }

    #[test]
    fn a_squash_makes_users_anonymous() {
        let root = system(0, 0, &[0, 5]);
        let oracle = system(54321, 54321, &[0, 54322]);
        assert_eq!(squashed(Squash::None, &root), (0, 0, vec![0, 5]));
        assert_eq!(squashed(Squash::Root, &root), (99, 98, vec![98, 5]));
        assert_eq!(
            squashed(Squash::Root, &oracle),
            (54321, 54321, vec![98, 54322])
        );
        assert_eq!(squashed(Squash::All, &oracle), (99, 98, vec![]));
        for squash in [Squash::None, Squash::Root, Squash::All] {
            assert_eq!(squashed(squash, &Credential::Anonymous), (99, 98, vec![]));
            assert_eq!(
                squashed(squash, &system(u32::MAX, 5, &[])),
                (99, 98, vec![])
            );
            assert_eq!(
                squashed(squash, &system(5, u32::MAX, &[])),
                (99, 98, vec![])
            );
        }
    }

    #[test]
    #[should_panic(expected = "while the thread acts as a user")]
    fn root_cannot_come_back_while_a_user_acts() {
        let _assumed = Identity {
            user: 4711,
            ..Identity::default()
        }
        .assume();
        let _ = be_root();
    }

    #[test]
    fn a_thread_that_a_user_s_thread_starts_is_not_taken_for_root() {
        let user = Identity {
            user: 4711,
            group: 4712,
            groups: vec![4713],
        };
        std::thread::spawn(move || {
            let _assumed = user.assume().unwrap();
            let started = std::thread::spawn(|| {
                let before = kernel::thread_user();
                be_root().unwrap();
                (before, kernel::thread_user())
            });
            assert_eq!(started.join().unwrap(), (4711, 0));
            let started = std::thread::spawn(|| {
                let _assumed = Identity::default().assume().unwrap();
                let made = tempfile::tempfile_in("/dev/shm").unwrap();
                let stat = rustix::fs::fstat(&made).unwrap();
                (stat.st_uid, stat.st_gid)
            });
            assert_eq!(started.join().unwrap(), (0, 0));
        })
        .join()
        .unwrap();
    }
}
