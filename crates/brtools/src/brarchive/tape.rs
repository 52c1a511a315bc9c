//! Offline redo logs on tape: saved one after the other, read back from the tape, and only then deleted.
//! What lives here: the volumes of a run, and when an original may go. What does not: choosing logs, and the steps of one.
//!
//! Each log is entered in `arch<SID>.log` when the drive has taken it. Behind the last one comes the trailer, then the
//! label is read again and each log of this run compared with its hash. Only a log that came back whole is entered with
//! its hash, and only with that an original is deleted: now, or by a later run.

use std::io::Read;
use std::path::{Path, PathBuf};

use oracle::redo::ArchivedLogReport;

use super::plan::{self, Item, Plan};
use super::process::{self, Place};
use super::run::{Run, Stop};
use crate::action_id::Stamp;
use crate::copy::stream::{StreamRequest, StreamTool};
use crate::copy::{Content, CopyError, member};
use crate::failpoint;
use crate::run_log::megabytes;
use crate::summary::archive::StoredCopy;
use crate::volume::handover::Handover;
use crate::volume::pool::{self, History};
use crate::volume::settings::TapeSettings;
use crate::volume::station::{self, Failure, Station, Trailer};

/// Of each hundred bytes of `tape_size` so many are filled with logs; the rest is for blocks, marks and the trailer.
const PLANNED_PERCENT: u64 = 95;

/// The volumes of a run.
#[derive(Debug)]
pub(super) struct Tapes {
    stations: Vec<Station>,
    /// Bytes that are on each by now.
    filled: Vec<u64>,
    tool: StreamTool,
    /// Of brbackup, whose volume this is.
    logs_before: Option<Trailer>,
    saved: Vec<Saved>,
    /// Originals that go when their copies were read back.
    to_delete: Vec<Item>,
    is_full: bool,
}

/// A log on a volume.
#[derive(Debug)]
struct Saved {
    item: Item,
    place: Place,
    station: usize,
    position: u32,
    name: String,
    hash: blake3::Hash,
    bytes: u64,
}

/// How many drives a plan needs.
fn drives_needed(run: &Run, plan: &Plan) -> usize {
    let writes = |item: &&Item| item.steps.save || item.steps.copy;
    let both = |item: &Item| item.steps.save && item.steps.copy;
    match () {
        // One that waits does not know yet what will come.
        () if run.settings.fill.is_some() => match run.settings.function.makes_two_copies() {
            true => 2,
            false => 1,
        },
        () if plan.items.iter().any(both) => 2,
        () if plan.items.iter().any(|item| writes(&item)) => 1,
        () => 0,
    }
}

/// Chooses the volumes, or says why there are not enough.
pub(super) fn choose(run: &mut Run, plan: &Plan) -> Result<(), Stop> {
    let Some(settings) = run.settings.tapes.clone() else {
        return Ok(());
    };
    if let Some(handover) = &run.handover {
        run.volumes = vec![handover.station.volume().to_owned()];
        return Ok(());
    }
    let needed = drives_needed(run, plan);
    let choice = pool::choose(&settings, needed, &history(run), Stamp::now());
    for rejected in choice
        .rejected
        .iter()
        .filter(|_| choice.taken.len() < needed)
    {
        let why = format!(
            "locked until {}, {} wrote it",
            rejected.free_on, rejected.action
        );
        run.log.info(9051, &[&rejected.volume, &why]);
    }
    if choice.taken.len() < needed {
        run.log
            .error(105, &[&choice.taken.len(), &needed, &"volume_archive"]);
        return Err(Stop::Failed);
    }
    run.volumes = choice.taken;
    Ok(())
}

/// The last use of each volume, as `arch<SID>.log` tells it.
fn history(run: &Run) -> History {
    let mut history = History::default();
    // What was written and never read back locks its volume all the same.
    let entries = run.summary.entries.iter();
    for copy in entries.flat_map(|entry| entry.saved.iter().chain(&entry.copied)) {
        if let Some(volume) = volume_of(copy) {
            history.note(volume, copy.id);
        }
    }
    history
}

/// The tape that a copy is on; None for one on disk, whose place is called after its run.
fn volume_of(copy: &StoredCopy) -> Option<&str> {
    let place = copy.volume.get(1..)?;
    let (volume, _) = place.rsplit_once('/')?;
    (volume != copy.id.to_string()).then_some(volume)
}

/// Brings the volumes into the drives, where any are needed.
pub(super) fn begin(run: &mut Run) -> Result<(), Stop> {
    let Some(settings) = run.settings.tapes.clone() else {
        return Ok(());
    };
    let mut tapes = Tapes {
        stations: Vec::new(),
        filled: Vec::new(),
        tool: settings.tool.clone(),
        logs_before: None,
        saved: Vec::new(),
        to_delete: Vec::new(),
        is_full: false,
    };
    match run.handover.take() {
        Some(handover) => {
            tapes.filled.push(0);
            tapes.stations.push(handover.station);
            tapes.logs_before = Some(handover.trailer);
        }
        None => open(run, &settings, &mut tapes)?,
    }
    run.tapes = Some(tapes);
    Ok(())
}

fn open(run: &mut Run, settings: &TapeSettings, tapes: &mut Tapes) -> Result<(), Stop> {
    let identity = station::Run {
        id: run.log.id(),
        function: run.log.function().to_owned(),
        environment: run.settings.environment.clone(),
        profile_path: run.settings.profile_path.clone(),
        program: "BRARCHIVE",
        volumes_parameter: "volume_archive",
        confirmation: run.settings.confirmation,
    };
    for (index, name) in run.volumes.iter().enumerate() {
        let mut station = Station::open(settings, index, &identity, &run.interrupt)
            .map_err(|error| station::said(&error, &mut run.log))?;
        station.mount(name, true, &mut run.log)?;
        tapes.stations.push(station);
        tapes.filled.push(0);
    }
    Ok(())
}

/// Whether the volume has room for no other log.
pub(super) fn is_full(run: &Run) -> bool {
    run.tapes.as_ref().is_some_and(|tapes| tapes.is_full)
}

/// Saves one log. False: it was left, and why has been said.
pub(super) fn save(
    run: &mut Run,
    item: &Item,
    report: &ArchivedLogReport,
    place: Place,
) -> Result<bool, Stop> {
    let mut tapes = run.tapes.take().expect("the drives were opened");
    let outcome = tapes.save(run, item, report, place);
    run.tapes = Some(tapes);
    outcome
}

/// Notes that an original may go when its copies were read back. False: it has none from this run.
pub(super) fn delete_later(run: &mut Run, item: &Item) -> bool {
    let Some(tapes) = &mut run.tapes else {
        return false;
    };
    let is_saved = tapes
        .saved
        .iter()
        .any(|saved| saved.item.log.path == item.log.path);
    if is_saved {
        tapes.to_delete.push(item.clone());
    }
    is_saved
}

impl Tapes {
    fn save(
        &mut self,
        run: &mut Run,
        item: &Item,
        report: &ArchivedLogReport,
        place: Place,
    ) -> Result<bool, Stop> {
        let index = match place {
            Place::Second if item.steps.save => 1,
            _ => 0,
        };
        if !self.has_room(run, index, item) || self.holds_first_copy(run, index, item, place) {
            return Ok(false);
        }
        let path = item.log.path.clone();
        let station = &mut self.stations[index];
        let address = station.drive.address().to_owned();
        run.log.info(202, &[&path.display()]);
        run.log.info(203, &[&address.display()]);
        failpoint::reach("archive-before-copy");
        let request = StreamRequest {
            source: &path,
            target: &address,
            tool: &self.tool,
            content: Content::Opaque,
            failpoint: Some("archive-inside-copy"),
        };
        let (position, copied) = match station.save(&request, &run.interrupt) {
            Ok(saved) => saved,
            Err(failure) => {
                self.is_full |= matches!(failure, Failure::Drive(_));
                let stop = failure.say(&path, &address, &mut run.log);
                let concerns_source = matches!(
                    failure,
                    Failure::Copy(
                        CopyError::Source { .. }
                            | CopyError::SourceChanged { .. }
                            | CopyError::NotRegular { .. }
                    )
                );
                return if concerns_source {
                    Ok(false)
                } else {
                    Err(stop)
                };
            }
        };
        self.filled[index] = self.filled[index].saturating_add(copied.bytes);
        let volume = station.volume().to_owned();
        failpoint::reach("archive-before-summary");
        let kind = match &self.tool {
            StreamTool::Cpio { .. } => '#',
            StreamTool::Dd { .. } => '$',
        };
        let copy = StoredCopy {
            id: run.log.id(),
            function: run.log.function().to_owned(),
            volume: format!("{kind}{volume}/{position}"),
            end: Stamp::now().to_string(),
            stored: None,
            is_unread: true,
        };
        process::enter(run, item, report, place, copy);
        run.write_summary()?;
        let name = item.log.name();
        let check = (&copied.hash, copied.bytes);
        run.log
            .saved_on("ARCHIVE", &path, name.as_ref(), (&volume, position), check);
        self.saved.push(Saved {
            item: item.clone(),
            place,
            station: index,
            position,
            name,
            hash: copied.hash,
            bytes: copied.bytes,
        });
        Ok(true)
    }

    /// There is no going on on a second volume: what does not fit is left for the next run.
    fn has_room(&mut self, run: &mut Run, index: usize, item: &Item) -> bool {
        let room = run
            .settings
            .tapes
            .as_ref()
            .map_or(0, |tapes| tapes.tape_bytes / 100 * PLANNED_PERCENT);
        if self.filled[index].saturating_add(item.log.bytes) <= room {
            return true;
        }
        if !self.is_full {
            self.is_full = true;
            let volume = self.stations[index].volume().to_owned();
            run.log.info(
                9045,
                &[&format!(
                    "volume {volume} has room for no other log (tape_size, {} MB written): the others are left for the next run",
                    megabytes(self.filled[index])
                )],
            );
        }
        false
    }

    /// Two copies on one volume are lost together.
    fn holds_first_copy(&self, run: &mut Run, index: usize, item: &Item, place: Place) -> bool {
        let volume = self.stations[index].volume();
        let entry = plan::entry_of(&run.summary, &item.log);
        let is_same = place == Place::Second
            && entry
                .and_then(|entry| entry.saved.as_ref())
                .and_then(volume_of)
                == Some(volume);
        if is_same {
            let what = format!(
                "volume {volume} holds the first copy of {}: a second one there would be lost with it",
                item.log.path.display()
            );
            run.log
                .error(9044, &[&what, &"load another volume, or name one with -v"]);
        }
        is_same
    }

    /// Trailers, labels, reading back, deletions. With an error before, what is on the volumes is still read back.
    fn end(mut self, run: &mut Run) -> Result<(), Stop> {
        let trailer = self.trailer(run);
        let mut outcome = Ok(());
        for index in 0..self.stations.len() {
            let station = &mut self.stations[index];
            // A volume that is full takes no trailer; its logs are good without.
            if !(self.is_full && outcome.is_err()) {
                outcome = outcome.and(station.write_trailer(&trailer, &mut run.log));
            }
            failpoint::reach("after-trailer");
            station.recheck(&mut run.log)?;
            outcome = outcome.and(self.read_back(run, index));
        }
        for item in std::mem::take(&mut self.to_delete) {
            if let Some(signal) = run.interrupt.signal() {
                outcome = outcome.and(Err(Stop::Signal(signal)));
                break;
            }
            process::delete(run, &item)?;
        }
        for station in &mut self.stations {
            outcome = outcome.and(station.unload(&mut run.log));
        }
        outcome
    }

    fn trailer(&mut self, run: &Run) -> Trailer {
        let environment = &run.settings.environment;
        let name = format!("arch{}.log", environment.sid);
        let mut trailer = self.logs_before.take().unwrap_or_default();
        trailer.detail.push(run.log.path().to_owned());
        let text = std::fs::read_to_string(run.summary.path()).unwrap_or_default();
        trailer.summary.push((name, text));
        trailer
    }

    /// Compares what is on a volume with what was written to it.
    fn read_back(&mut self, run: &mut Run, index: usize) -> Result<(), Stop> {
        let mut outcome = Ok(());
        let station = &mut self.stations[index];
        for saved in self.saved.iter().filter(|saved| saved.station == index) {
            if let Some(signal) = run.interrupt.signal() {
                return Err(Stop::Signal(signal));
            }
            let found = station
                .drive
                .go_to(saved.position)
                .and_then(|()| station.drive.read())
                .map_err(|error| error.to_string())
                .and_then(|mut reader| {
                    let found = content_hash(&mut reader, &self.tool, &saved.name);
                    // To the end of the file, so that the head stands behind its mark.
                    let _rest = std::io::copy(&mut reader, &mut std::io::sink());
                    found
                });
            let is_whole = found.as_ref() == Ok(&(saved.hash, saved.bytes));
            let Some(entry) = plan::entry_mut(&mut run.summary, &saved.item.log) else {
                continue;
            };
            let copy = match saved.place {
                Place::First => &mut entry.saved,
                Place::Second => &mut entry.copied,
            };
            match (is_whole, copy) {
                (true, Some(copy)) => {
                    let place = PathBuf::from(&saved.name);
                    copy.stored = Some((saved.hash, saved.bytes, place));
                    copy.is_unread = false;
                }
                (_, copy) => {
                    *copy = None;
                    let place = format!("{}/{}", station.volume(), saved.position);
                    run.log
                        .error(9013, &[&place, &saved.item.log.path.display()]);
                    if let Err(why) = found {
                        run.log.info(9045, &[&why]);
                    }
                    outcome = Err(Stop::Failed);
                }
            }
        }
        run.write_summary()?;
        outcome
    }
}

/// Hash and length of the one file in an archive, or of the bare content.
fn content_hash(
    reader: &mut dyn Read,
    tool: &StreamTool,
    name: &str,
) -> Result<(blake3::Hash, u64), String> {
    let mut hasher = blake3::Hasher::new();
    let unread = |error: std::io::Error| error.to_string();
    let bytes = match tool {
        StreamTool::Dd { .. } => std::io::copy(reader, &mut hasher).map_err(unread)?,
        StreamTool::Cpio { .. } => {
            let content = member::content(reader, Some(name)).map_err(|error| error.to_string())?;
            let bytes = content.bytes;
            let read = std::io::copy(&mut content.reader(reader), &mut hasher).map_err(unread)?;
            if read != bytes {
                return Err(format!("it ends after {read} of {bytes} bytes"));
            }
            read
        }
    };
    Ok((hasher.finalize(), bytes))
}

/// Ends with the volumes, whatever became of the logs.
pub(super) fn end(run: &mut Run, outcome: Result<(), Stop>) -> Result<(), Stop> {
    if run.tapes.is_none()
        && let Some(handover) = run.handover.take()
    {
        // Nothing came to the volume of brbackup: it gets its trailer all the same.
        return outcome.and(finish_volume(run, handover));
    }
    let Some(tapes) = run.tapes.take() else {
        return outcome;
    };
    if tapes.stations.is_empty() {
        let mut deleted = Ok(());
        for item in &tapes.to_delete {
            deleted = deleted.and(process::delete(run, item));
        }
        return outcome.and(deleted);
    }
    // The first thing that went wrong is the one that counts.
    let ended = tapes.end(run);
    outcome.and(ended)
}

fn finish_volume(run: &mut Run, handover: Handover) -> Result<(), Stop> {
    let Handover {
        mut station,
        trailer,
    } = handover;
    station.write_trailer(&trailer, &mut run.log)?;
    station.leave(&mut run.log)
}

/// Whether a copy is on a tape and was read back from there.
pub(super) fn is_proven(copy: &StoredCopy) -> bool {
    let is_on_tape = |path: &Path| path.is_relative();
    copy.stored
        .as_ref()
        .is_some_and(|(_, _, path)| is_on_tape(path))
}
