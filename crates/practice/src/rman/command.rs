//! RMAN's commands as values.
//! What lives here: what a command says. What does not: reading them (`parse`), carrying them out (`session`).

use std::path::PathBuf;

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// CONNECT TARGET with these words.
    Connect(String),
    /// EXIT or QUIT.
    Exit,
    /// HOST; None would open a shell.
    Host(Option<String>),
    /// `@file`.
    Script(PathBuf),
    /// RUN { … }.
    Run(Vec<Command>),
    /// ALLOCATE CHANNEL.
    Allocate {
        name: String,
        format: Option<String>,
    },
    /// RELEASE CHANNEL; None releases all.
    Release(Option<String>),
    /// SQL 'statement', or one that RMAN hands on as it is.
    Sql(String),
    /// STARTUP, as it was typed.
    Startup(String),
    /// SHUTDOWN, as it was typed.
    Shutdown(String),
    Backup(Backup),
    Restore(Restore),
    Recover(Recover),
    /// RECOVER COPY OF DATABASE or of data files.
    RecoverCopy {
        files: Files,
        tag: Option<String>,
    },
    Switch(Switch),
    Set(Setting),
    /// CONFIGURE: name of the setting, and its value unless it is cleared.
    Configure(String, Option<String>),
    /// SHOW ALL, or one setting.
    Show(Option<String>),
    Catalog(Catalog),
    List(List),
    Crosscheck(Selection),
    Delete(Delete),
    /// CHANGE … UNCATALOG: the records go, the files stay.
    Uncatalog(Selection),
    ReportSchema,
    ReportObsolete,
    Validate(Validate),
}

/// Which data files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Files {
    All,
    Numbers(Vec<FileName>),
    Tablespaces(Vec<String>),
}

/// A data file by number or path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileName {
    Number(u32),
    Path(PathBuf),
}

/// What a BACKUP is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Object {
    Files(Files),
    ArchivedLogs,
    Controlfile,
    Spfile,
}

/// BACKUP.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Backup {
    /// AS COPY.
    pub as_copy: bool,
    /// AS COMPRESSED BACKUPSET.
    pub compressed: bool,
    /// AS was given, so that CONFIGURE has no say.
    pub typed: bool,
    /// INCREMENTAL LEVEL.
    pub level: Option<u8>,
    /// CUMULATIVE.
    pub cumulative: bool,
    /// FOR RECOVER OF COPY WITH TAG.
    pub for_copy: Option<String>,
    /// FILESPERSET.
    pub files_per_set: Option<usize>,
    /// TAG, in upper case.
    pub tag: Option<String>,
    pub format: Option<String>,
    pub reuse: bool,
    /// NOT BACKED UP n TIMES.
    pub not_backed_up: Option<usize>,
    /// DELETE INPUT.
    pub delete_input: bool,
    /// PLUS ARCHIVELOG.
    pub plus_archivelog: bool,
    /// INCLUDE CURRENT CONTROLFILE.
    pub include_controlfile: bool,
    /// VALIDATE: read everything, write nothing.
    pub validate: bool,
    pub objects: Vec<Object>,
}

/// How far to restore or recover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Until {
    /// A date literal or expression.
    Time(String),
    /// Below this SCN.
    Scn(u64),
    /// Before this log.
    Sequence(u32),
}

/// What is restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Restored {
    Files(Files),
    Controlfile,
    Spfile,
    /// ARCHIVELOG: first and last sequence.
    ArchivedLogs(u32, u32),
}

/// Where a control file or parameter file comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    File(PathBuf),
    Autobackup,
}

/// RESTORE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Restore {
    pub what: Restored,
    pub from: Option<Source>,
    pub from_tag: Option<String>,
    pub to: Option<PathBuf>,
    pub until: Option<Until>,
    pub validate: bool,
    pub preview: bool,
}

/// RECOVER of the database or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recover {
    pub files: Files,
    pub until: Option<Until>,
    /// NOREDO: incremental backups only.
    pub no_redo: bool,
    /// DELETE ARCHIVELOG: restored logs do not stay.
    pub delete_logs: bool,
}

/// SWITCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Switch {
    /// DATAFILE ALL: to where SET NEWNAME had them restored.
    AllRestored,
    /// DATABASE, DATAFILE or TABLESPACE … TO COPY.
    ToCopy(Files),
}

/// SET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setting {
    Until(Until),
    /// NEWNAME FOR some files TO a format.
    NewName(Files, String),
    Dbid(u32),
    AutobackupFormat(String),
    /// ECHO, COMMAND ID and the like, which change nothing here.
    Ignored,
}

/// CATALOG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Catalog {
    /// START WITH.
    StartWith { prefix: PathBuf, prompt: bool },
    /// Files by name.
    Files(Vec<PathBuf>),
}

/// Which kind of backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sets,
    Copies,
    /// Sets and copies.
    Both,
    ArchivedLogs,
}

/// Which files the backups are of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Of {
    #[default]
    Anything,
    Database,
    ArchivedLogs,
    Controlfile,
    Spfile,
}

/// A choice of backups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    pub kind: Kind,
    pub of: Of,
    pub tag: Option<String>,
    /// COMPLETED BEFORE a date literal or expression.
    pub completed_before: Option<String>,
    /// BACKUPSET n, …
    pub keys: Vec<u32>,
    /// DATAFILECOPY or BACKUPPIECE 'name'.
    pub names: Vec<PathBuf>,
    /// LIKE, of the names of copies: `%` is any text, `_` any character.
    pub like: Option<String>,
}

/// LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    pub selection: Selection,
    pub summary: bool,
    /// LIST INCARNATION.
    pub incarnations: bool,
}

/// DELETE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delete {
    pub selection: Selection,
    pub prompt: bool,
    /// Only what CROSSCHECK did not find.
    pub expired: bool,
    /// Only what the retention policy does not need.
    pub obsolete: bool,
    /// FORCE: forget what cannot be deleted.
    pub force: bool,
    /// BACKED UP n TIMES, of archived logs.
    pub backed_up: Option<usize>,
}

/// VALIDATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Validate {
    Files(Files),
    Sets(Vec<u32>),
    Copies,
}
