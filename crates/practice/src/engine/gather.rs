//! Gathering what the V$ views show.
//! What lives here: from control record and file headers to `Facts`. What does not: columns and SQL.

use oracle::file_header::status;
use oracle::scn::{LogSequence, Scn};
use oracle::time::OracleTime;

use super::backup_records::{LogState, SetRecord, Status};
use super::control::{Control, DatafileRecord, LogRecord};
use super::datafile::{self, DataFile};
use super::facts::{
    ArchivedLogFacts, BackedUpLogFacts, BackupSetFacts, DatabaseFacts, DatafileFacts, Facts,
    HeaderFacts, IncarnationFacts, InstanceStatus, LogFacts, RecoverFacts,
};
use super::instance::{Core, Instance};
use super::redo_log::FIRST_REDO_BLOCK;
use super::{control, error::OraError};
use crate::content::BLOCK_BYTES;

impl Instance {
    /// A consistent copy of the instance's state.
    pub fn facts(&self) -> Facts {
        let mut core = self.lock();
        let status = core.status;
        let database = self.database_facts(&mut core);
        drop(core);
        Facts {
            sid: self.home.sid.clone(),
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            status,
            startup_time: self.started,
            parameters: self.parameters.all.clone(),
            database,
        }
    }

    fn database_facts(&self, core: &mut Core) -> Option<DatabaseFacts> {
        let status = core.status;
        let open = core.open.as_ref();
        let control_file = core.control.as_ref()?;
        let record = &control_file.record;
        let datafiles: Vec<DatafileFacts> = record
            .datafiles
            .iter()
            .map(|file| {
                let live =
                    open.and_then(|open| open.files.iter().find(|open| open.number == file.number));
                datafile_facts(record, file, live, status)
            })
            .collect();
        let recover = datafiles
            .iter()
            .zip(&record.datafiles)
            .filter_map(|(facts, file)| recover_facts(facts, file))
            .collect();
        Some(DatabaseFacts {
            dbid: record.dbid,
            name: record.name.clone(),
            created: OracleTime::from_raw(record.created),
            archivelog: record.archivelog,
            backup_controlfile: record.is_backup,
            open_resetlogs: if record.is_backup || record.needs_resetlogs {
                "REQUIRED"
            } else {
                "NOT ALLOWED"
            }
            .to_string(),
            checkpoint_scn: Scn::new(record.checkpoint.scn),
            current_scn: Scn::new(open.map_or(0, |open| open.scn)),
            resetlogs_scn: Scn::new(record.incarnation().scn),
            resetlogs_time: OracleTime::from_raw(record.incarnation().time),
            incarnations: incarnations(record),
            tablespaces: record
                .tablespaces
                .iter()
                .map(|t| (t.number, t.name.clone()))
                .collect(),
            datafiles,
            controlfiles: control_file
                .paths()
                .map(|path| {
                    (
                        path.to_path_buf(),
                        control::BLOCK_BYTES as u32,
                        control::BLOCKS,
                    )
                })
                .collect(),
            logs: record
                .logs
                .iter()
                .map(|log| log_facts(record, log))
                .collect(),
            archived: archived(record),
            backup_sets: record.backups.sets.iter().map(backup_set).collect(),
            archive_destination: self.parameters.archive_destination.clone(),
            archive_error: open
                .map(|open| open.archive_error.clone())
                .unwrap_or_default(),
            recover,
        })
    }
}

fn incarnations(record: &Control) -> Vec<IncarnationFacts> {
    let last = record.incarnations.len();
    let facts = |(index, incarnation): (usize, &control::Incarnation)| IncarnationFacts {
        number: index as u32 + 1,
        resetlogs_scn: Scn::new(incarnation.scn),
        resetlogs_time: OracleTime::from_raw(incarnation.time),
        current: index + 1 == last,
    };
    record.incarnations.iter().enumerate().map(facts).collect()
}

fn datafile_facts(
    record: &Control,
    file: &DatafileRecord,
    live: Option<&DataFile>,
    status: InstanceStatus,
) -> DatafileFacts {
    let (header, header_error, fuzzy_bits) = match live {
        Some(open) => (Some(open.header.clone()), String::new(), open.header.status),
        None => match datafile::open(file) {
            Ok(opened) => {
                let bits = opened.header.status;
                (Some(opened.header), String::new(), bits)
            }
            Err(error) => (None, header_problem(&error), 0),
        },
    };
    let recover = header.as_ref().is_some_and(|header| {
        header.checkpoint_count < file.checkpoint_count || fuzzy_bits & status::MEDIA_FUZZY != 0
    });
    let in_backup = fuzzy_bits & status::HOT_BACKUP != 0;
    let backup_status = match (&header, in_backup) {
        (None, _) => header_error.clone(),
        (Some(_), _) if !file.online && live.is_none() && status == InstanceStatus::Open => {
            "OFFLINE NORMAL".to_string()
        }
        (Some(_), true) => "ACTIVE".to_string(),
        (Some(_), false) => "NOT ACTIVE".to_string(),
    };
    DatafileFacts {
        number: file.number,
        tablespace_number: file.tablespace,
        tablespace: record.tablespace_name(file.tablespace).to_string(),
        path: file.path.clone(),
        status: match (file.tablespace, file.online) {
            (0, true) => "SYSTEM",
            (_, true) => "ONLINE",
            (_, false) => "RECOVER",
        }
        .to_string(),
        bytes: u64::from(file.blocks) * BLOCK_BYTES as u64,
        blocks: file.blocks,
        block_size: BLOCK_BYTES as u32,
        creation_scn: Scn::new(file.creation_scn),
        checkpoint_scn: Scn::new(file.checkpoint.scn),
        header: header.map(|header| HeaderFacts {
            checkpoint_scn: header.checkpoint.scn,
            checkpoint_time: header.checkpoint.time,
            checkpoint_count: header.checkpoint_count,
            resetlogs_scn: header.resetlogs.scn,
            fuzzy: fuzzy_bits & (status::HOT_BACKUP | status::ONLINE_FUZZY | status::MEDIA_FUZZY)
                != 0,
            recover,
        }),
        header_error,
        backup_status,
        backup_scn: Scn::new(file.backup.0),
        backup_time: (file.backup.1 != 0).then(|| OracleTime::from_raw(file.backup.1)),
    }
}

fn header_problem(error: &OraError) -> String {
    match error.code() {
        1157 => "FILE NOT FOUND",
        1210 => "WRONG FILE TYPE",
        1122 => "WRONG FILE SIZE",
        _ => "CANNOT READ HEADER",
    }
    .to_string()
}

fn recover_facts(facts: &DatafileFacts, file: &DatafileRecord) -> Option<RecoverFacts> {
    let needs = facts.header.as_ref().is_none_or(|header| header.recover) || !file.online;
    needs.then(|| RecoverFacts {
        number: file.number,
        online: file.online,
        error: facts.header_error.clone(),
        scn: facts
            .header
            .as_ref()
            .map_or(Scn::ZERO, |header| header.checkpoint_scn),
    })
}

fn log_facts(record: &Control, log: &LogRecord) -> LogFacts {
    let status = match () {
        () if log.sequence == 0 => "UNUSED",
        () if log.current => "CURRENT",
        () if log.next_scn > record.checkpoint.scn => "ACTIVE",
        () => "INACTIVE",
    };
    LogFacts {
        group: log.group,
        sequence: LogSequence::new(log.sequence),
        bytes: u64::from(log.blocks) * 512,
        block_size: 512,
        archived: log.archived,
        status: status.to_string(),
        first_scn: Scn::new(log.first_scn),
        first_time: (log.first_time != 0).then(|| OracleTime::from_raw(log.first_time)),
        next_scn: if log.current {
            Scn::OPEN_ENDED
        } else {
            Scn::new(log.next_scn)
        },
        members: log.members.clone(),
    }
}

fn archived(record: &Control) -> Vec<ArchivedLogFacts> {
    let facts = |log: &control::ArchivedRecord| ArchivedLogFacts {
        recid: log.recid,
        path: log.path.clone(),
        sequence: LogSequence::new(log.sequence),
        resetlogs_scn: Scn::new(log.incarnation.scn),
        resetlogs_time: OracleTime::from_raw(log.incarnation.time),
        first_scn: Scn::new(log.first.0),
        first_time: OracleTime::from_raw(log.first.1),
        next_scn: Scn::new(log.next.0),
        next_time: OracleTime::from_raw(log.next.1),
        blocks: log.blocks.max(FIRST_REDO_BLOCK - 1),
        block_size: 512,
        completion_time: OracleTime::from_raw(log.completed),
        deleted: log.deleted,
        expired: log.expired,
        backups: times_backed_up(record, log),
    };
    record.archived.iter().map(facts).collect()
}

fn times_backed_up(record: &Control, log: &control::ArchivedRecord) -> u32 {
    let wanted = (log.sequence, log.incarnation);
    let has_it = |set: &&SetRecord| {
        let mut logs = set.logs.iter();
        logs.any(|stored| (stored.sequence, stored.incarnation) == wanted)
    };
    record.backups.sets.iter().filter(has_it).count() as u32
}

fn backup_set(set: &SetRecord) -> BackupSetFacts {
    let log = |log: &LogState| BackedUpLogFacts {
        sequence: LogSequence::new(log.sequence),
        resetlogs_scn: Scn::new(log.incarnation.scn),
        resetlogs_time: OracleTime::from_raw(log.incarnation.time),
        first: (Scn::new(log.first.0), OracleTime::from_raw(log.first.1)),
        next: (Scn::new(log.next.0), OracleTime::from_raw(log.next.1)),
        blocks: log.blocks,
    };
    BackupSetFacts {
        recid: set.key,
        count: set.set,
        stamp: OracleTime::from_raw(set.stamp),
        handle: set.handle.clone(),
        tag: set.tag.clone(),
        completion_time: OracleTime::from_raw(set.completed),
        elapsed: set.elapsed,
        bytes: set.bytes,
        compressed: set.compressed,
        expired: set.status == Status::Expired,
        logs: set.logs.iter().map(log).collect(),
    }
}
