//! Lines about image copies: their beginning, what they are of, and where they were written.
//! What lives here: copies as channels write them. What does not: sets, runs, failures.

use super::{Channel, CopyBegun, Heading, Reader};
use crate::rman::CHANNELS_MAX;
use crate::rman::account::{CopiedFile, Shortcoming};
use crate::rman::copy_name::of_datafile;
use crate::rman::message::Copied;

impl Reader {
    pub(super) fn start_copy(&mut self, channel: &str, of: Copied) {
        self.note_content();
        let Some(at) = self.channel(channel) else {
            return;
        };
        self.open_heading(at, Heading::Copy);
        let of = match of {
            Copied::Datafile => CopiedFile::Datafile {
                number: None,
                name: None,
            },
            Copied::ArchivedLog => CopiedFile::ArchivedLog { log: None },
        };
        let Some(channel) = self.channels.get_mut(at) else {
            return;
        };
        let begun = CopyBegun { of, written: false };
        if channel
            .copy
            .replace(begun)
            .is_some_and(|before| !before.written)
        {
            self.short_of.insert(Shortcoming::TailMissing);
        }
    }

    /// What the copy whose heading is open is of: one file, so its heading is closed.
    pub(super) fn input_of_copy(&mut self, of: CopiedFile) {
        let Some((at, Heading::Copy)) = self.headings.last().copied() else {
            return;
        };
        self.headings.pop();
        self.last_datafile = None;
        let channel = self.channels.get_mut(at);
        if let Some(begun) = channel.and_then(|channel| channel.copy.as_mut()) {
            begun.of = of;
        }
    }

    /// A copy was written. Outside a copy's block it is a restored file and none of ours. Of several that are being
    /// made it is the one whose end is told next [V: two channels copying].
    pub(super) fn output(&mut self, path: &str, tag: Option<&str>) {
        let mut open = self
            .channels
            .iter()
            .enumerate()
            .filter(|(_, channel)| channel.copy.as_ref().is_some_and(|copy| !copy.written));
        let Some((only, _)) = open.next() else {
            self.output_without_beginning(path, tag);
            return;
        };
        if open.next().is_none() {
            self.write_copy(only, path, tag);
        } else if self.outputs.len() < CHANNELS_MAX {
            self.outputs.push((path.to_owned(), tag.map(str::to_owned)));
        } else {
            self.short_of.insert(Shortcoming::TooMuch);
        }
    }

    /// A restored file has no tag, so one with a tag is a copy whose beginning is missing.
    pub(super) fn output_without_beginning(&mut self, path: &str, tag: Option<&str>) {
        if self.runs.is_empty() && !self.after_failure && tag.is_some() {
            self.short_of.insert(Shortcoming::HeadMissing);
            let of = CopiedFile::Datafile {
                number: None,
                name: None,
            };
            self.ledger.add_copy(of, path, tag);
        }
    }

    pub(super) fn write_copy(&mut self, channel: usize, path: &str, tag: Option<&str>) {
        let channel = self.channels.get_mut(channel);
        if let Some(begun) = channel.and_then(|channel| channel.copy.as_mut()) {
            begun.written = true;
            self.ledger.add_copy(begun.of.clone(), path, tag);
        }
    }

    pub(super) fn complete_copy(&mut self, name: &str) {
        let Some(at) = self.channel(name) else { return };
        self.close_heading(at);
        let waits = |channel: &Channel| channel.copy.as_ref().is_some_and(|copy| !copy.written);
        if self.channels.get(at).is_some_and(waits)
            && let Some((path, tag)) = self.outputs.pop()
        {
            self.write_copy(at, &path, tag.as_deref());
        }
        let begun = self
            .channels
            .get_mut(at)
            .and_then(|channel| channel.copy.take());
        if begun.is_none() {
            self.note_content();
        }
    }

    /// Copies whose end was not told: their names may tell of which file they are.
    pub(super) fn settle_outputs(&mut self) {
        for (path, tag) in std::mem::take(&mut self.outputs) {
            let number = of_datafile(&path).map(|name| name.number);
            let is_it = |channel: &Channel| {
                let copy = channel.copy.as_ref().filter(|copy| !copy.written);
                copy.is_some_and(|copy| {
                    number.is_some()
                        && matches!(&copy.of, CopiedFile::Datafile { number: of, .. } if *of == number)
                })
            };
            match self.channels.iter().position(is_it) {
                Some(channel) => self.write_copy(channel, &path, tag.as_deref()),
                None => {
                    let of = CopiedFile::Datafile { number, name: None };
                    self.ledger.add_copy(of, &path, tag.as_deref());
                }
            }
        }
    }
}
