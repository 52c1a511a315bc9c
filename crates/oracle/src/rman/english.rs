//! The wording of RMAN's messages in English, from 9i to 19c.
//! What lives here: text to message. What does not: message numbers, and what a message does to an account.

use super::account::{ArchivedLog, BlockRange, SetKind};
use super::copy_name::digits_only;
use super::message::{Copied, Listed, Message, Run};

/// Channels are named by at most 30 characters; more is no channel.
const CHANNEL_NAME_BYTES_MAX: usize = 128;

/// What a line without prompts and number says in English.
pub(super) fn recognise(text: &str) -> Option<Message<'_>> {
    if let Some(rest) = text.strip_prefix("channel ") {
        let (channel, rest) = rest.split_once(": ")?;
        return of_channel(channel_name(channel)?, rest);
    }
    let first = text.split([' ', ':', '=']).next()?;
    match first {
        "Starting" | "Finished" => run(text),
        "input" => input(text),
        "including" => including(text),
        "piece" => piece_handle(text),
        "output" => output(text),
        "backing" => blocks(text),
        "skipping" => skipping(text),
        "copying" => copying(text),
        "recovering" => recovering_copy(text),
        "backup" | "archived" | "archive" | "datafile" | "control" => listed_or_cancelled(text),
        "deleted" => deleted(text),
        "no" => no_copy(text),
        "connected" => connected(text),
        "allocated" | "released" => {
            let (_, channel) = text.split_once(" channel: ")?;
            channel_name(channel).map(Message::ChannelKnown)
        }
        "using" => channel_name(text.strip_prefix("using channel ")?).map(Message::ChannelKnown),
        "Recovery" if text.starts_with("Recovery Manager: Release ") => Some(Message::Banner),
        "Recovery" if text.starts_with("Recovery Manager complete") => Some(Message::End),
        "Spooling" if text == "Spooling for log turned off" => Some(Message::End),
        _ => None,
    }
}

pub(super) fn channel_name(text: &str) -> Option<&str> {
    let good = !text.is_empty()
        && text.len() <= CHANNEL_NAME_BYTES_MAX
        && !text.contains(char::is_whitespace);
    good.then_some(text)
}

/// What follows `channel C: `.
fn of_channel<'a>(channel: &'a str, text: &'a str) -> Option<Message<'a>> {
    match text.split(' ').next()? {
        "starting" => starting(channel, text.strip_prefix("starting ")?),
        "finished" => piece_finished(channel, text),
        "specifying" => specifying(channel, text),
        "backup" if text.starts_with("backup set complete") => Some(Message::SetComplete(channel)),
        "backup" if text.starts_with("backup cancelled") => {
            Some(Message::SetCancelled(Some(channel)))
        }
        "datafile" | "archived" | "archive" if text.contains("copy complete") => {
            Some(Message::CopyComplete(channel))
        }
        "deleting"
            if is_one_of(
                text,
                &["deleting archived log(s)", "deleting archive log(s)"],
            ) =>
        {
            Some(Message::DeletingArchivedLogs)
        }
        "skipping" => skipping(text),
        // What a restore or a merge reads: `piece handle=H tag=TAG` follows, and in 10g without its channel [V].
        "restored" | "restoring" | "reading" | "restore" | "piece" => Some(Message::Restoring),
        _ if text.starts_with("SID=") || text.starts_with("sid=") => {
            Some(Message::ChannelKnown(channel))
        }
        _ => None,
    }
}

/// `starting …`: a set, a piece or a copy. What ends in *restore* is none.
fn starting<'a>(channel: &'a str, text: &'a str) -> Option<Message<'a>> {
    if let Some(rest) = text.strip_prefix("piece ") {
        let (number, at) = rest.split_once(" at ")?;
        return Some(Message::PieceStarted {
            channel,
            number: small_number(number)?,
            at,
        });
    }
    if is_one_of(text, &["datafile copy", "datafilecopy"]) {
        let of = Copied::Datafile;
        return Some(Message::CopyStarted { channel, of });
    }
    if is_one_of(
        text,
        &["archived log copy", "archive log copy", "archivelog copy"],
    ) {
        let of = Copied::ArchivedLog;
        return Some(Message::CopyStarted { channel, of });
    }
    if text.contains("restore") {
        return Some(Message::Restoring);
    }
    let (compressed, text) = match text.strip_prefix("compressed ") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    // 10g writes `backupset`, 11g and later `backup set` [V].
    let what = text
        .strip_suffix(" backup set")
        .or_else(|| text.strip_suffix(" backupset"))?;
    Some(Message::SetStarted {
        channel,
        kind: set_kind(what)?,
        compressed,
    })
}

fn set_kind(what: &str) -> Option<SetKind> {
    if is_one_of(what, &["archived log", "archive log", "archivelog"]) {
        return Some(SetKind::ArchivedLogs);
    }
    if !what.ends_with("datafile") {
        return None;
    }
    if what.starts_with("full ") {
        return Some(SetKind::Full);
    }
    let level = what.strip_prefix("incremental level ")?.split(' ').next()?;
    let level = u8::try_from(small_number(level)?).ok()?;
    Some(SetKind::Incremental { level })
}

fn specifying<'a>(channel: &'a str, text: &str) -> Option<Message<'a>> {
    let what = text.strip_prefix("specifying ")?;
    let kind = if what.starts_with("archive") {
        Some(SetKind::ArchivedLogs)
    } else {
        None
    };
    let in_set = what.ends_with("in backup set") || what.ends_with("in backupset");
    in_set.then_some(Message::Specifying { channel, kind })
}

/// `finished piece n at T`, and with BACKUP COPIES ` with k copies and tag TAG` [M].
fn piece_finished<'a>(channel: &'a str, text: &'a str) -> Option<Message<'a>> {
    let (number, rest) = text.strip_prefix("finished piece ")?.split_once(" at ")?;
    let copies = rest.split_once(" with ");
    let (at, tag) = match copies.and_then(|(at, rest)| Some((at, rest.split_once(" and tag ")?.1)))
    {
        Some((at, tag)) => (at, some_text(tag)),
        None => (rest, None),
    };
    Some(Message::PieceFinished {
        channel,
        number: small_number(number)?,
        at,
        tag,
    })
}

/// Without `comment=` it is the piece that a restore of 10g has read [V]. Handles have blanks, `<` and `:`, tags have
/// blanks [V: trap 4], so the keys are looked for from the end.
fn piece_handle(text: &str) -> Option<Message<'_>> {
    let rest = text.strip_prefix("piece handle=")?;
    let (rest, _) = split_last(rest, " comment=")?;
    let (handle, tag) = with_tag(rest);
    (!handle.is_empty()).then_some(Message::PieceHandle { handle, tag })
}

/// `output file name=P tag=TAG RECID=r STAMP=x`; 10g: `filename=`, `recid=`, `stamp=` [V].
fn output(text: &str) -> Option<Message<'_>> {
    let rest = after_any(text, &["output file name=", "output filename="])?;
    let (path, tag) = with_tag(without_record(rest));
    (!path.is_empty()).then_some(Message::Output { path, tag })
}

fn input(text: &str) -> Option<Message<'_>> {
    if let Some(rest) = after_any(
        text,
        &["input datafile file number=", "input datafile fno="],
    ) {
        let (number, name) = rest.split_once(" name=")?;
        let number = small_number(number)?;
        return Some(Message::InputDatafile { number, name });
    }
    if let Some(rest) = after_any(
        text,
        &["input archived log thread=", "input archive log thread="],
    ) {
        return archived_log(rest).map(Message::InputArchivedLog);
    }
    after_any(text, &["input file name=", "input filename="]).map(Message::InputFileName)
}

/// `t sequence=s RECID=r STAMP=x`.
fn archived_log(text: &str) -> Option<ArchivedLog> {
    let mut words = text.split(' ');
    let mut log = ArchivedLog {
        thread: small_number(words.next()?)?,
        sequence: small_number(words.next()?.strip_prefix("sequence=")?)?,
        recid: None,
        stamp: None,
    };
    for word in words.take(2) {
        match word.split_once('=') {
            Some(("RECID" | "recid", number)) => log.recid = digits_only(number),
            Some(("STAMP" | "stamp", number)) => log.stamp = digits_only(number),
            _ => {}
        }
    }
    Some(log)
}

/// What a set includes besides its data files. 9i and 10g write `controlfile` and `backupset` here and there.
fn including(text: &str) -> Option<Message<'_>> {
    let what = text.strip_prefix("including ")?;
    let what = what
        .strip_suffix(" in backup set")
        .or_else(|| what.strip_suffix(" in backupset"))?;
    match what {
        "current control file" | "current controlfile" => Some(Message::ControlFile),
        "standby control file" | "standby controlfile" => Some(Message::StandbyControlFile),
        "current SPFILE" | "current spfile" => Some(Message::Spfile),
        _ => {
            let number = after_any(
                what,
                &["datafile copy of datafile ", "datafilecopy of datafile "],
            )?;
            let number = small_number(number)?;
            Some(Message::InputDatafileCopy { number })
        }
    }
}

fn blocks(text: &str) -> Option<Message<'_>> {
    let (first, last) = text
        .strip_prefix("backing up blocks ")?
        .split_once(" through ")?;
    Some(Message::Blocks(BlockRange {
        first: digits_only(first)?,
        last: digits_only(last)?,
    }))
}

/// `skipping datafile 00006 because it has not changed`; `skipping datafile 6; already backed up …`.
fn skipping(text: &str) -> Option<Message<'_>> {
    let rest = text.strip_prefix("skipping datafile ")?;
    let number = rest.split([' ', ';']).next()?;
    small_number(number).map(Message::SkippedDatafile)
}

fn copying(text: &str) -> Option<Message<'_>> {
    let standby = match text {
        "copying current control file" | "copying current controlfile" => false,
        "copying standby control file" | "copying standby controlfile" => true,
        _ => return None,
    };
    Some(Message::CopyingControlFile { standby })
}

fn recovering_copy(text: &str) -> Option<Message<'_>> {
    let rest = after_any(
        text,
        &[
            "recovering datafile copy file number=",
            "recovering datafile copy fno=",
            "recovering datafilecopy fno=",
        ],
    )?;
    let (number, path) = rest.split_once(" name=")?;
    let number = small_number(number)?;
    (!path.is_empty()).then_some(Message::RecoveringCopy { number, path })
}

fn no_copy(text: &str) -> Option<Message<'_>> {
    let rest = text.strip_prefix("no copy of datafile ")?;
    let number = rest.strip_suffix(" found to recover")?;
    small_number(number).map(Message::NoCopyToRecover)
}

fn deleted(text: &str) -> Option<Message<'_>> {
    let what = match text.strip_prefix("deleted ")? {
        "backup piece" => Listed::BackupPiece,
        "archived log" | "archive log" => Listed::ArchivedLog,
        "datafile copy" => Listed::DatafileCopy,
        "control file copy" | "controlfile copy" => Listed::ControlFileCopy,
        _ => return None,
    };
    Some(Message::Deleted(what))
}

/// A file of the repository with its record; or the end of a set that is named without its channel.
fn listed_or_cancelled(text: &str) -> Option<Message<'_>> {
    if text.starts_with("backup cancelled because") {
        return Some(Message::SetCancelled(None));
    }
    let keys: [(&str, Listed); 9] = [
        ("backup piece handle=", Listed::BackupPiece),
        ("archived log file name=", Listed::ArchivedLog),
        ("archive log filename=", Listed::ArchivedLog),
        ("archived log filename=", Listed::ArchivedLog),
        ("datafile copy file name=", Listed::DatafileCopy),
        ("datafile copy filename=", Listed::DatafileCopy),
        ("control file copy file name=", Listed::ControlFileCopy),
        ("control file copy filename=", Listed::ControlFileCopy),
        ("controlfile copy filename=", Listed::ControlFileCopy),
    ];
    let (path, what) = keys
        .iter()
        .find_map(|(key, what)| Some((text.strip_prefix(key)?, *what)))?;
    let path = without_record(path);
    (!path.is_empty()).then_some(Message::ListedFile { what, path })
}

fn connected(text: &str) -> Option<Message<'_>> {
    let rest = text.strip_prefix("connected to target database")?;
    let (name, dbid) = match rest.strip_prefix(": ").map(str::trim) {
        Some(rest) => match rest.split_once(" (") {
            Some((name, inside)) => (some_text(name), dbid_in(inside)),
            None => (some_text(rest), None),
        },
        None => (None, None),
    };
    Some(Message::Connected { name, dbid })
}

/// `DBID=n)` or `DBID=n, not open)`.
pub(super) fn dbid_in(inside: &str) -> Option<u64> {
    let rest = inside.strip_prefix("DBID=")?;
    digits_only(rest.split([',', ')']).next()?)
}

/// Only the runs that RMAN has: scripts say that they are starting something too.
fn run(text: &str) -> Option<Message<'_>> {
    let (verb, rest) = text.split_once(' ')?;
    let (what, at) = rest.rsplit_once(" at ")?;
    let run = match what {
        "backup" => Run::Backup,
        "Control File and SPFILE Autobackup" => Run::Autobackup { with_spfile: true },
        "Control File Autobackup" => Run::Autobackup { with_spfile: false },
        "recover"
        | "restore"
        | "validate"
        | "switch"
        | "Duplicate Db"
        | "Duplicate PDB"
        | "flashback"
        | "convert"
        | "conversion at source" => Run::Other,
        _ if what.starts_with("implicit crosscheck ") => Run::Other,
        _ => return None,
    };
    Some(match verb {
        "Starting" => Message::RunStarted(run, some_text(at)),
        _ => Message::RunFinished(run, some_text(at)),
    })
}

fn with_tag(text: &str) -> (&str, Option<&str>) {
    match split_last(text, " tag=") {
        Some((path, tag)) => (path, some_text(tag)),
        None => (text, None),
    }
}

/// A path without what tells its record behind it: ` thread=t sequence=s`, ` RECID=r STAMP=x`, or in small letters.
fn without_record(text: &str) -> &str {
    let keys = [" thread=", " RECID=", " recid="];
    let cuts = keys.iter().filter_map(|key| {
        let at = text.rfind(key)?;
        let digit = text.get(at + key.len()..)?.bytes().next()?;
        digit.is_ascii_digit().then_some(at)
    });
    cuts.min().and_then(|at| text.get(..at)).unwrap_or(text)
}

fn split_last<'a>(text: &'a str, key: &str) -> Option<(&'a str, &'a str)> {
    text.rsplit_once(key)
}

fn after_any<'a>(text: &'a str, heads: &[&str]) -> Option<&'a str> {
    heads.iter().find_map(|head| text.strip_prefix(head))
}

fn is_one_of(text: &str, all: &[&str]) -> bool {
    all.contains(&text)
}

fn some_text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

pub(super) fn small_number(text: &str) -> Option<u32> {
    u32::try_from(digits_only(text)?).ok()
}
