//! The MOUNT protocol (RFC 1813, appendix I): from the name of an export to the handle of its root.
//! What lives here: its procedures, and who says to have mounted what. What does not: who may use an export later, which
//! is asked at each call.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::dispatch::Answer;
use crate::exports::NAME_BYTES_MAX;
use crate::rpc::{self, AUTH_SYS, Accepted, Call};
use crate::server::Shared;
use crate::xdr::{Garbage, Writer};

/// The program, and the version that goes with NFSv3.
pub(crate) const PROGRAM: u32 = 100_005;
pub(crate) const VERSION: u32 = 3;
/// The procedure that gives a handle.
pub(crate) const MNT: u32 = 1;
const NULL: u32 = 0;
const DUMP: u32 = 2;
const UMNT: u32 = 3;
const UMNTALL: u32 = 4;
const EXPORT: u32 = 5;

const OK: u32 = 0;
const NO_ENTRY: u32 = 2;
const ACCESS: u32 = 13;
/// Mounts that are remembered. It is for the eye only: clients that crash never say that they unmounted.
const MOUNTS_MAX: usize = 1024;

/// Which client says to have mounted which export.
#[derive(Debug, Default)]
pub(crate) struct Mounts(Mutex<BTreeSet<(IpAddr, String)>>);

impl Mounts {
    fn set(&self) -> MutexGuard<'_, BTreeSet<(IpAddr, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of an export that the call has as its argument; empty, where it has none.
pub(crate) fn name(call: &Call<'_>) -> Result<String, Accepted> {
    let mut arguments = call.arguments;
    match call.procedure {
        MNT | UMNT => match arguments.opaque(NAME_BYTES_MAX) {
            Ok(name) => Ok(String::from_utf8_lossy(name).into_owned()),
            Err(Garbage) => Err(Accepted::Garbage),
        },
        NULL | DUMP | UMNTALL | EXPORT => Ok(String::new()),
        _ => Err(Accepted::NoProcedure),
    }
}

pub(crate) fn answer(shared: &Shared, peer: IpAddr, call: &Call<'_>, reply: &mut Writer) -> Answer {
    let name = match name(call) {
        Ok(name) => name,
        Err(accepted) => return Answer::Accepted(accepted),
    };
    rpc::accept(reply, call.xid, Accepted::Success);
    match call.procedure {
        MNT => mount(shared, peer, &name, reply),
        DUMP => dump(shared, reply),
        UMNT => {
            shared
                .mounts
                .set()
                .remove(&(peer, trimmed(&name).to_owned()));
        }
        UMNTALL => shared.mounts.set().retain(|(client, _)| *client != peer),
        EXPORT => list(shared, peer, reply),
        _ => {}
    }
    Answer::Written
}

/// Some clients mount with a slash at the end.
fn trimmed(name: &str) -> &str {
    name.trim_end_matches('/')
}

fn mount(shared: &Shared, peer: IpAddr, name: &str, reply: &mut Writer) {
    let export = shared.exports.named(trimmed(name));
    let Some(export) = export else {
        return reply.u32(NO_ENTRY);
    };
    if !export.policy().allows(peer) {
        return reply.u32(ACCESS);
    }
    let handle = shared.handle_key.seal(export.id, export.root_handle());
    reply.u32(OK);
    reply.opaque(handle.as_bytes());
    // The kinds of credentials that are taken.
    reply.u32(1);
    reply.u32(AUTH_SYS);
    let mut mounts = shared.mounts.set();
    if mounts.len() < MOUNTS_MAX {
        mounts.insert((peer, export.name.clone()));
    }
}

fn dump(shared: &Shared, reply: &mut Writer) {
    for (client, name) in shared.mounts.set().iter() {
        reply.bool(true);
        reply.opaque(client.to_string().as_bytes());
        reply.opaque(name.as_bytes());
    }
    reply.bool(false);
}

/// The exports that this client may use, and who else may. Others are none of its business.
fn list(shared: &Shared, peer: IpAddr, reply: &mut Writer) {
    for export in shared.exports.all() {
        let policy = export.policy();
        if policy.allows(peer) {
            reply.bool(true);
            reply.opaque(export.name.as_bytes());
            for range in &policy.allowed {
                reply.bool(true);
                reply.opaque(range.to_string().as_bytes());
            }
            reply.bool(false);
        }
    }
    reply.bool(false);
}
