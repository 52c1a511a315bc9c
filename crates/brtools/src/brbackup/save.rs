//! Copying a list of files, several at once where asked for, with their lines in the log.
//! What lives here: the workers and the lines of each file. What does not: which files, and in which state the database is.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use super::preflight::Job;
use super::run::{Desk, Stop};
use crate::copy::{self, CopyError, CopyReport, CopyRequest, CopyTool, require_space};
use crate::failpoint;
use crate::interrupt::Interrupt;
use crate::request::Request;
use crate::run_log::megabytes;

/// What a worker tells about a job.
enum News {
    Begun(usize),
    Ended(usize, Box<Result<CopyReport, CopyError>>),
}

/// Copies all jobs. One that fails for its own reasons is reported and the others go on; one that fails for the target's
/// sake stops the run.
pub(super) fn save_files(desk: &mut Desk, jobs: &[Job]) -> Result<(), Stop> {
    if desk.tapes.is_some() {
        return super::tape::save_files(desk, jobs);
    }
    let workers = desk.settings.parallel.clamp(1, jobs.len().max(1));
    let tool = desk.settings.tool.clone();
    let (interrupt, inbox) = (desk.interrupt.clone(), Arc::clone(&desk.inbox));
    let queue = Mutex::new(jobs.iter().enumerate());
    let give_up = AtomicBool::new(false);
    let (sender, news) = channel();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, queue, give_up) = (sender.clone(), &queue, &give_up);
            let (tool, interrupt, inbox) = (&tool, &interrupt, &inbox);
            scope.spawn(move || {
                // Asked before each copy: what is under way comes to its end, no other is begun.
                while !give_up.load(Ordering::Relaxed) && inbox.request() != Request::Stop {
                    let next = queue.lock().ok().and_then(|mut queue| queue.next());
                    let Some((index, job)) = next else { return };
                    // The receiver lives as long as this scope.
                    let _ = sender.send(News::Begun(index));
                    let _ = sender.send(News::Ended(index, Box::new(copy(job, tool, interrupt))));
                }
            });
        }
        drop(sender);
        let mut outcome = Ok(());
        for message in news {
            if let Err(stop) = take_news(desk, jobs, message) {
                give_up.store(true, Ordering::Relaxed);
                outcome = outcome.and(Err(stop));
            }
        }
        outcome.and_then(|()| stop_if_asked(desk))
    })
}

/// With all files saved there is nothing left to stop.
fn stop_if_asked(desk: &Desk) -> Result<(), Stop> {
    if desk.progress.files < desk.progress.files_total && desk.is_asked_to_stop() {
        return Err(Stop::User);
    }
    Ok(())
}

fn copy(job: &Job, tool: &CopyTool, interrupt: &Interrupt) -> Result<CopyReport, CopyError> {
    require_space(job.target.parent().unwrap_or(&job.target), job.bytes)?;
    let request = CopyRequest {
        source: &job.source,
        target: &job.target,
        tool,
        content: job.content,
        failpoint: Some("inside-copy"),
    };
    copy::copy_file(&request, interrupt)
}

fn take_news(desk: &mut Desk, jobs: &[Job], news: News) -> Result<(), Stop> {
    let (index, outcome) = match news {
        News::Begun(index) => {
            let job = &jobs[index];
            desk.log.info(202, &[&job.source.display()]);
            desk.log.info(203, &[&job.target.display()]);
            return Ok(());
        }
        News::Ended(index, outcome) => (index, outcome),
    };
    let job = &jobs[index];
    match *outcome {
        Ok(report) => {
            note_saved(desk, job, &report);
            failpoint::reach("between-files");
            Ok(())
        }
        Err(CopyError::Interrupted { signal }) => Err(Stop::Signal(signal)),
        Err(error) => {
            copy::report::failure(&mut desk.log, &job.source, &job.target, &error);
            if concerns_source_only(&error) {
                Ok(())
            } else {
                Err(Stop::Failed)
            }
        }
    }
}

/// Enters a finished copy on disk in the log. From here on a restore may find it, if the run ends well.
pub(super) fn note_saved(desk: &mut Desk, job: &Job, report: &CopyReport) {
    let (volume, position) = (desk.log.id().to_string(), desk.progress.position);
    desk.progress.position += 1;
    note_saved_at(desk, job, &job.target, (&volume, position), report);
}

/// Enters a finished copy in the log, with its volume and position there.
pub(super) fn note_saved_at(
    desk: &mut Desk,
    job: &Job,
    copy: &Path,
    place: (&str, u32),
    report: &CopyReport,
) {
    let check = (&report.hash, report.bytes);
    desk.log.saved_on("FILE", &job.source, copy, place, check);
    copy::report::success(&mut desk.log, &job.source, report);
    desk.progress.files += 1;
    desk.progress.bytes += report.bytes;
    let progress = desk.progress;
    desk.log.info(
        63,
        &[
            &progress.files,
            &progress.files_total,
            &megabytes(progress.bytes),
            &megabytes(progress.bytes_total),
        ],
    );
}

/// Whether the next file may still succeed.
pub(super) fn concerns_source_only(error: &CopyError) -> bool {
    matches!(
        error,
        CopyError::Source { .. }
            | CopyError::NotRegular { .. }
            | CopyError::SourceChanged { .. }
            | CopyError::Damaged { .. }
    )
}
