//! Error codes of the documented API, and our own beside them.
//! What lives here: number, message and HTTP status of each. What does not: when each is given.
//!
//! A code does not fit into 32 bits: the documented ones are `0x1_000A_0000` and a small number. Ours begin at
//! `0x1_000A_0100`, far above any that the documented product is known to give.

/// What the documented codes are counted from.
const DOCUMENTED: u64 = 0x1_000A_0000;
/// What our own codes are counted from.
const OURS: u64 = 0x1_000A_0100;

/// Why a call of the documented API failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// PUT before POST.
    BackupNotStarted,
    /// The path of a restore is not there.
    RestorePathMissing,
    /// As many snapshots wait as may wait.
    TooManyPendingSnapshots,
    /// No such mount; names are case-sensitive.
    MountMissing,
    /// The mount is being deleted.
    MountMarkedForDelete,
    /// What the store knows of the mount and what is on disk differ.
    MountInconsistent,
    /// The mount could not be exported.
    ExportFailed,
    /// The store is being taken out of service.
    DecommissionInProgress,
    /// The store was taken out of service.
    Decommissioned,
    /// Ours: the store itself failed; its log says more.
    Internal,
    /// Ours: no such path in the API.
    UnknownPath,
    /// Ours: the path does not know this method.
    MethodNotAllowed,
    /// Ours: the request makes no sense.
    BadRequest,
    /// Ours: the body is longer than it may be.
    BodyTooLarge,
    /// Ours: the snapshot could not be taken; the backup stays open and the PUT may be repeated.
    SnapshotFailed,
    /// Ours: another call has held the mount for too long.
    MountBusy,
    /// Ours: what was sent cannot be kept, the store's disk is full.
    NoSpace,
    /// Ours: this address is not on the mount's allow-list.
    ClientNotAllowed,
    /// Ours: the store is stopping.
    Stopping,
    /// Ours: the repository of recovery points does not answer, or somebody else works in it alone.
    RepositoryUnavailable,
    /// Ours: something in the repository is not what was written.
    RepositoryDamaged,
}

impl Code {
    /// All codes, the documented ones first, each group ascending.
    pub const ALL: [Code; 21] = [
        Code::BackupNotStarted,
        Code::RestorePathMissing,
        Code::TooManyPendingSnapshots,
        Code::MountMissing,
        Code::MountMarkedForDelete,
        Code::MountInconsistent,
        Code::ExportFailed,
        Code::DecommissionInProgress,
        Code::Decommissioned,
        Code::Internal,
        Code::UnknownPath,
        Code::MethodNotAllowed,
        Code::BadRequest,
        Code::BodyTooLarge,
        Code::SnapshotFailed,
        Code::MountBusy,
        Code::NoSpace,
        Code::ClientNotAllowed,
        Code::Stopping,
        Code::RepositoryUnavailable,
        Code::RepositoryDamaged,
    ];

    /// Whether the number is one of the documented product, and not ours.
    pub const fn is_documented(self) -> bool {
        self.number() < OURS
    }

    /// `error_code` on the wire.
    pub const fn number(self) -> u64 {
        match self {
            Code::BackupNotStarted => DOCUMENTED + 3,
            Code::RestorePathMissing => DOCUMENTED + 7,
            Code::TooManyPendingSnapshots => DOCUMENTED + 8,
            Code::MountMissing => DOCUMENTED + 9,
            Code::MountMarkedForDelete => DOCUMENTED + 11,
            Code::MountInconsistent => DOCUMENTED + 13,
            Code::ExportFailed => DOCUMENTED + 14,
            Code::DecommissionInProgress => DOCUMENTED + 19,
            Code::Decommissioned => DOCUMENTED + 20,
            Code::Internal => OURS,
            Code::UnknownPath => OURS + 1,
            Code::MethodNotAllowed => OURS + 2,
            Code::BadRequest => OURS + 3,
            Code::BodyTooLarge => OURS + 4,
            Code::SnapshotFailed => OURS + 5,
            Code::MountBusy => OURS + 6,
            Code::NoSpace => OURS + 7,
            Code::ClientNotAllowed => OURS + 8,
            Code::Stopping => OURS + 9,
            Code::RepositoryUnavailable => OURS + 10,
            Code::RepositoryDamaged => OURS + 11,
        }
    }

    /// `error_msg` on the wire. Of the documented codes it is exactly the documented text, spelling included.
    pub const fn message(self) -> &'static str {
        match self {
            Code::BackupNotStarted => "START_BACKUP cmd not received yet.",
            Code::RestorePathMissing => "Restore Path is missing on Export Service.",
            Code::TooManyPendingSnapshots => "Backup mount exceeded max pending snapshots.",
            Code::MountMissing => "Backup mount does not exist on Export Service.",
            Code::MountMarkedForDelete => "Backup mount marked for delete on Export Service.",
            Code::MountInconsistent => "Backup mount is inconsistent state on Export Service.",
            Code::ExportFailed => "Failed to export path to NFS.",
            Code::DecommissionInProgress => "Store Decommission in progress.",
            Code::Decommissioned => "Store was decommissioned.",
            Code::Internal => "The store failed. Its log and 'backstay store events' say more.",
            Code::UnknownPath => "There is no such path in this API.",
            Code::MethodNotAllowed => "This path does not know that method.",
            Code::BadRequest => "The request cannot be understood.",
            Code::BodyTooLarge => "The body of the request is too long.",
            Code::SnapshotFailed => {
                "The snapshot could not be taken. The backup is still open: repeat the PUT."
            }
            Code::MountBusy => "Another call holds the mount. Try again.",
            Code::NoSpace => "The store has no space left for this.",
            Code::ClientNotAllowed => "This address is not on the allow-list of the mount.",
            Code::Stopping => "The store is stopping. Try again.",
            Code::RepositoryUnavailable => "The repository cannot be used now. Try again.",
            Code::RepositoryDamaged => "The repository is damaged.",
        }
    }

    /// HTTP status. Scripts that follow the documented samples never see it.
    pub const fn status(self) -> u16 {
        match self {
            Code::BadRequest => 400,
            Code::ClientNotAllowed => 403,
            Code::MountMissing | Code::RestorePathMissing | Code::UnknownPath => 404,
            Code::MethodNotAllowed => 405,
            Code::BackupNotStarted
            | Code::TooManyPendingSnapshots
            | Code::MountMarkedForDelete
            | Code::MountInconsistent
            | Code::MountBusy => 409,
            Code::BodyTooLarge => 413,
            Code::ExportFailed
            | Code::Internal
            | Code::SnapshotFailed
            | Code::RepositoryDamaged => 500,
            Code::DecommissionInProgress
            | Code::Decommissioned
            | Code::Stopping
            | Code::RepositoryUnavailable => 503,
            Code::NoSpace => 507,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_documented_numbers_are_as_printed() {
        let numbers: Vec<u64> = Code::ALL[..9].iter().map(|code| code.number()).collect();
        assert_eq!(
            numbers,
            [
                4_295_622_659,
                4_295_622_663,
                4_295_622_664,
                4_295_622_665,
                4_295_622_667,
                4_295_622_669,
                4_295_622_670,
                4_295_622_675,
                4_295_622_676
            ]
        );
    }

    #[test]
    fn ours_are_far_from_theirs_and_no_number_is_given_twice() {
        let numbers: BTreeSet<u64> = Code::ALL.iter().map(|code| code.number()).collect();
        assert_eq!(numbers.len(), Code::ALL.len());
        assert!(
            Code::ALL[9..]
                .iter()
                .all(|code| code.number() >= 4_295_622_912)
        );
    }

    #[test]
    fn no_failure_has_a_status_of_success() {
        assert!(Code::ALL.iter().all(|code| code.status() >= 400));
    }
}
