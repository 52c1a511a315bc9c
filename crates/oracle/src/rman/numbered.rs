//! RMAN's messages by number, as `rman … msgno` prints them: what can be read of them in any language.
//! What lives here: the numbers, and values by their position in a line. What does not: wording.

use super::account::{ArchivedLog, SetKind};
use super::copy_name::digits_only;
use super::dates;
use super::english::{channel_name, dbid_in, small_number};
use super::message::{Copied, Listed, Message, Run};

/// Reads a line by its number. True beside the message: the number was verified in a published log of `msgno` [V]; the
/// others are known from memory [M], and are asked only when the text says nothing.
pub(super) fn recognise<'a>(
    number: u32,
    text: &'a str,
    channel_is_known: &dyn Fn(&str) -> bool,
) -> Option<(Message<'a>, bool)> {
    if let Some(message) = verified(number, text, channel_is_known) {
        return Some((message, true));
    }
    remembered(number, text).map(|message| (message, false))
}

fn verified<'a>(
    number: u32,
    text: &'a str,
    channel_is_known: &dyn Fn(&str) -> bool,
) -> Option<Message<'a>> {
    match number {
        569 | 571 => Some(Message::ErrorBanner),
        3002 => Some(Message::CommandFailed),
        3009 => {
            let channel = text.split(' ').find(|word| channel_is_known(word));
            Some(Message::ChannelFailed { channel })
        }
        // In English, and none of the runs that make backups.
        3090 if text.starts_with("Starting ") => Some(Message::RunStarted(Run::Other, None)),
        3091 if text.starts_with("Finished ") => Some(Message::RunFinished(Run::Other, None)),
        3090 => Some(Message::RunStarted(Run::Unnamed, dates::find(text))),
        3091 => Some(Message::RunFinished(Run::Unnamed, dates::find(text))),
        6005 => connected(text),
        8010 => Some(Message::Specifying {
            channel: split_channel(text)?.0,
            kind: None,
        }),
        8011 => Some(Message::ControlFile),
        8030 => last_name(text).map(Message::ChannelKnown),
        8038 => {
            let (channel, number, at) = piece(text)?;
            Some(Message::PieceStarted {
                channel,
                number,
                at,
            })
        }
        8044 => {
            let (channel, number, at) = piece(text)?;
            Some(Message::PieceFinished {
                channel,
                number,
                at,
                tag: None,
            })
        }
        8046 => set_started(text, SetKind::Full, true),
        8500 => Some(Message::ChannelKnown(split_channel(text)?.0)),
        8522 => {
            let values = values(text);
            Some(Message::InputDatafile {
                number: small_number(values.first()?)?,
                name: values.get(1)?,
            })
        }
        8530 => piece_handle(text),
        8540 => Some(Message::SetComplete(split_channel(text)?.0)),
        _ => None,
    }
}

fn remembered(number: u32, text: &str) -> Option<Message<'_>> {
    match number {
        6006 | 6568 => connected(text),
        8008 => set_started(text, SetKind::Full, false),
        8009 => set_started(text, SetKind::ArchivedLogs, false),
        8047..=8049 => {
            let (_, rest) = split_channel(text)?;
            let level = u8::try_from(first_number(rest)?.0).ok()?;
            set_started(text, SetKind::Incremental { level }, number != 8048)
        }
        8014 => Some(Message::Specifying {
            channel: split_channel(text)?.0,
            kind: Some(SetKind::ArchivedLogs),
        }),
        8057 => Some(Message::SetCancelled(
            split_channel(text).map(|(channel, _)| channel),
        )),
        8070 => Some(Message::Deleted(Listed::DatafileCopy)),
        8071 => Some(Message::DeletingArchivedLogs),
        8072 => Some(Message::Deleted(Listed::ControlFileCopy)),
        8073 => Some(Message::Deleted(Listed::BackupPiece)),
        8113 => Some(Message::Spfile),
        8501 | 8586 => {
            let values = values(text);
            // File, tag, RECID, STAMP; before 10g without the tag.
            let tag = values.get(1).filter(|_| values.len() >= 4);
            Some(Message::Output {
                path: values.first()?,
                tag: tag.copied(),
            })
        }
        8503 => piece_handle(text),
        8504 => {
            let values = values(text);
            let at = |place: usize| digits_only(values.get(place)?);
            Some(Message::InputArchivedLog(ArchivedLog {
                thread: u32::try_from(at(0)?).ok()?,
                sequence: u32::try_from(at(1)?).ok()?,
                recid: at(2),
                stamp: at(3),
            }))
        }
        8512 => listed(Listed::ControlFileCopy, text),
        8513 => listed(Listed::DatafileCopy, text),
        8514 | 8516 => listed(Listed::ArchivedLog, text),
        8517 => listed(Listed::BackupPiece, text),
        8527 => {
            let values = values(text);
            Some(Message::RecoveringCopy {
                number: small_number(values.first()?)?,
                path: values.get(1).filter(|path| !path.is_empty())?,
            })
        }
        8580 => Some(Message::CopyStarted {
            channel: split_channel(text)?.0,
            of: Copied::Datafile,
        }),
        8581 => Some(Message::CopyComplete(split_channel(text)?.0)),
        // Which control file is a word of the language: the current one is what scripts copy.
        8584 => Some(Message::CopyingControlFile { standby: false }),
        _ => None,
    }
}

fn set_started(text: &str, kind: SetKind, compressed: bool) -> Option<Message<'_>> {
    Some(Message::SetStarted {
        channel: split_channel(text)?.0,
        kind,
        compressed,
    })
}

/// Handle, tag and comment by position; an autobackup has no tag.
fn piece_handle(text: &str) -> Option<Message<'_>> {
    let values = values(text);
    let handle = values.first().filter(|handle| !handle.is_empty())?;
    let tag = values.get(1).filter(|_| values.len() >= 3);
    Some(Message::PieceHandle {
        handle,
        tag: tag.copied(),
    })
}

fn listed(what: Listed, text: &str) -> Option<Message<'_>> {
    let path = *values(text).first().filter(|path| !path.is_empty())?;
    Some(Message::ListedFile { what, path })
}

fn connected(text: &str) -> Option<Message<'_>> {
    let (head, inside) = text.rsplit_once(" (")?;
    let name = head.split(' ').next_back().filter(|name| !name.is_empty());
    Some(Message::Connected {
        name,
        dbid: dbid_in(inside),
    })
}

/// `WORD C: rest` with the word for channel in any language, and in some of them without a blank before C or with one
/// before the colon: C is the run of ASCII at the end of what stands before the colon.
fn split_channel(text: &str) -> Option<(&str, &str)> {
    let colon = text.find([':', '：'])?;
    let (head, rest) = text.split_at_checked(colon)?;
    let mut rest = rest.chars();
    rest.next()?;
    Some((last_name(head)?, rest.as_str().trim_start()))
}

fn last_name(text: &str) -> Option<&str> {
    let text = text.trim_end();
    let length = text
        .bytes()
        .rev()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'#'))
        .count();
    channel_name(text.get(text.len() - length..)?)
}

/// `WORD C: … n … T`.
fn piece(text: &str) -> Option<(&str, u32, &str)> {
    let (channel, rest) = split_channel(text)?;
    let (number, after) = first_number(rest)?;
    // The word for *at* has no digit, a time has one at its head or follows the word.
    let at = after
        .char_indices()
        .find(|(_, letter)| letter.is_ascii_digit() || *letter == '[')
        .and_then(|(at, _)| after.get(at..))
        .unwrap_or(after.trim());
    Some((channel, number, at))
}

/// The first digits of a text as a number, and what follows them.
fn first_number(text: &str) -> Option<(u32, &str)> {
    let begin = text.find(|letter: char| letter.is_ascii_digit())?;
    let tail = text.get(begin..)?;
    let end = tail
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(tail.len());
    Some((small_number(tail.get(..end)?)?, tail.get(end..)?))
}

/// The values of `KEY=value KEY=value …`, whatever the keys are called. A key is the word before an equals sign, so a
/// value with a blank is whole, and one with an equals sign in it is not: nothing else can tell them apart.
fn values(text: &str) -> Vec<&str> {
    /// More than any message has.
    const VALUES_MAX: usize = 8;
    let mut found = Vec::new();
    let Some((_, mut rest)) = text.split_once('=') else {
        return found;
    };
    while found.len() < VALUES_MAX {
        let Some((value, next)) = rest.split_once('=') else {
            found.push(rest.trim());
            return found;
        };
        match value.rsplit_once(' ') {
            Some((value, _key)) => found.push(value.trim()),
            // No key before it: the sign is part of a name.
            None => found.push(value),
        }
        rest = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(number: u32, text: &str) -> Option<Message<'_>> {
        recognise(number, text, &|word| word == "c1").map(|(message, _)| message)
    }

    #[test]
    fn a_channel_is_found_in_any_language() {
        for text in [
            "channel c1: x",
            "Kanal c1: x",
            "canal c1 : x",
            "通道 c1: x",
            "通道 c1：x",
            "チャネルc1: x",
        ] {
            assert_eq!(split_channel(text), Some(("c1", "x")), "{text}");
        }
        assert_eq!(split_channel("nothing"), None);
        assert_eq!(split_channel(": x"), None);
    }

    #[test]
    fn pieces_are_read_by_position() {
        assert_eq!(
            read(8044, "通道 c1: 已完成段 2 于 2026-11-23 01:02:03"),
            Some(Message::PieceFinished {
                channel: "c1",
                number: 2,
                at: "2026-11-23 01:02:03",
                tag: None
            })
        );
        assert_eq!(
            read(8530, "段句柄=/m/a b 标记=TAG1 注释=NONE"),
            Some(Message::PieceHandle {
                handle: "/m/a b",
                tag: Some("TAG1")
            })
        );
        assert_eq!(
            read(8503, "段句柄=/m/c-1-20261123-00 注释=NONE"),
            Some(Message::PieceHandle {
                handle: "/m/c-1-20261123-00",
                tag: None
            })
        );
        for unreadable in ["", "=", "段句柄"] {
            assert_eq!(read(8530, unreadable), None, "{unreadable}");
        }
    }

    #[test]
    fn a_failure_names_its_channel_only_if_there_is_such_a_channel() {
        let failed = |channel| Some(Message::ChannelFailed { channel });
        assert_eq!(
            read(3009, "c1 通道上的 backup 命令失败"),
            failed(Some("c1"))
        );
        assert_eq!(
            read(3009, "failure of backup command on c2 channel"),
            failed(None)
        );
    }

    #[test]
    fn a_database_is_read_in_any_language() {
        assert_eq!(
            read(6005, "连接到目标数据库: PRD (DBID=4711, 未打开)"),
            Some(Message::Connected {
                name: Some("PRD"),
                dbid: Some(4711)
            })
        );
    }
}
