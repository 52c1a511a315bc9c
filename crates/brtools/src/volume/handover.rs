//! A volume that one program leaves in the drive for the next: `brbackup -a`.
//! What lives here: what is handed over. What does not: who takes it.

use super::station::{Station, Trailer};

/// The volume, its head behind the last file, without its trailer.
#[derive(Debug)]
pub struct Handover {
    /// The drive with the volume.
    pub station: Station,
    /// Logs of the program that hands over: they go to the end of the volume too.
    pub trailer: Trailer,
}
