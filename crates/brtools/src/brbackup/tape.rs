//! A backup to tape: which file goes to which drive and volume, and the volumes' way through the run.
//! What lives here: distribution, volume changes, the workers. What does not: one volume (`volume::station`).
//!
//! Each file has its place before the run begins: the drive with the least to write, and there the volume that has room.
//! Files of one tablespace are written by all drives at once; a volume is changed between two files, never within one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

use super::preflight::{Job, Plan};
use super::run::{Desk, Run, Stop};
use super::save::note_saved_at;
use crate::copy::CopyReport;
use crate::copy::stream::{StreamRequest, StreamTool};
use crate::failpoint;
use crate::interrupt::Interrupt;
use crate::messages::Message;
use crate::request::{Inbox, Request};
use crate::return_code::ReturnCode;
use crate::run_log::megabytes;
use crate::run_log::reader::DetailLog;
use crate::summary::SummaryLog;
use crate::volume::handover::Handover;
use crate::volume::pool::{self, History};
use crate::volume::settings::TapeSettings;
use crate::volume::station::{self, Failure, Station, Trailer};

/// Of each hundred bytes of `tape_size` so many are planned for files; the rest is for blocks, marks and logs.
const PLANNED_PERCENT: u64 = 95;

/// Where a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Which drive, from 0.
    pub drive: usize,
    /// Which of the volumes that are in it one after the other, from 0.
    pub volume: usize,
}

/// Names of the volumes of each drive, in their order.
pub(super) type Volumes = Vec<Vec<String>>;

/// The drives of a run, with what is in them.
#[derive(Debug)]
pub(super) struct Tapes {
    stations: Vec<Station>,
    volumes: Volumes,
    /// For each drive the volume that is in it.
    mounted: Vec<usize>,
    tool: StreamTool,
}

/// Gives each job its place and chooses the volumes. `last_bytes` come to the first drive at the end.
pub(super) fn place_jobs(
    jobs: &mut [Job],
    settings: &TapeSettings,
    last_bytes: u64,
    history: &History,
    findings: &mut Vec<Message>,
) -> Volumes {
    let room = settings.tape_bytes / 100 * PLANNED_PERCENT;
    let (largest, limit) = settings.largest_file();
    let largest = largest.min(room);
    let mut written = vec![0u64; settings.drives.len()];
    let mut filled: Vec<Vec<u64>> = vec![Vec::new(); settings.drives.len()];
    for job in jobs.iter_mut() {
        if job.bytes > largest {
            let (path, size) = (job.source.display(), megabytes(job.bytes));
            let what = format!(
                "{path} has {size} MB, {limit} allows {}",
                megabytes(largest)
            );
            let hint =
                "tape_copy_cmd = dd has no limit of its own; a file is never split over two tapes";
            findings.push(Message::error(9044, &[&what, &hint]));
        }
        let drive = (0..written.len())
            .min_by_key(|drive| written[*drive])
            .unwrap_or(0);
        let volumes = &mut filled[drive];
        fill(volumes, job.bytes, room);
        job.place = Some(Place {
            drive,
            volume: volumes.len() - 1,
        });
        written[drive] = written[drive].saturating_add(job.bytes);
    }
    // The control file, whose copies are made on the way.
    fill(&mut filled[0], last_bytes, room);
    name_volumes(&filled, settings, history, findings)
}

/// Adds to the last volume, or to a new one.
fn fill(volumes: &mut Vec<u64>, bytes: u64, room: u64) {
    match volumes.last_mut() {
        Some(filled) if filled.saturating_add(bytes) <= room => *filled += bytes,
        _ => volumes.push(bytes),
    }
}

/// The first volumes of all drives come first in the list, then the second ones.
fn name_volumes(
    filled: &[Vec<u64>],
    settings: &TapeSettings,
    history: &History,
    findings: &mut Vec<Message>,
) -> Volumes {
    let needed: usize = filled.iter().map(Vec::len).sum();
    let choice = pool::choose(settings, needed, history, crate::action_id::Stamp::now());
    if choice.taken.len() < needed {
        for rejected in &choice.rejected {
            let why = format!(
                "locked until {}, {} wrote it",
                rejected.free_on, rejected.action
            );
            findings.push(Message::info(9051, &[&rejected.volume, &why]));
        }
        findings.push(Message::error(
            105,
            &[&choice.taken.len(), &needed, &"volume_backup"],
        ));
    }
    let mut names = choice.taken.into_iter();
    let mut volumes: Volumes = vec![Vec::new(); filled.len()];
    let rounds = filled.iter().map(Vec::len).max().unwrap_or(0);
    for round in 0..rounds {
        for (drive, filled) in filled.iter().enumerate() {
            if filled.len() > round {
                volumes[drive].extend(names.next());
            }
        }
    }
    volumes
}

/// The last use of each volume, as the logs of all runs to tape tell it.
pub(super) fn history(run: &Run) -> History {
    let mut history = History::default();
    let sapbackup = &run.desk.settings.environment.sapbackup;
    // A summary log that cannot be read has stopped the run before.
    let (records, _) = SummaryLog::new(run.summary_path().to_owned())
        .read()
        .unwrap_or_default();
    for record in records
        .iter()
        .filter(|record| record.function.ends_with('t'))
    {
        let path = sapbackup.join(format!("{}.{}", record.id, record.function));
        // A log that cannot be read locks nothing; the label on the volume does.
        let Ok(detail) = DetailLog::read(&path) else {
            continue;
        };
        for saved in &detail.saved {
            if let Some((volume, _)) = saved.volume.rsplit_once('/') {
                history.note(volume, record.id);
            }
        }
    }
    history
}

/// Opens the drives and brings their first volumes in.
pub(super) fn begin(run: &mut Run, plan: &Plan) -> Result<(), Stop> {
    let Some(settings) = run.desk.settings.tape().cloned() else {
        return Ok(());
    };
    let identity = station::Run {
        id: run.desk.log.id(),
        function: run.desk.log.function().to_owned(),
        environment: run.desk.settings.environment.clone(),
        profile_path: run.desk.settings.profile_path.clone(),
        program: "BRBACKUP",
        volumes_parameter: "volume_backup",
        confirmation: run.desk.settings.confirmation,
    };
    let desk = &mut run.desk;
    let mut stations = Vec::new();
    for (index, names) in plan.volumes.iter().enumerate() {
        if names.is_empty() {
            continue; // Fewer files than drives; the places have no holes, so these come last.
        }
        let mut station = Station::open(&settings, index, &identity, &desk.interrupt)
            .map_err(|error| station::said(&error, &mut desk.log))?;
        station.mount(&names[0], true, &mut desk.log)?;
        stations.push(station);
    }
    run.desk.tapes = Some(Tapes {
        mounted: vec![0; stations.len()],
        stations,
        volumes: plan.volumes.clone(),
        tool: settings.tool,
    });
    Ok(())
}

/// What a worker tells about a job.
enum News {
    Begun(usize),
    Ended(usize, Box<Result<(u32, CopyReport), Failure>>),
}

/// Saves all jobs, each on its volume.
pub(super) fn save_files(desk: &mut Desk, jobs: &[Job]) -> Result<(), Stop> {
    let mut tapes = desk.tapes.take().expect("the drives were opened");
    let outcome = tapes.save(desk, jobs);
    desk.tapes = Some(tapes);
    outcome
}

/// Saves one file more on the last volume of the first drive.
pub(super) fn save_last(desk: &mut Desk, mut job: Job) -> Result<(), Stop> {
    let volumes = desk
        .tapes
        .as_ref()
        .map_or(1, |tapes| tapes.volumes[0].len());
    let volume = volumes.saturating_sub(1);
    job.place = Some(Place { drive: 0, volume });
    let (files, total) = (desk.progress.files, desk.progress.files_total);
    save_files(desk, &[job])?;
    // Nothing that the run needs may be left out.
    match desk.progress.files - files {
        0 if total > 0 => Err(Stop::Failed),
        _ => Ok(()),
    }
}

impl Tapes {
    fn save(&mut self, desk: &mut Desk, jobs: &[Job]) -> Result<(), Stop> {
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); self.stations.len()];
        for (index, job) in jobs.iter().enumerate() {
            let drive = job.place.map_or(0, |place| place.drive);
            waiting[drive].push(index);
        }
        loop {
            let legs: Vec<Vec<usize>> = waiting
                .iter_mut()
                .zip(&self.mounted)
                .map(|(waiting, mounted)| {
                    let volume_of =
                        |index: &usize| jobs[*index].place.map_or(0, |place| place.volume);
                    let count = waiting
                        .iter()
                        .take_while(|index| volume_of(index) == *mounted)
                        .count();
                    waiting.drain(..count).collect()
                })
                .collect();
            self.write(desk, jobs, &legs)?;
            let next: Vec<usize> = (0..waiting.len())
                .filter(|drive| !waiting[*drive].is_empty())
                .collect();
            if next.is_empty() {
                return Ok(());
            }
            for drive in next {
                self.change(desk, drive)?;
            }
        }
    }

    /// The next volume of a drive.
    fn change(&mut self, desk: &mut Desk, drive: usize) -> Result<(), Stop> {
        desk.check_interrupt()?;
        let trailer = trailer(desk);
        let station = &mut self.stations[drive];
        station.write_trailer(&trailer, &mut desk.log)?;
        station.leave(&mut desk.log)?;
        failpoint::reach("between-volumes");
        self.mounted[drive] += 1;
        let name = self.volumes[drive][self.mounted[drive]].clone();
        station.mount(&name, false, &mut desk.log)
    }

    /// All drives at once, each its own files one after the other.
    fn write(&mut self, desk: &mut Desk, jobs: &[Job], legs: &[Vec<usize>]) -> Result<(), Stop> {
        let (interrupt, inbox) = (desk.interrupt.clone(), Arc::clone(&desk.inbox));
        let give_up = AtomicBool::new(false);
        let (sender, news) = channel();
        let volumes: Vec<(String, String)> = self
            .stations
            .iter()
            .map(|station| {
                let address = station.drive.address().display().to_string();
                (station.volume().to_owned(), address)
            })
            .collect();
        std::thread::scope(|scope| {
            for (station, leg) in self.stations.iter_mut().zip(legs) {
                let worker = Worker {
                    station,
                    tool: &self.tool,
                    interrupt: &interrupt,
                    inbox: &inbox,
                    give_up: &give_up,
                    sender: sender.clone(),
                };
                scope.spawn(move || worker.work(jobs, leg));
            }
            drop(sender);
            let mut outcome = Ok(());
            for message in news {
                let taken = take_news(desk, jobs, &volumes, message);
                if let Err(stop) = taken {
                    give_up.store(true, Ordering::Relaxed);
                    outcome = outcome.and(Err(stop));
                }
            }
            outcome
        })?;
        if desk.progress.files < desk.progress.files_total && desk.is_asked_to_stop() {
            return Err(Stop::User);
        }
        Ok(())
    }
}

struct Worker<'a> {
    station: &'a mut Station,
    tool: &'a StreamTool,
    interrupt: &'a Interrupt,
    inbox: &'a Inbox,
    give_up: &'a AtomicBool,
    sender: Sender<News>,
}

impl Worker<'_> {
    fn work(self, jobs: &[Job], leg: &[usize]) {
        for index in leg {
            // Asked before each file: what is under way comes to its end, no other is begun.
            if self.give_up.load(Ordering::Relaxed) || self.inbox.request() == Request::Stop {
                return;
            }
            let job = &jobs[*index];
            // The receiver lives as long as the threads.
            let _ = self.sender.send(News::Begun(*index));
            let target = self.station.drive.address().to_owned();
            let request = StreamRequest {
                source: &job.source,
                target: &target,
                tool: self.tool,
                content: job.content,
                failpoint: Some("inside-copy"),
            };
            let outcome = self.station.save(&request, self.interrupt);
            let is_over = matches!(outcome, Err(Failure::Drive(_)));
            let _ = self.sender.send(News::Ended(*index, Box::new(outcome)));
            if is_over {
                return;
            }
        }
    }
}

fn take_news(
    desk: &mut Desk,
    jobs: &[Job],
    volumes: &[(String, String)],
    news: News,
) -> Result<(), Stop> {
    let (index, outcome) = match news {
        News::Begun(index) => {
            let job = &jobs[index];
            let drive = job.place.map_or(0, |place| place.drive);
            desk.log.info(202, &[&job.source.display()]);
            desk.log.info(203, &[&volumes[drive].1]);
            return Ok(());
        }
        News::Ended(index, outcome) => (index, outcome),
    };
    let job = &jobs[index];
    let (volume, address) = &volumes[job.place.map_or(0, |place| place.drive)];
    match *outcome {
        Ok((position, report)) => {
            let name = job.source.file_name().unwrap_or_default();
            note_saved_at(desk, job, name.as_ref(), (volume, position), &report);
            failpoint::reach("between-files");
            Ok(())
        }
        Err(failure) => {
            let stop = failure.say(&job.source, address.as_ref(), &mut desk.log);
            match &failure {
                Failure::Copy(error) if super::save::concerns_source_only(error) => Ok(()),
                _ => Err(stop),
            }
        }
    }
}

/// The logs that go to the end of each volume.
fn trailer(desk: &Desk) -> Trailer {
    let environment = &desk.settings.environment;
    let name = format!("back{}.log", environment.sid);
    let summary = SummaryLog::new(environment.sapbackup.join(&name));
    // On the volume this run is successful and not yet finished.
    let text = summary
        .text_with(desk.log.id(), ReturnCode::Unfinished, &desk.fields())
        .unwrap_or_default();
    let space = ["space", "struc", "param"].map(|kind| {
        environment
            .sapreorg
            .join(format!("{kind}{}.log", environment.sid))
    });
    Trailer {
        space: space.to_vec(),
        detail: vec![desk.log.path().to_owned()],
        summary: vec![(name, text)],
    }
}

/// Trailers, and the labels once more. With `-a` the first volume stays as it is: brarchive goes on there.
pub(super) fn end(run: &mut Run) -> Result<Option<Handover>, Stop> {
    let Some(mut tapes) = run.desk.tapes.take() else {
        return Ok(None);
    };
    let desk = &mut run.desk;
    let trailer = trailer(desk);
    let kept = match desk.settings.archive_follows {
        true => Some(tapes.stations.remove(0)),
        false => None,
    };
    for station in &mut tapes.stations {
        station.write_trailer(&trailer, &mut desk.log)?;
    }
    failpoint::reach("after-trailer");
    for station in &mut tapes.stations {
        station.leave(&mut desk.log)?;
    }
    Ok(kept.map(|station| Handover { station, trailer }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::Content;
    use crate::volume::drive::DriveAddress;
    use crate::volume::settings::tests::settings;

    fn job(bytes: u64) -> Job {
        Job {
            source: format!("/o/file{bytes}").into(),
            target: "x".into(),
            content: Content::Opaque,
            bytes,
            file: Some(1),
            place: None,
        }
    }

    fn plan(sizes: &[u64], drives: usize, volumes: &[&str]) -> (Vec<Place>, Volumes, Vec<Message>) {
        let mut settings = settings();
        settings.tape_bytes = 1000;
        settings.drives = (0..drives)
            .map(|n| DriveAddress {
                address: format!("/d{n}").into(),
                rewinding: format!("/d{n}").into(),
            })
            .collect();
        settings.volumes = volumes.iter().map(|name| (*name).to_owned()).collect();
        let mut jobs: Vec<Job> = sizes.iter().map(|bytes| job(*bytes)).collect();
        let mut findings = Vec::new();
        let volumes = place_jobs(&mut jobs, &settings, 50, &History::default(), &mut findings);
        let places = jobs.iter().map(|job| job.place.unwrap()).collect();
        (places, volumes, findings)
    }

    fn place(drive: usize, volume: usize) -> Place {
        Place { drive, volume }
    }

    #[test]
    fn a_full_volume_is_followed_by_the_next() {
        let (places, volumes, findings) = plan(&[400, 400, 400], 1, &["A", "B", "C"]);
        assert_eq!(places, [place(0, 0), place(0, 0), place(0, 1)]);
        assert_eq!(
            (volumes, findings),
            (vec![vec!["A".to_owned(), "B".to_owned()]], vec![])
        );
    }

    #[test]
    fn drives_share_the_files_and_volumes_come_round_by_round() {
        let (places, volumes, _) = plan(&[800, 700, 600, 500], 2, &["A", "B", "C", "D"]);
        assert_eq!(places, [place(0, 0), place(1, 0), place(1, 1), place(0, 1)]);
        assert_eq!(volumes, [["A", "C"], ["B", "D"]]);
    }

    #[test]
    fn too_few_volumes_and_too_large_a_file_are_found_before_anything_begins() {
        let (_, _, findings) = plan(&[900, 960], 1, &["A", "B"]);
        let numbers: Vec<u16> = findings.iter().map(Message::number).collect();
        assert_eq!(numbers, [9044, 105]);
        assert!(
            findings[1]
                .to_string()
                .contains("Only 2 free backup volumes found, 3 required")
        );
    }
}
