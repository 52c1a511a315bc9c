//! The messages of RMAN that matter to an account, whatever their language.
//! What lives here: the messages, and which of number and text decides. What does not: their wording.

use super::account::{ArchivedLog, BlockRange, SetKind};
use super::{english, numbered};

/// What one line says. Sources are the grammar of section 6.1 and its traps: [V] read in published logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// RMAN names itself: a session begins.
    Banner,
    /// `Recovery Manager complete.`, or the end of spooling.
    End,
    /// `connected to target database: NAME (DBID=n)` [V]; name and DBID are missing where it is not mounted.
    Connected {
        /// Name of the database.
        name: Option<&'a str>,
        /// Its DBID.
        dbid: Option<u64>,
    },
    /// `Starting … at T` [V]; the time, where the line tells it.
    RunStarted(Run, Option<&'a str>),
    /// `Finished … at T` [V].
    RunFinished(Run, Option<&'a str>),
    /// A channel is there: allocated, used, released, or its session is named [V].
    ChannelKnown(&'a str),
    /// `channel C: starting … backup set` [V].
    SetStarted {
        channel: &'a str,
        kind: SetKind,
        compressed: bool,
    },
    /// `channel C: specifying … in backup set` [V]: the lines without channel that follow are C's.
    Specifying {
        channel: &'a str,
        kind: Option<SetKind>,
    },
    /// `input datafile file number=n name=P` [V].
    InputDatafile { number: u32, name: &'a str },
    /// `including datafile copy of datafile n in backup set` [V].
    InputDatafileCopy { number: u32 },
    /// `input file name=P`, which follows the former [V].
    InputFileName(&'a str),
    /// `backing up blocks a through b` [V].
    Blocks(BlockRange),
    /// `skipping datafile n because …` [V].
    SkippedDatafile(u32),
    /// `input archived log thread=t sequence=s …` [V].
    InputArchivedLog(ArchivedLog),
    /// `including current control file in backup set` [V].
    ControlFile,
    /// `including standby control file in backup set` [V].
    StandbyControlFile,
    /// `including current SPFILE in backup set` [V].
    Spfile,
    /// `channel C: starting piece n at T` [V].
    PieceStarted {
        channel: &'a str,
        number: u32,
        at: &'a str,
    },
    /// `channel C: finished piece n at T [with k copies and tag TAG]` [V; the copies M].
    PieceFinished {
        channel: &'a str,
        number: u32,
        at: &'a str,
        tag: Option<&'a str>,
    },
    /// `piece handle=H [tag=TAG] comment=C` [V].
    PieceHandle {
        handle: &'a str,
        tag: Option<&'a str>,
    },
    /// `channel C: backup set complete, elapsed time: …` [V].
    SetComplete(&'a str),
    /// `[channel C:] backup cancelled because …` [V].
    SetCancelled(Option<&'a str>),
    /// `channel C: starting datafile copy`, or of an archived log.
    CopyStarted { channel: &'a str, of: Copied },
    /// `copying current control file`, `copying standby control file`.
    CopyingControlFile { standby: bool },
    /// `output file name=P [tag=TAG] [RECID=r STAMP=x]` [V].
    Output { path: &'a str, tag: Option<&'a str> },
    /// `channel C: datafile copy complete, elapsed time: …` [V].
    CopyComplete(&'a str),
    /// `recovering datafile copy file number=n name=P` [V].
    RecoveringCopy { number: u32, path: &'a str },
    /// `no copy of datafile n found to recover` [V].
    NoCopyToRecover(u32),
    /// `deleted backup piece` and its like: the next line of that kind names what is gone [V].
    Deleted(Listed),
    /// `channel C: deleting archived log(s)`: all following lines of that kind do [V].
    DeletingArchivedLogs,
    /// `backup piece handle=P RECID=r STAMP=x` and its like: a file of RMAN's repository, in whatever context [V].
    ListedFile { what: Listed, path: &'a str },
    /// Part of a restore: what follows is read, not written.
    Restoring,
    /// The banner of an error stack, RMAN-00571 or RMAN-00569 [V].
    ErrorBanner,
    /// RMAN-03009 names the channel that failed [V].
    ChannelFailed { channel: Option<&'a str> },
    /// RMAN-03002: a command failed [V].
    CommandFailed,
}

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// Writes backup sets or copies.
    Backup,
    /// RMAN's own backup of the control file, and of the server parameter file if it says so.
    Autobackup { with_spfile: bool },
    /// Restores, recovers, validates: no files of it are backups.
    Other,
    /// The text is in another language.
    Unnamed,
}

/// What a copy is begun of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Copied {
    Datafile,
    ArchivedLog,
}

/// A file of RMAN's repository, as deletion names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    BackupPiece,
    ArchivedLog,
    DatafileCopy,
    ControlFileCopy,
}

/// A recognised line, and whether it took the number to recognise it.
pub(super) struct Recognised<'a> {
    pub(super) message: Message<'a>,
    pub(super) by_number: bool,
}

/// What a line says, if it is one that matters.
///
/// Numbers do not depend on the language, so those that were verified decide. Text tells more (what a run does), so it
/// is taken where it does not contradict. Numbers known from memory only are asked last.
pub(super) fn recognise<'a>(
    number: Option<u32>,
    text: &'a str,
    channel_is_known: &dyn Fn(&str) -> bool,
) -> Option<Recognised<'a>> {
    let by_text = english::recognise(text);
    let by_number = number.and_then(|number| numbered::recognise(number, text, channel_is_known));
    match (by_text, by_number) {
        (Some(text), Some((number, certain))) => {
            let agree = std::mem::discriminant(&text) == std::mem::discriminant(&number);
            let number_decides = certain && !agree;
            Some(Recognised {
                message: if number_decides { number } else { text },
                by_number: number_decides,
            })
        }
        (Some(message), None) => Some(Recognised {
            message,
            by_number: false,
        }),
        (None, Some((message, _))) => Some(Recognised {
            message,
            by_number: true,
        }),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(number: u32, text: &str) -> Option<(Message<'_>, bool)> {
        let recognised = recognise(Some(number), text, &|_| false)?;
        Some((recognised.message, recognised.by_number))
    }

    #[test]
    fn a_verified_number_outweighs_the_text_and_a_remembered_one_does_not() {
        let spfile = "including current SPFILE in backup set";
        assert_eq!(read(8011, spfile), Some((Message::ControlFile, true)));
        let control_file = "including current control file in backup set";
        assert_eq!(
            read(8113, control_file),
            Some((Message::ControlFile, false))
        );
        // Where they agree, the text tells more.
        let started = Message::RunStarted(Run::Backup, Some("x"));
        assert_eq!(read(3090, "Starting backup at x"), Some((started, false)));
        // A number alone is enough, and one that means nothing to us does no harm.
        assert_eq!(read(8113, "包括 SPFILE"), Some((Message::Spfile, true)));
        assert_eq!(read(9999, spfile), Some((Message::Spfile, false)));
        assert_eq!(read(9999, "包括 SPFILE"), None);
    }
}
