//! Lines about backup sets: their beginning, what is in them, their pieces and their end.
//! What lives here: sets as channels write them. What does not: copies, runs, failures.

use super::{Finished, Heading, Reader};
use crate::rman::account::{ArchivedLog, CopiedFile, Fate, Piece, SetKind, SetState, Shortcoming};
use crate::rman::copy_name::dbid_of_autobackup;
use crate::rman::message::{Message, Run};

impl Reader {
    pub(super) fn start_set(&mut self, channel: &str, kind: SetKind, compressed: bool) {
        self.note_content();
        let Some(at) = self.channel(channel) else {
            return;
        };
        self.close_heading(at);
        let set = self.ledger.begin_set(Some(channel), kind, compressed);
        let Some(channel) = self.channels.get_mut(at) else {
            return;
        };
        channel.piece = None;
        // The end of the one before is missing, unless it failed.
        if let Some(before) = std::mem::replace(&mut channel.set, set)
            && let Some(before) = self.ledger.set(before)
            && before.state == SetState::Unfinished
        {
            self.short_of.insert(Shortcoming::TailMissing);
        }
    }

    pub(super) fn specify(&mut self, channel: &str, kind: Option<SetKind>) {
        let Some((at, set)) = self.set_of(channel) else {
            return;
        };
        self.open_heading(at, Heading::Set);
        if let Some(set) = self.ledger.set(set)
            && set.kind == SetKind::Unknown
        {
            set.kind = kind.unwrap_or_default();
        }
    }

    pub(super) fn input_datafile(&mut self, number: u32, name: &str) {
        if let Some((_, Heading::Copy)) = self.headings.last() {
            self.input_of_copy(CopiedFile::Datafile {
                number: Some(number),
                name: Some(name.to_owned()),
            });
        } else if let Some(set) = self.specified_set() {
            self.ledger.add_datafile(set, number, name, false);
            self.last_datafile = Some(set);
        }
    }

    pub(super) fn input_archived_log(&mut self, log: ArchivedLog) {
        if let Some((_, Heading::Copy)) = self.headings.last() {
            self.input_of_copy(CopiedFile::ArchivedLog { log: Some(log) });
        } else if let Some(set) = self.specified_set() {
            self.ledger.add_archived_log(set, log);
        }
    }

    pub(super) fn include(&mut self, what: &Message<'_>) {
        let Some(set) = self.specified_set() else {
            return;
        };
        let Some(set) = self.ledger.set(set) else {
            return;
        };
        match what {
            Message::ControlFile => set.includes_control_file = true,
            Message::StandbyControlFile => set.includes_standby_control_file = true,
            _ => set.includes_spfile = true,
        }
    }

    pub(super) fn skip(&mut self, number: u32) {
        let specified = self.headings.last().map(|(channel, _)| *channel);
        let channel = specified.and_then(|channel| self.channels.get(channel));
        let set = channel.and_then(|channel| channel.set);
        self.ledger.skip(set, number);
    }

    pub(super) fn finish_piece(&mut self, channel: &str, number: u32, at: &str, tag: Option<&str>) {
        let Some((channel, set)) = self.set_of(channel) else {
            return;
        };
        self.close_heading(channel);
        let begun = self
            .channels
            .get_mut(channel)
            .and_then(|channel| channel.piece.take());
        self.finished = Some(Finished {
            set,
            number,
            started: begun.filter(|(of, _)| *of == number).map(|(_, at)| at),
            finished: at.to_owned(),
            tag: tag.map(str::to_owned),
        });
    }

    pub(super) fn name_piece(&mut self, handle: &str, tag: Option<&str>) {
        let run = self.runs.last().map(|open| open.run);
        let mut piece = Piece {
            number: None,
            handle: handle.to_owned(),
            started: None,
            finished: None,
            fate: Fate::Kept,
            place: 0,
        };
        if let Some(Run::Autobackup { with_spfile }) = run {
            self.autobackup(piece, with_spfile, tag);
        } else if let Some(finished) = &self.finished {
            piece.number = Some(finished.number);
            piece.started.clone_from(&finished.started);
            piece.finished = Some(finished.finished.clone());
            let tag = tag.or(finished.tag.as_deref());
            self.ledger.add_piece(finished.set, piece, tag);
        } else if tag.is_none() && dbid_of_autobackup(handle).is_some() {
            self.note_content();
            // Whether the server parameter file is in it stands in the line that is missing or not understood.
            self.autobackup(piece, false, None);
        } else {
            self.short_of.insert(Shortcoming::HeadMissing);
            if let Some(set) = self.ledger.begin_set(None, SetKind::Unknown, false) {
                self.ledger.add_piece(set, piece, tag);
                self.orphan = Some(set);
            }
        }
    }

    /// It has neither channel, nor beginning, nor end in the log, and no tag (trap 3).
    pub(super) fn autobackup(&mut self, piece: Piece, with_spfile: bool, tag: Option<&str>) {
        self.note_content();
        let Some(at) = self.ledger.begin_set(None, SetKind::Full, false) else {
            return;
        };
        self.ledger.add_piece(at, piece, tag);
        if let Some(set) = self.ledger.set(at) {
            set.is_autobackup = true;
            set.includes_control_file = true;
            set.includes_spfile = with_spfile;
            set.state = SetState::Complete;
        }
    }

    pub(super) fn complete_set(&mut self, name: &str) {
        let orphan = self.orphan.take();
        let Some(at) = self.channel(name) else { return };
        self.close_heading(at);
        let own = self
            .channels
            .get_mut(at)
            .and_then(|channel| channel.set.take());
        let Some(set) = own.or(orphan) else {
            self.note_content();
            return;
        };
        if self.finished.as_ref().is_some_and(|last| last.set == set) {
            self.finished = None;
        }
        if let Some(set) = self.ledger.set(set) {
            set.state = SetState::Complete;
            set.channel.get_or_insert_with(|| name.to_owned());
        }
    }

    /// Without a channel it is the one whose specification is open.
    pub(super) fn cancel_set(&mut self, channel: Option<&str>) {
        let at = match channel {
            Some(channel) => self.channel(channel),
            None => self.headings.last().map(|(channel, _)| *channel),
        };
        let Some(at) = at else { return };
        self.close_heading(at);
        self.end_set(at, SetState::Cancelled);
    }

    pub(super) fn end_set(&mut self, channel: usize, state: SetState) {
        let set = self
            .channels
            .get_mut(channel)
            .and_then(|channel| channel.set.take());
        if let Some(set) = set.and_then(|set| self.ledger.set(set)) {
            set.state = state;
        }
    }
}
