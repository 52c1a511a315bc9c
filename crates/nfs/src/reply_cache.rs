//! Replies to calls that must not be done twice.
//! What lives here: recognising a call that was sent again, and what it was answered. What does not: which calls those are.
//!
//! A client that loses its connection sends again what was not answered. Done twice, a CREATE or REMOVE would fail, and a
//! WRITE that comes late would undo a later one. A call is known by the client's address, its number and a checksum of
//! what it says; the port does not count, for it changes.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Replies that are kept, over all clients; with their places about 20 MiB.
const REPLIES_MAX: usize = 1 << 15;
/// Parts of the table, each with a lock of its own.
const SHARDS: usize = 16;
/// Bytes of a call that the checksum is made of: the data of a WRITE are left out, its handle, place and length are not.
const CHECKED_BYTES: usize = 512;

/// How a call is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct CallKey {
    client: IpAddr,
    xid: u32,
    checksum: [u8; 16],
}

impl CallKey {
    pub(crate) fn new(client: IpAddr, xid: u32, procedure: u32, arguments: &[u8]) -> CallKey {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&procedure.to_be_bytes());
        hasher.update(&(arguments.len() as u64).to_be_bytes());
        hasher.update(arguments.get(..CHECKED_BYTES).unwrap_or(arguments));
        let mut checksum = [0; 16];
        checksum.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        CallKey {
            client: client.to_canonical(),
            xid,
            checksum,
        }
    }

    fn shard(&self) -> usize {
        (usize::from(self.checksum[0]) ^ self.xid as usize) % SHARDS
    }
}

/// The replies of a server.
#[derive(Debug, Default)]
pub(crate) struct ReplyCache {
    shards: [Shard; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// None: the call is under way.
    replies: HashMap<CallKey, Option<Arc<[u8]>>>,
    /// Those with a reply, the oldest first.
    oldest: VecDeque<CallKey>,
}

/// What is known of a call.
pub(crate) enum Known<'a> {
    /// Nothing: it is to be done, and the reply to be given to [`UnderWay::answered`].
    New(UnderWay<'a>),
    /// It was done, and this was the reply.
    Answered(Arc<[u8]>),
}

/// A call that is being done. Dropped without a reply, it counts as never done.
#[derive(Debug)]
pub(crate) struct UnderWay<'a> {
    shard: &'a Shard,
    key: CallKey,
}

impl Shard {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReplyCache {
    /// Looks whether the call is known. If it is under way, waits for its end.
    pub(crate) fn begin(&self, key: CallKey) -> Known<'_> {
        let shard = &self.shards[key.shard()];
        let mut state = shard.state();
        loop {
            match state.replies.get(&key) {
                None => break,
                Some(Some(reply)) => return Known::Answered(Arc::clone(reply)),
                Some(None) => {
                    state = shard
                        .ended
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner)
                }
            }
        }
        state.replies.insert(key, None);
        Known::New(UnderWay { shard, key })
    }
}

impl UnderWay<'_> {
    /// Keeps the reply, for the case that it gets lost on its way.
    pub(crate) fn answered(self, reply: &[u8]) {
        let mut state = self.shard.state();
        state.replies.insert(self.key, Some(reply.into()));
        state.oldest.push_back(self.key);
        if state.oldest.len() > REPLIES_MAX / SHARDS
            && let Some(oldest) = state.oldest.pop_front()
        {
            state.replies.remove(&oldest);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut state = self.shard.state();
        if let Some(None) = state.replies.get(&self.key) {
            state.replies.remove(&self.key);
        }
        drop(state);
        self.shard.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(client: u8, xid: u32, arguments: &[u8]) -> CallKey {
        CallKey::new(IpAddr::from([10, 0, 0, client]), xid, 8, arguments)
    }

    fn answer(cache: &ReplyCache, key: CallKey, reply: &[u8]) {
        match cache.begin(key) {
            Known::New(call) => call.answered(reply),
            Known::Answered(_) => panic!("it was known"),
        }
    }

    #[test]
    fn the_same_call_gets_the_same_reply_and_another_does_not() {
        let cache = ReplyCache::default();
        answer(&cache, key(1, 5, b"create a"), b"made");
        let Known::Answered(reply) = cache.begin(key(1, 5, b"create a")) else {
            panic!("it is not known");
        };
        assert_eq!(&*reply, b"made");
        for other in [
            key(2, 5, b"create a"),
            key(1, 6, b"create a"),
            key(1, 5, b"create b"),
        ] {
            answer(&cache, other, b"");
        }
    }

    #[test]
    fn a_call_under_way_is_waited_for_and_one_that_broke_off_is_done_again() {
        let cache = ReplyCache::default();
        let Known::New(call) = cache.begin(key(1, 5, b"")) else {
            panic!("it was known");
        };
        std::thread::scope(|scope| {
            let again = scope.spawn(|| match cache.begin(key(1, 5, b"")) {
                Known::New(_) => None,
                Known::Answered(reply) => Some(reply),
            });
            call.answered(b"made");
            assert_eq!(again.join().unwrap().as_deref(), Some(&b"made"[..]));
        });
        drop(cache.begin(key(1, 6, b"")));
        answer(&cache, key(1, 6, b""), b"made");
    }

    #[test]
    fn the_oldest_replies_make_room() {
        let cache = ReplyCache::default();
        for xid in 0..2 * REPLIES_MAX as u32 {
            answer(&cache, key(1, xid, b""), b"");
        }
        let kept: usize = cache
            .shards
            .iter()
            .map(|shard| shard.state().replies.len())
            .sum();
        assert_eq!(kept, REPLIES_MAX);
        answer(&cache, key(1, 0, b""), b"");
    }
}
