//! Remote procedure calls (RFC 5531): the head of a call and of a reply.
//! What lives here: reading the one, writing the other. What does not: records (record.rs), and what is called.

use crate::identity::{Credential, GROUPS_MAX};
use crate::xdr::{Garbage, Reader, Writer};

/// The version of the protocol.
const RPC_VERSION: u32 = 2;
const CALL: u32 = 0;
const REPLY: u32 = 1;
const ACCEPTED: u32 = 0;
const DENIED: u32 = 1;
/// Bytes of a credential or verifier at most.
const AUTH_BYTES_MAX: usize = 400;
const MACHINE_NAME_MAX: usize = 255;
const AUTH_NONE: u32 = 0;
/// The credential that carries user and groups.
pub(crate) const AUTH_SYS: u32 = 1;

/// A call, as far as it is read before its program is asked.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) xid: u32,
    pub(crate) program: u32,
    pub(crate) version: u32,
    pub(crate) procedure: u32,
    pub(crate) credential: Credential,
    pub(crate) arguments: Reader<'a>,
}

/// A record that is answered without asking a program, or not at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadCall {
    /// No call at all: nobody waits for an answer.
    NoCall,
    /// Another version of the protocol.
    Version { xid: u32 },
    /// The credential is not well-formed.
    Credential { xid: u32 },
    /// The credential is of a kind that is not taken (Kerberos).
    Flavor { xid: u32 },
}

/// How a call ended, as far as RPC knows; the numbers are those of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Accepted {
    Success = 0,
    NoProgram = 1,
    NoVersion = 2,
    NoProcedure = 3,
    Garbage = 4,
}

impl<'a> Call<'a> {
    pub(crate) fn read(record: &'a [u8]) -> Result<Call<'a>, BadCall> {
        let mut reader = Reader::new(record);
        let mut number = || reader.u32().map_err(|Garbage| BadCall::NoCall);
        let xid = number()?;
        if number()? != CALL {
            return Err(BadCall::NoCall);
        }
        if number()? != RPC_VERSION {
            return Err(BadCall::Version { xid });
        }
        let [program, version, procedure] = [number()?, number()?, number()?];
        let credential = read_credential(&mut reader).map_err(|bad| match bad {
            BadCredential::Garbage => BadCall::Credential { xid },
            BadCredential::Flavor => BadCall::Flavor { xid },
        })?;
        Ok(Call {
            xid,
            program,
            version,
            procedure,
            credential,
            arguments: reader,
        })
    }
}

enum BadCredential {
    Garbage,
    Flavor,
}

impl From<Garbage> for BadCredential {
    fn from(_: Garbage) -> BadCredential {
        BadCredential::Garbage
    }
}

fn read_credential(reader: &mut Reader<'_>) -> Result<Credential, BadCredential> {
    let flavor = reader.u32()?;
    let mut body = Reader::new(reader.opaque(AUTH_BYTES_MAX)?);
    let _verifier_flavor = reader.u32()?;
    let _verifier = reader.opaque(AUTH_BYTES_MAX)?;
    match flavor {
        AUTH_NONE => Ok(Credential::Anonymous),
        AUTH_SYS => {
            let _stamp = body.u32()?;
            let _machine = body.opaque(MACHINE_NAME_MAX)?;
            let (user, group) = (body.u32()?, body.u32()?);
            let count = body.u32()? as usize;
            if count > GROUPS_MAX {
                return Err(BadCredential::Garbage);
            }
            let groups = (0..count)
                .map(|_| body.u32())
                .collect::<Result<_, Garbage>>()?;
            Ok(Credential::System {
                user,
                group,
                groups,
            })
        }
        _ => Err(BadCredential::Flavor),
    }
}

/// Begins a reply to an accepted call; what `accepted` demands follows.
pub(crate) fn accept(reply: &mut Writer, xid: u32, accepted: Accepted) {
    reply.u32(xid);
    reply.u32(REPLY);
    reply.u32(ACCEPTED);
    reply.u32(AUTH_NONE);
    reply.opaque(&[]);
    reply.u32(accepted as u32);
}

/// The whole reply to a program in a version that is not there.
pub(crate) fn no_version(reply: &mut Writer, xid: u32, lowest: u32, highest: u32) {
    accept(reply, xid, Accepted::NoVersion);
    reply.u32(lowest);
    reply.u32(highest);
}

/// The whole reply to a call that was not read to its end; nothing for what is no call.
pub(crate) fn deny(reply: &mut Writer, bad: BadCall) {
    const RPC_MISMATCH: u32 = 0;
    const AUTH_ERROR: u32 = 1;
    const AUTH_BADCRED: u32 = 1;
    const AUTH_TOOWEAK: u32 = 5;
    let (xid, why): (u32, &[u32]) = match bad {
        BadCall::NoCall => return,
        BadCall::Version { xid } => (xid, &[RPC_MISMATCH, RPC_VERSION, RPC_VERSION]),
        BadCall::Credential { xid } => (xid, &[AUTH_ERROR, AUTH_BADCRED]),
        BadCall::Flavor { xid } => (xid, &[AUTH_ERROR, AUTH_TOOWEAK]),
    };
    for number in [xid, REPLY, DENIED].iter().chain(why) {
        reply.u32(*number);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call(flavor: u32, credential: &[u8]) -> Writer {
        let mut record = Writer::new();
        for number in [77, CALL, RPC_VERSION, 100_003, 3, 1, flavor] {
            record.u32(number);
        }
        record.opaque(credential);
        record.u32(AUTH_NONE);
        record.opaque(&[]);
        record.raw(b"arguments...");
        record
    }

    fn system(groups: u32) -> Writer {
        let mut credential = Writer::new();
        credential.u32(1);
        credential.opaque(b"host");
        (0..2).for_each(|_| credential.u32(1000));
        credential.u32(groups);
        (0..groups).for_each(|group| credential.u32(group));
        credential
    }

    #[test]
    fn a_call_is_read_with_its_user() {
        let record = call(AUTH_SYS, system(3).written());
        let call = Call::read(record.written()).unwrap();
        assert_eq!(
            (call.xid, call.program, call.version, call.procedure),
            (77, 100_003, 3, 1)
        );
        let groups = vec![0, 1, 2];
        assert_eq!(
            call.credential,
            Credential::System {
                user: 1000,
                group: 1000,
                groups
            }
        );
        assert_eq!(call.arguments.rest(), b"arguments...");
    }

    #[test]
    fn too_many_groups_other_flavors_and_versions_are_told_apart() {
        let read = |record: &Writer| Call::read(record.written()).map(drop);
        assert_eq!(
            read(&call(AUTH_SYS, system(17).written())),
            Err(BadCall::Credential { xid: 77 })
        );
        assert_eq!(
            read(&call(AUTH_SYS, &[0; 8])),
            Err(BadCall::Credential { xid: 77 })
        );
        assert_eq!(read(&call(6, &[0; 20])), Err(BadCall::Flavor { xid: 77 }));
        assert_eq!(Call::read(&[0; 3]).map(drop), Err(BadCall::NoCall));
        assert_eq!(
            Call::read(&[0, 0, 0, 1, 0, 0, 0, 1]).map(drop),
            Err(BadCall::NoCall)
        );
        let old = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(Call::read(&old).map(drop), Err(BadCall::Version { xid: 1 }));
    }

    proptest! {
        #[test]
        fn no_record_makes_the_reading_panic(
            change in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            cut: prop::sample::Index,
        ) {
            let mut record = call(AUTH_SYS, system(16).written()).written().to_vec();
            for (at, byte) in change {
                let at = at.index(record.len());
                record[at] = byte;
            }
            record.truncate(cut.index(record.len() + 1));
            if let Ok(call) = Call::read(&record) {
                prop_assert!(call.arguments.rest().len() <= record.len());
            }
        }
    }
}
