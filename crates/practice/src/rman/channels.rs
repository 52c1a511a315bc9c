//! Channels: sessions of the server that work side by side.
//! What lives here: allocating and releasing them, and sharing jobs out. What does not: what a job is.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::failure::{Failure, Outcome};
use super::log::Log;
use super::numbers;
use super::session::Session;
use super::target::{Target, is_lost};
use crate::engine::backup::{Done, Order};

/// Most channels of one run.
const CHANNELS_MAX: usize = 64;

/// One channel.
pub(super) struct Channel {
    pub name: String,
    /// FORMAT of what it writes.
    pub format: Option<String>,
    target: Target,
}

impl Channel {
    /// Gives an order and waits for its end.
    pub fn order(&mut self, order: Order) -> Outcome<Done> {
        Ok(self.target.order(order)?)
    }

    /// A line of this channel.
    pub fn line(&self, text: impl AsRef<str>) -> String {
        format!("channel {}: {}", self.name, text.as_ref())
    }
}

/// What a job needs besides its channel.
pub(super) struct Bench<'a> {
    pub log: &'a Log,
    pub date_format: &'a str,
}

impl Session {
    /// ALLOCATE CHANNEL.
    ///
    /// # Errors
    /// RMAN-06038-like for a name that is taken, ORA-01034.
    pub fn allocate(&mut self, name: &str, format: Option<String>) -> Outcome<()> {
        if !self.in_run {
            return Err(Failure::new(
                3031,
                "this option of set command needs to be used inside a run block",
            ));
        }
        self.drop_automatic();
        if self
            .channels
            .iter()
            .any(|channel| channel.name.eq_ignore_ascii_case(name))
        {
            return Err(Failure::new(
                6039,
                format!("channel {name} is already allocated"),
            ));
        }
        self.say_repository();
        self.open_channel(name, format)?;
        self.log.plain("");
        Ok(())
    }

    fn open_channel(&mut self, name: &str, format: Option<String>) -> Outcome<()> {
        if self.channels.len() >= CHANNELS_MAX {
            return Err(Failure::new(
                6040,
                format!("more than {CHANNELS_MAX} channels"),
            ));
        }
        self.target()?;
        let target = Target::open(&self.home)?;
        let mut target = target
            .ok_or_else(|| Failure::new(6403, "could not obtain a fully authorized session"))?;
        let session = target.describe()?.session;
        self.log.say_together(&[
            (numbers::ALLOCATED, format!("allocated channel: {name}")),
            (
                numbers::CHANNEL_SESSION,
                format!("channel {name}: SID={session} device type=DISK"),
            ),
        ]);
        self.channels.push(Channel {
            name: name.to_owned(),
            format,
            target,
        });
        Ok(())
    }

    /// RELEASE CHANNEL.
    pub fn release(&mut self, name: Option<&str>) -> Outcome<()> {
        let Some(name) = name else {
            self.release_allocated();
            return Ok(());
        };
        let position = self
            .channels
            .iter()
            .position(|channel| channel.name.eq_ignore_ascii_case(name));
        let position =
            position.ok_or_else(|| Failure::new(6012, format!("channel: {name} not allocated")))?;
        let channel = self.channels.remove(position);
        self.log.say(
            numbers::RELEASED,
            format!("released channel: {}", channel.name),
        );
        Ok(())
    }

    /// Releases what RUN has allocated. Channels of RMAN's own choice stay for the next command.
    pub fn release_allocated(&mut self) {
        if self.automatic {
            return;
        }
        for channel in self.channels.drain(..) {
            self.log.say(
                numbers::RELEASED,
                format!("released channel: {}", channel.name),
            );
        }
    }

    fn drop_automatic(&mut self) {
        if std::mem::replace(&mut self.automatic, false) {
            self.channels.clear();
        }
    }

    /// Closes all channels without a word, as before SHUTDOWN.
    pub fn close_channels(&mut self) {
        self.channels.clear();
        self.automatic = false;
    }

    /// Sees to it that there are channels: those that were allocated, or RMAN's own as configured.
    pub fn want_channels(&mut self) -> Outcome<()> {
        if self.automatic {
            for channel in &self.channels {
                self.log.say(
                    numbers::USING_CHANNEL,
                    format!("using channel {}", channel.name),
                );
            }
        }
        if !self.channels.is_empty() {
            return Ok(());
        }
        let (count, formats) = self.configured_channels()?;
        self.automatic = true;
        for (number, format) in (1..=count).zip(formats) {
            self.open_channel(&format!("ORA_DISK_{number}"), format)?;
        }
        Ok(())
    }

    /// Shares jobs out among the channels and waits until all are done.
    ///
    /// A job that fails does not stop the others; the first failure is what the command fails with.
    pub fn share_out<J: Send>(
        &mut self,
        command: &str,
        jobs: Vec<J>,
        work: impl Fn(&mut Channel, J, &Bench) -> Outcome<()> + Sync,
    ) -> Outcome<()> {
        let bench = Bench {
            log: &self.log,
            date_format: &self.date_format,
        };
        let several = jobs.len() > 1;
        let queue = Mutex::new(VecDeque::from(jobs));
        let failures = Mutex::new(Vec::new());
        let take = || queue.lock().expect("jobs are only taken").pop_front();
        std::thread::scope(|scope| {
            for channel in &mut self.channels {
                let (take, work, bench, failures) = (&take, &work, &bench, &failures);
                scope.spawn(move || {
                    while let Some(job) = take() {
                        let Err(failure) = work(channel, job, bench) else {
                            continue;
                        };
                        let lost = is_lost(&failure);
                        let failure = failure.on_channel(command, &channel.name);
                        if several {
                            failure.print_lines(bench.log);
                            let text = "continuing other job steps, job failed will not be re-run";
                            bench.log.say(numbers::JOB_NOT_RERUN, text);
                        }
                        failures
                            .lock()
                            .expect("failures are only pushed")
                            .push(failure);
                        if lost {
                            return;
                        }
                    }
                });
            }
        });
        let mut failures = failures.into_inner().expect("all channels have ended");
        if !failures.is_empty() {
            return Err(failures.remove(0));
        }
        match take() {
            None => Ok(()),
            // Every channel was lost.
            Some(_) => Err(Failure::new(
                3015,
                "error occurred in stored script: no channel is left for a job",
            )),
        }
    }
}

/// Seconds as `hh:mm:ss`.
pub(super) fn clock(seconds: u64) -> String {
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}
