//! The portmapper (RFC 1833, version 2): on which port a program is.
//! What lives here: the answers for our two programs. What does not: registering, which nobody may do from outside.

use crate::dispatch::{Answer, NFS_PROGRAM, NFS_VERSION};
use crate::mount;
use crate::rpc::{self, Accepted, Call};
use crate::xdr::{Garbage, Writer};

/// The program and the version that NFSv3 clients ask.
pub(crate) const PROGRAM: u32 = 100_000;
pub(crate) const VERSION: u32 = 2;
const NULL: u32 = 0;
const GETPORT: u32 = 3;
const DUMP: u32 = 4;
const TCP: u32 = 6;

/// What can be reached, all on one port.
const PROGRAMS: [(u32, u32); 2] = [(NFS_PROGRAM, NFS_VERSION), (mount::PROGRAM, mount::VERSION)];

pub(crate) fn answer(port: u16, call: &Call<'_>, reply: &mut Writer) -> Answer {
    let mut arguments = call.arguments;
    let mut wanted = || Ok::<_, Garbage>((arguments.u32()?, arguments.u32()?, arguments.u32()?));
    match call.procedure {
        NULL => rpc::accept(reply, call.xid, Accepted::Success),
        GETPORT => {
            let Ok((program, version, protocol)) = wanted() else {
                return Answer::Accepted(Accepted::Garbage);
            };
            // As other portmappers do, a version that is not there gets the port of one that is: the program itself says
            // which it has.
            let _ = version;
            let known = protocol == TCP && PROGRAMS.iter().any(|(known, _)| *known == program);
            rpc::accept(reply, call.xid, Accepted::Success);
            reply.u32(if known { port.into() } else { 0 });
        }
        DUMP => {
            rpc::accept(reply, call.xid, Accepted::Success);
            for (program, version) in PROGRAMS {
                for number in [1, program, version, TCP, port.into()] {
                    reply.u32(number);
                }
            }
            reply.bool(false);
        }
        _ => return Answer::Accepted(Accepted::NoProcedure),
    }
    Answer::Written
}
