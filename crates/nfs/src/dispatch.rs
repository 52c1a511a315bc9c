//! From a record to a reply.
//! What lives here: which program is asked, and what stands between a client and an export: address, policy, gate, reply
//! cache. What does not: the procedures.

use std::net::IpAddr;
use std::sync::Arc;

use crate::connection::Connection;
use crate::export::LiveExport;
use crate::gate::{Inside, Turned};
use crate::handle::WIRE_BYTES_MAX;
use crate::identity::Identity;
use crate::mount;
use crate::portmapper;
use crate::procedures::{self, Context, Procedure, Refusal, Status};
use crate::reply_cache::{CallKey, Known};
use crate::rpc::{self, Accepted, Call};
use crate::server::Shared;
use crate::xdr::{Reader, Writer};

/// The program and its one version (RFC 1813).
pub(crate) const NFS_PROGRAM: u32 = 100_003;
pub(crate) const NFS_VERSION: u32 = 3;

/// Whether the answer to this record never waits for the disk's data, for a lock or for the end of a pause.
pub(crate) fn is_quick(record: &[u8]) -> bool {
    let mut numbers = Reader::new(record);
    let mut number_at = |skipped| numbers.fixed(skipped).and_then(|_| numbers.u32());
    match (number_at(12), number_at(4)) {
        (Ok(NFS_PROGRAM), Ok(procedure)) => {
            procedures::find(procedure).is_none_or(|procedure| procedure.quick)
        }
        _ => true,
    }
}

/// Writes the reply to a record; nothing, if nobody waits for one.
pub(crate) fn answer(
    shared: &Shared,
    connection: &Arc<Connection>,
    record: &[u8],
    reply: &mut Writer,
) {
    let begun = reply.len();
    let call = match Call::read(record) {
        Ok(call) => call,
        Err(bad) => return rpc::deny(reply, bad),
    };
    let result = match (call.program, call.version) {
        (NFS_PROGRAM, NFS_VERSION) => answer_nfs(shared, connection, &call, reply),
        (NFS_PROGRAM, _) => Answer::NoVersion(NFS_VERSION, NFS_VERSION),
        (mount::PROGRAM, mount::VERSION) => mount::answer(shared, connection.peer(), &call, reply),
        // Unmounting and listing are the same in all versions; mounting gives handles of another kind in the old ones.
        (mount::PROGRAM, 1..mount::VERSION) if call.procedure != mount::MNT => {
            mount::answer(shared, connection.peer(), &call, reply)
        }
        (mount::PROGRAM, _) => Answer::NoVersion(mount::VERSION, mount::VERSION),
        (portmapper::PROGRAM, portmapper::VERSION) => portmapper::answer(shared.port, &call, reply),
        (portmapper::PROGRAM, _) => Answer::NoVersion(portmapper::VERSION, portmapper::VERSION),
        _ => Answer::Accepted(Accepted::NoProgram),
    };
    match result {
        Answer::Written => {}
        Answer::Silence => reply.truncate(begun),
        Answer::Accepted(accepted) => {
            reply.truncate(begun);
            rpc::accept(reply, call.xid, accepted);
        }
        Answer::NoVersion(lowest, highest) => {
            reply.truncate(begun);
            rpc::no_version(reply, call.xid, lowest, highest);
        }
    }
}

/// What became of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// The whole reply is written.
    Written,
    /// There is no reply.
    Silence,
    /// The reply says no more than this.
    Accepted(Accepted),
    /// The program has versions from the one to the other.
    NoVersion(u32, u32),
}

fn answer_nfs(
    shared: &Shared,
    connection: &Arc<Connection>,
    call: &Call<'_>,
    reply: &mut Writer,
) -> Answer {
    if call.procedure == 0 {
        rpc::accept(reply, call.xid, Accepted::Success);
        return Answer::Written;
    }
    let Some(procedure) = procedures::find(call.procedure) else {
        return Answer::Accepted(Accepted::NoProcedure);
    };
    let mut arguments = call.arguments;
    // The first argument of every procedure is a handle.
    let Ok(wire) = arguments.opaque(WIRE_BYTES_MAX) else {
        return Answer::Accepted(Accepted::Garbage);
    };
    rpc::accept(reply, call.xid, Accepted::Success);
    let Some((id, file)) = shared.handle_key.open(wire) else {
        return refused(reply, procedure, Status::BadHandle);
    };
    let Some(export) = shared.exports.with_id(id) else {
        return refused(reply, procedure, Status::Stale);
    };
    // Asked here for the reply cache and the gate's sake, and again inside.
    if !export.policy().allows(connection.peer()) {
        return refused(reply, procedure, Status::Access);
    }
    let cached = procedure.changing.then(|| {
        let key = CallKey::new(
            connection.peer(),
            call.xid,
            call.procedure,
            call.arguments.rest(),
        );
        shared.replies.begin(key)
    });
    let under_way = match cached {
        Some(Known::Answered(answered)) => {
            reply.clear();
            reply.raw(&answered);
            return Answer::Written;
        }
        Some(Known::New(under_way)) => Some(under_way),
        None => None,
    };
    let answer = {
        let inside = match enter(shared, connection, &export, procedure) {
            Ok(inside) => inside,
            Err(Turned::Closed) => return refused(reply, procedure, Status::Stale),
            // The client connects again and finds the next server.
            Err(Turned::Stopping) => return Answer::Silence,
        };
        let context = match admit(shared, &export, connection.peer(), call, procedure) {
            Ok(identity) => Context {
                shared,
                export: &export,
                identity,
                file,
            },
            Err(status) => return refused(reply, procedure, status),
        };
        let answer = run(procedure, &context, arguments, reply);
        drop(inside);
        answer
    };
    if let (Some(under_way), Answer::Written) = (under_way, answer) {
        under_way.answered(reply.written());
    }
    answer
}

fn enter<'a>(
    shared: &Shared,
    connection: &Arc<Connection>,
    export: &'a LiveExport,
    procedure: &Procedure,
) -> Result<Inside<'a>, Turned> {
    let _held = (procedure.changing && export.gate.is_paused()).then(|| connection.hold());
    export.gate.enter(procedure.changing, &shared.stopping)
}

/// What the policy says to the call, and for whom it is done.
fn admit(
    shared: &Shared,
    export: &LiveExport,
    peer: IpAddr,
    call: &Call<'_>,
    procedure: &Procedure,
) -> Result<Identity, Status> {
    let policy = export.policy();
    if !policy.allows(peer) {
        return Err(Status::Access);
    }
    if procedure.changing {
        if policy.read_only {
            return Err(Status::ReadOnly);
        }
        if let (true, Some(observer)) = (procedure.tells_change, &shared.observer) {
            observer.changed(export.id);
        }
    }
    Ok(Identity::of(&call.credential, &policy))
}

fn run(
    procedure: &Procedure,
    context: &Context<'_>,
    arguments: Reader<'_>,
    reply: &mut Writer,
) -> Answer {
    let begun = reply.len();
    match (procedure.run)(context, arguments, reply) {
        Ok(()) => Answer::Written,
        Err(Refusal::Garbage) => Answer::Accepted(Accepted::Garbage),
        Err(Refusal::Status(status)) => {
            reply.truncate(begun);
            refused(reply, procedure, status)
        }
    }
}

/// The reply to a call that is not done: a status, and no attributes.
fn refused(reply: &mut Writer, procedure: &Procedure, status: Status) -> Answer {
    reply.u32(status as u32);
    for _ in 0..procedure.absent_attributes {
        reply.bool(false);
    }
    Answer::Written
}
