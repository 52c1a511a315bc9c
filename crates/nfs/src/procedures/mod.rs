//! The procedures of NFSv3 (RFC 1813).
//! What lives here: their table, and what they share. What does not: who may call them (dispatch.rs).

mod access;
mod attributes;
mod change;
mod create;
mod directory;
mod file_system;
mod lookup;
mod names;
mod read;
mod remove;
mod set_attributes;
mod status;
mod write;

pub(crate) use status::{Refusal, Status};

use crate::export::LiveExport;
use crate::identity::Identity;
use crate::kernel::{self, KernelHandle};
use crate::server::Shared;
use crate::xdr::{Reader, Writer};

/// Bytes of the longest READ and WRITE.
pub(crate) const TRANSFER_BYTES_MAX: usize = 1 << 20;

/// A procedure.
pub(crate) struct Procedure {
    pub(crate) run: fn(&Context<'_>, Reader<'_>, &mut Writer) -> Result<(), Refusal>,
    /// It may change something: a read-only export refuses it, a pause holds it, its reply is kept.
    pub(crate) changing: bool,
    /// The observer is told "something changes"; of data it is told more exactly.
    pub(crate) tells_change: bool,
    /// It is done before the next call is read.
    pub(crate) quick: bool,
    /// How many "no attributes" follow a status other than OK.
    pub(crate) absent_attributes: usize,
}

/// For whom and where a procedure is done.
pub(crate) struct Context<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) export: &'a LiveExport,
    pub(crate) identity: Identity,
    /// The first argument.
    pub(crate) file: KernelHandle,
}

type Run = fn(&Context<'_>, Reader<'_>, &mut Writer) -> Result<(), Refusal>;

const fn asking(run: Run, absent_attributes: usize) -> Procedure {
    Procedure {
        run,
        changing: false,
        tells_change: false,
        quick: true,
        absent_attributes,
    }
}

const fn slow(run: Run, absent_attributes: usize) -> Procedure {
    Procedure {
        quick: false,
        ..asking(run, absent_attributes)
    }
}

const fn changing(run: Run, absent_attributes: usize) -> Procedure {
    Procedure {
        changing: true,
        tells_change: true,
        quick: false,
        ..asking(run, absent_attributes)
    }
}

/// By number, from 1 on; 0 does nothing.
static PROCEDURES: [Procedure; 21] = [
    asking(attributes::get, 0),
    changing(set_attributes::set, 2),
    asking(lookup::lookup, 1),
    asking(access::access, 1),
    asking(read::read_link, 1),
    slow(read::read, 1),
    Procedure {
        tells_change: false,
        ..changing(write::write, 2)
    },
    changing(create::create, 2),
    changing(create::make_directory, 2),
    changing(create::symbolic_link, 2),
    changing(create::special, 2),
    changing(remove::remove, 2),
    changing(remove::remove_directory, 2),
    changing(names::rename, 4),
    changing(names::link, 3),
    slow(directory::read, 1),
    slow(directory::read_plus, 1),
    asking(file_system::status, 1),
    asking(file_system::information, 1),
    asking(file_system::path_configuration, 1),
    slow(write::commit, 2),
];

/// The procedure of that number.
pub(crate) fn find(number: u32) -> Option<&'static Procedure> {
    let place = usize::try_from(number).ok()?.checked_sub(1)?;
    PROCEDURES.get(place)
}

/// Reads the arguments behind the first handle as the procedure of that number does, and leaves it at that.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_arguments(procedure: u32, arguments: &mut Reader<'_>) -> Result<(), Refusal> {
    use lookup::name;
    use set_attributes::NewAttributes;

    match procedure {
        2 => {
            NewAttributes::read(arguments)?;
            set_attributes::guard(arguments)?;
        }
        3 => {
            lookup::any_name(arguments)?;
        }
        4 => {
            arguments.u32()?;
        }
        6 | 21 => {
            read::range(arguments)?;
        }
        7 => {
            write::Data::read(arguments)?;
        }
        8 => {
            name(arguments)?;
            create::How::read(arguments)?;
        }
        9 => {
            name(arguments)?;
            NewAttributes::read(arguments)?;
        }
        10 => {
            name(arguments)?;
            NewAttributes::read(arguments)?;
            create::target(arguments)?;
        }
        11 => {
            name(arguments)?;
            create::special_kind(arguments)?;
            NewAttributes::read(arguments)?;
        }
        12 | 13 => {
            name(arguments)?;
        }
        14 => {
            name(arguments)?;
            names::Place::read(arguments)?;
        }
        15 => {
            names::Place::read(arguments)?;
        }
        16 | 17 => {
            directory::Wanted::read(arguments, procedure == 17)?;
        }
        1 | 5 | 18..=20 => {}
        _ => return Err(Refusal::Garbage),
    }
    Ok(())
}

impl Context<'_> {
    /// Opens the second handle of the arguments, of a file in the same export.
    fn second_handle(&self, wire: &[u8]) -> Result<KernelHandle, Refusal> {
        match self.shared.handle_key.open(wire) {
            None => Err(Status::BadHandle.into()),
            Some((id, _)) if id != self.export.id => Err(Status::OtherDevice.into()),
            Some((_, file)) => Ok(file),
        }
    }

    /// The handle of an open file of the export, as clients see it.
    fn put_handle(&self, reply: &mut Writer, file: &KernelHandle) {
        reply.opaque(self.shared.handle_key.seal(self.export.id, file).as_bytes());
    }

    /// As [`Context::put_handle`], where the protocol lets it be absent.
    fn put_optional_handle(&self, reply: &mut Writer, file: impl std::os::fd::AsFd) {
        match kernel::handle_of(file) {
            Ok(handle) => {
                reply.bool(true);
                self.put_handle(reply, &handle);
            }
            Err(_) => reply.bool(false),
        }
    }
}
