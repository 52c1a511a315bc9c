//! The options of the tools, one row each: parser, help and checks are made from them.
//! What lives here: the table. What does not: reading a command line.

use crate::action_id::Tool;

/// What follows an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// Nothing.
    None,
    /// A value that must be there; shown in the help under this name.
    Required(&'static str),
    /// A value that may be there.
    Optional(&'static str),
    /// Everything that follows belongs to another tool.
    PassThrough(&'static str),
}

/// Whether this release does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Any value that the option's own code accepts.
    Full,
    /// Only these values, which the help lists; others exist in SAP's tools and are refused by name.
    Only(&'static [&'static str]),
    /// Exists in SAP's tools, not here yet.
    NotYet,
}

/// One option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Without the dash.
    pub short: &'static str,
    /// The long forms, without the dash.
    pub long: &'static [&'static str],
    /// What follows.
    pub argument: Argument,
    /// Whether it is done.
    pub support: Support,
    /// One line.
    pub help: &'static str,
}

impl Row {
    /// What follows the option as usage and hints show it: nothing that this release refuses.
    pub fn usage(&self) -> String {
        let accepted = match self.support {
            Support::Only(known) => Some(known.join("|")),
            Support::Full | Support::NotYet => Option::None,
        };
        let shown = |what: &str| accepted.clone().unwrap_or_else(|| what.to_owned());
        match self.argument {
            Argument::None => String::new(),
            Argument::Required(what) | Argument::PassThrough(what) => shown(what),
            Argument::Optional(what) => match shown(what) {
                nothing if nothing.is_empty() => nothing,
                what => format!("[{what}]"),
            },
        }
    }
}

const fn row(
    short: &'static str,
    long: &'static [&'static str],
    argument: Argument,
    support: Support,
    help: &'static str,
) -> Row {
    Row {
        short,
        long,
        argument,
        support,
        help,
    }
}

use Argument::{None as Nothing, Optional, PassThrough, Required};
use Support::{Full, NotYet, Only};

const CONFIRM: Row = row(
    "c",
    &["confirm"],
    Optional("force"),
    Only(&["force"]),
    "ask nothing; force: also overwrite and go on where a yes is needed",
);
const PROFILE: Row = row(
    "p",
    &["profile"],
    Required("<profile>"),
    Full,
    "profile instead of init<SID>.sap; a bare name is looked up in ORACLE_HOME/dbs",
);
const QUERY: Row = row(
    "q",
    &["query"],
    Optional("check|nolog"),
    Only(&[]),
    "show what would be done, do nothing",
);
const USER: Row = row(
    "u",
    &["user"],
    Optional("/"),
    Only(&["/"]),
    "log on as the operating system's user (connect / as sysdba), which is also the default",
);
const HELP: Row = row(
    "h",
    &["help"],
    Optional("version"),
    Only(&["version"]),
    "this help",
);
const VERSION: Row = row(
    "V",
    &["VERSION"],
    Optional("ALL"),
    Only(&["ALL"]),
    "the release",
);
const LANGUAGE: Row = row(
    "l",
    &["language"],
    Required("E"),
    Only(&["E"]),
    "language of the messages",
);
const OUTPUT: Row = row(
    "o",
    &["output"],
    Required("dist|time"),
    NotYet,
    "more in the log",
);
const PARFILE: Row = row(
    "r",
    &["parfile"],
    Required("<file>"),
    NotYet,
    "parameter file of a backup utility",
);
const VERIFY: Row = row(
    "w",
    &["verify"],
    Optional("use_dbv|only_dbv|…"),
    NotYet,
    "read back afterwards; every copy is judged and hashed while it is written anyway",
);
const COMPRESS: Row = row(
    "k",
    &["compress"],
    Required("no"),
    Only(&["no"]),
    "compression",
);
const EXECUTE: Row = row(
    "e",
    &["execute"],
    Required("<number>"),
    Full,
    "number of parallel copies",
);
const GUN: Row = row(
    "g",
    &["gun", "abort"],
    Optional("stop|term|kill"),
    Only(&["stop", "term", "kill"]),
    "end the one that is at work: after the files it is at, at the next safe place, or at once",
);
const GUN_NOT_YET: Row = row(
    "g",
    &["gun", "abort"],
    Optional("stop|term|kill"),
    NotYet,
    "stop a running one; use kill -TERM <pid> of the lock",
);
const FILLUP: Row = row(
    "f",
    &["fillup"],
    Optional("<log>|last"),
    NotYet,
    "complete an earlier run",
);
const INITIALIZE: Row = row(
    "i",
    &["initialize"],
    Optional("force|show"),
    Only(&["force", "show"]),
    "label tapes that are not locked; force: any; show: only look",
);
const VOLUME: Row = row(
    "v",
    &["volume"],
    Required("<volume>,…|SCRATCH"),
    Full,
    "these tapes, in this order; SCRATCH takes any that is not locked",
);

const BRBACKUP: &[Row] = &[
    row(
        "t",
        &["type"],
        Required("online|offline|offline_force"),
        Only(&["online", "offline", "offline_force"]),
        "with the database open, or shut down for the while",
    ),
    row(
        "d",
        &["device"],
        Required("disk|tape|tape_auto|tape_box"),
        Only(&["disk", "tape", "tape_auto", "tape_box"]),
        "where the copies go",
    ),
    row(
        "m",
        &["mode"],
        Required("all|<tablespace>|<file id>|<id>-<id>|<path>"),
        Full,
        "what to back up, a comma between",
    ),
    row(
        "a",
        &["archive"],
        PassThrough("<brarchive options>"),
        Full,
        "then run brarchive with these options; must be the last",
    ),
    CONFIRM,
    PROFILE,
    QUERY,
    USER,
    EXECUTE,
    HELP,
    VERSION,
    LANGUAGE,
    COMPRESS,
    OUTPUT,
    PARFILE,
    VERIFY,
    GUN,
    FILLUP,
    INITIALIZE,
    VOLUME,
    row(
        "b",
        &["backup"],
        Optional("<log>|last"),
        NotYet,
        "copy a disk backup on",
    ),
    row(
        "bd",
        &["backup_delete"],
        Optional("<log>|last"),
        NotYet,
        "copy a disk backup on, then delete it",
    ),
    row(
        "db",
        &["delete_backup"],
        Optional("<log>|last"),
        NotYet,
        "delete a disk backup",
    ),
    row(
        "n",
        &["number"],
        Required("<tapes>"),
        Full,
        "number of tapes to label or to show",
    ),
    row(
        "s",
        &["saveset", "savesets"],
        Required("<number>"),
        NotYet,
        "RMAN save sets",
    ),
];

const BRARCHIVE: &[Row] = &[
    row("s", &["save"], Nothing, Full, "save logs that have no copy"),
    row(
        "sd",
        &["save_delete"],
        Nothing,
        Full,
        "save logs that have no copy, then delete them",
    ),
    row(
        "sc",
        &["second_copy"],
        Nothing,
        Full,
        "a second copy of logs that have one",
    ),
    row(
        "scd",
        &["second_copy_delete"],
        Nothing,
        Full,
        "a second copy, then delete",
    ),
    row(
        "ds",
        &["delete_saved"],
        Nothing,
        Full,
        "delete logs that have a copy",
    ),
    row(
        "dc",
        &["delete_copied"],
        Nothing,
        Full,
        "delete logs that have two copies",
    ),
    row(
        "ss",
        &["double_save"],
        Nothing,
        Full,
        "two copies of logs that have none",
    ),
    row(
        "ssd",
        &["double_save_delete"],
        Nothing,
        Full,
        "two copies of logs that have none, then delete them",
    ),
    row(
        "cs",
        &["copy_save"],
        Nothing,
        Full,
        "second copies of saved logs, first copies of new ones",
    ),
    row(
        "cds",
        &["copy_delete_save"],
        Nothing,
        Full,
        "second copies and deletion of saved logs, first copies of new ones",
    ),
    row(
        "d",
        &["device"],
        Required("disk|tape|tape_auto|tape_box"),
        Only(&["disk", "tape", "tape_auto", "tape_box"]),
        "where the copies go",
    ),
    row(
        "n",
        &["number"],
        Required("<logs>"),
        Full,
        "at most so many logs; with -i the number of tapes",
    ),
    CONFIRM,
    PROFILE,
    QUERY,
    USER,
    HELP,
    VERSION,
    LANGUAGE,
    COMPRESS,
    OUTPUT,
    PARFILE,
    VERIFY,
    GUN,
    EXECUTE,
    INITIALIZE,
    VOLUME,
    row("a", &["archive"], Nothing, NotYet, "copy logs from disk on"),
    row(
        "b",
        &["backup"],
        PassThrough("<brbackup options>"),
        NotYet,
        "then run brbackup; use brbackup -a",
    ),
    row(
        "f",
        &["fill"],
        Optional("<number>|stop|suspend|resume"),
        Full,
        "wait for logs and save them, each at once or so many together; the words are for one that waits",
    ),
    row(
        "m",
        &["modify"],
        Optional("<delay>"),
        NotYet,
        "apply logs to a standby database",
    ),
];

const BRRESTORE: &[Row] = &[
    row(
        "b",
        &["backup", "b1", "backup1"],
        Required("last|<log>"),
        Full,
        "from which backup; the newest good one is the default",
    ),
    row(
        "m",
        &["mode"],
        Required("all|full|<tablespace>|<file id>|0|<path>[=<dir>]"),
        Full,
        "what to restore; 0 is the control file, full everything",
    ),
    row(
        "a",
        &["archive", "a1", "archive1"],
        Required("<number>[-<number>][=<dir>],…"),
        Full,
        "offline redo logs from their first copies",
    ),
    row(
        "a2",
        &["archive2"],
        Required("<number>[-<number>][=<dir>],…"),
        Full,
        "offline redo logs from their second copies",
    ),
    row(
        "d",
        &["device"],
        Required("disk|tape|tape_auto|tape_box"),
        Only(&["disk", "tape", "tape_auto", "tape_box"]),
        "where the copies are",
    ),
    CONFIRM,
    PROFILE,
    QUERY,
    USER,
    HELP,
    VERSION,
    LANGUAGE,
    COMPRESS,
    OUTPUT,
    PARFILE,
    VERIFY,
    GUN_NOT_YET,
    EXECUTE,
    FILLUP,
    row(
        "b2",
        &["backup2"],
        Required("<id>"),
        NotYet,
        "from a backup utility",
    ),
    row(
        "i",
        &["interval"],
        Required("<days>"),
        NotYet,
        "how far back to look",
    ),
    row(
        "n",
        &["number"],
        Required("<position>"),
        NotYet,
        "one file by its position on tape",
    ),
];

const BRRECOVER: &[Row] = &[
    row(
        "t",
        &["type"],
        Required("complete|dbpit"),
        Only(&["complete", "dbpit"]),
        "bring everything back, or the database to a point in time",
    ),
    row(
        "m",
        &["pit", "time"],
        Required("'<yyyy-mm-dd hh.mi.ss>'"),
        Full,
        "point in time: everything before this second",
    ),
    row(
        "g",
        &["scn", "change"],
        Required("<scn>"),
        Full,
        "point in time: everything below this SCN",
    ),
    row(
        "n",
        &["seq", "sequence"],
        Required("<sequence>"),
        Full,
        "point in time: redo logs up to this one",
    ),
    CONFIRM,
    PROFILE,
    QUERY,
    USER,
    HELP,
    VERSION,
    LANGUAGE,
    row(
        "d",
        &["device"],
        Required("disk"),
        Only(&["disk"]),
        "where the copies are",
    ),
    row(
        "a",
        &["tsp", "tablespace"],
        Required("<tablespaces>"),
        NotYet,
        "single tablespaces",
    ),
    row(
        "b",
        &["backup"],
        Required("<log>|last"),
        NotYet,
        "from which backup; the newest that serves is taken",
    ),
    row(
        "e",
        &["degree"],
        Required("<number>"),
        NotYet,
        "degree of parallel recovery",
    ),
    row(
        "i",
        &["interval"],
        Required("<days>"),
        NotYet,
        "how far back to look",
    ),
    row(
        "o",
        &["rpt", "point"],
        Required("<restore point>"),
        NotYet,
        "a restore point",
    ),
    PARFILE,
    row(
        "s",
        &["scroll"],
        Required("<lines>"),
        NotYet,
        "lines of a menu",
    ),
    row(
        "w",
        &["own", "owner"],
        Required("<owners>"),
        NotYet,
        "owners",
    ),
];

/// The rows of a tool.
pub const fn rows(tool: Tool) -> &'static [Row] {
    match tool {
        Tool::Brbackup => BRBACKUP,
        Tool::Brarchive => BRARCHIVE,
        Tool::Brrestore => BRRESTORE,
        Tool::Brrecover => BRRECOVER,
    }
}

/// What the tool is for, and examples.
pub const fn story(tool: Tool) -> (&'static str, &'static [&'static str]) {
    match tool {
        Tool::Brbackup => (
            "back up an Oracle database to disk",
            &[
                "brbackup -t online -d disk -m all -c           everything, with the database open",
                "brbackup -t online -m all -c -a -sd -c         the same, then the redo logs",
                "brbackup -t online -m PSAP40BD -c              one tablespace",
                "brbackup -t offline -m all -c                  with the database shut down for the while",
            ],
        ),
        Tool::Brarchive => (
            "save offline redo logs to disk",
            &[
                "brarchive -sd -c        save logs that have no copy, then delete them",
                "brarchive -s -n 10 -c   save at most ten, delete none",
                "brarchive -sd -f -c     wait for logs, save each as it comes, delete it",
                "brarchive -f stop       end the one that waits; suspend and resume halt it for a while",
                "brarchive -q            show which logs there are",
            ],
        ),
        Tool::Brrestore => (
            "restore files of a backup, or offline redo logs, to disk",
            &[
                "brrestore -b last -m all -q          show what would be restored",
                "brrestore -b last -m PSAP40BD -c force   one tablespace; its files must not be in use",
                "brrestore -b bfvczabc.and -m 0       the control file of that backup",
                "brrestore -a 40-70=/tmp/logs         redo logs 40 to 70 into a directory",
            ],
        ),
        Tool::Brrecover => (
            "recover an Oracle database, unattended",
            &[
                "brrecover -t complete -q                              show the plan, touch nothing",
                "brrecover -t complete -c force                        bring back everything",
                "brrecover -t dbpit -m '2026-11-23 14.30.00' -c force  to a point in time",
                "brrecover -t dbpit -g 4711 -c force                   to an SCN",
            ],
        ),
    }
}
