//! Why the store does not do what it was asked to.
//! What lives here: the one error of both APIs. What does not: how each writes it.

use api::admin::Problem;
use api::code::Code;
use nfs::ExportError;
use repository::RepositoryError;

use crate::catalogue::CatalogueError;
use crate::snapshot::SnapshotError;

/// A call that was refused or failed. Nothing was changed, unless the message says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}. HINT: {hint}")]
pub struct Refusal {
    /// What the documented API answers; it stands for the kind of failure in the other one too.
    pub code: Code,
    /// What happened, to what.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Refusal {
    /// A refusal in words of our own.
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Refusal {
        Refusal {
            code,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// The request makes no sense.
    pub fn bad_request(message: impl Into<String>, hint: impl Into<String>) -> Refusal {
        Refusal::new(Code::BadRequest, message, hint)
    }

    /// An error that says what to do behind `HINT:`, as those of this workspace do.
    pub fn of(code: Code, error: &dyn std::error::Error) -> Refusal {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = match text.split_once(". HINT: ") {
                Some((what, hint)) => format!("{what}: {cause}. HINT: {hint}"),
                None => format!("{text}: {cause}"),
            };
            source = cause.source();
        }
        match text.split_once(". HINT: ") {
            Some((what, hint)) => Refusal::new(code, what, hint),
            None => Refusal::new(code, text, "the store's log says more"),
        }
    }

    /// As the administration API answers it.
    pub fn problem(&self) -> Problem {
        Problem {
            kind: format!("{:?}", self.code),
            message: self.message.clone(),
            hint: self.hint.clone(),
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Refusal {
        let hint = match code {
            Code::MountMissing => "names are case-sensitive; 'backstay mount list' shows them",
            Code::MountMarkedForDelete => {
                "wait until it is gone; 'backstay job list' shows how far"
            }
            Code::MountInconsistent => {
                "'backstay mount show' says why; 'backstay mount repair' accepts it"
            }
            Code::TooManyPendingSnapshots => {
                "wait until some have become recovery points, delete some, or raise max_pending_snapshots"
            }
            Code::BackupNotStarted => "send the POST first",
            Code::DecommissionInProgress | Code::Decommissioned => {
                "'backstay store register' takes it into service again"
            }
            _ => "the store's log says more",
        };
        Refusal::new(code, code.message().trim_end_matches('.'), hint)
    }
}

impl From<CatalogueError> for Refusal {
    fn from(error: CatalogueError) -> Refusal {
        match error {
            CatalogueError::Full(_) => Refusal::of(Code::NoSpace, &error),
            _ => Refusal::of(Code::Internal, &error),
        }
    }
}

impl From<RepositoryError> for Refusal {
    fn from(error: RepositoryError) -> Refusal {
        let code = match &error {
            RepositoryError::Full { .. } => Code::NoSpace,
            error if error.is_passing() => Code::RepositoryUnavailable,
            RepositoryError::Refused { .. }
            | RepositoryError::NotThere(_)
            | RepositoryError::WrongPassword(_) => Code::RepositoryUnavailable,
            RepositoryError::Damaged { .. } | RepositoryError::Missing { .. } => {
                Code::RepositoryDamaged
            }
            RepositoryError::NoPoint(_) => Code::UnknownPath,
            RepositoryError::Ambiguous(..)
            | RepositoryError::NothingChosen(_)
            | RepositoryError::AlreadyThere(_) => Code::BadRequest,
            _ => Code::Internal,
        };
        Refusal::of(code, &error)
    }
}

impl From<ExportError> for Refusal {
    fn from(error: ExportError) -> Refusal {
        Refusal::of(Code::ExportFailed, &error)
    }
}

impl From<SnapshotError> for Refusal {
    fn from(error: SnapshotError) -> Refusal {
        match error {
            SnapshotError::Full { .. } => Refusal::of(Code::NoSpace, &error),
            SnapshotError::Busy(_) => Refusal::of(Code::MountBusy, &error),
            _ => Refusal::of(Code::SnapshotFailed, &error),
        }
    }
}
