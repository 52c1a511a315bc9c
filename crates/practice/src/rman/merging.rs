//! RECOVER COPY: incremental backups into image copies, in rounds, so that each file gets its own in their order.
//! What lives here: the rounds, and what is said. What does not: applying blocks (`engine`).

use std::collections::BTreeMap;
use std::path::Path;

use super::channels::{Bench, Channel, clock};
use super::choose::{self, Limit};
use super::command::Files;
use super::failure::Outcome;
use super::files;
use super::log::Line;
use super::numbers;
use super::restore_jobs::piece_lines;
use super::session::Session;
use crate::engine::backup::Order;
use crate::engine::backup_records::SetRecord;
use crate::engine::control::DatafileRecord;

/// A file and the level 1 backups that it gets, in their order.
pub(super) type Chain = (DatafileRecord, Vec<SetRecord>);

impl Session {
    /// RECOVER COPY OF … [WITH TAG].
    pub(super) fn recover_copies(&mut self, files: &Files, tag: Option<String>) -> Outcome<()> {
        self.begin("recover")?;
        let control = self.control()?;
        let limit = Limit {
            tag: tag.clone(),
            ..Limit::default()
        };
        let mut chains = Vec::new();
        let mut copies = BTreeMap::new();
        for file in files::select(&control, files)? {
            let copy = choose::newest_copy(&control, file, tag.as_deref());
            let chain = copy
                .map(|(_, state)| choose::increments(&control, file, state.checkpoint.0, &limit));
            match (copy, chain) {
                (Some((copy, _)), Some(chain)) if !chain.is_empty() => {
                    copies.insert(file.number, (copy.recid, copy.path.clone()));
                    chains.push((file.clone(), chain.into_iter().cloned().collect()));
                }
                _ => {
                    let text = format!("no copy of datafile {} found to recover", file.number);
                    self.log.say(numbers::NO_COPY_TO_RECOVER, text);
                }
            }
        }
        let copied = |file: &DatafileRecord| {
            let mut file = file.clone();
            if let Some((_, path)) = copies.get(&file.number) {
                file.path.clone_from(path);
            }
            file
        };
        let chains = chains
            .into_iter()
            .map(|(file, chain)| (copied(&file), chain))
            .collect();
        apply_in_rounds(self, chains, &|handle: &Path, files: &[DatafileRecord]| {
            Order::Merge {
                handle: handle.to_owned(),
                copies: files
                    .iter()
                    .filter_map(|file| Some((file.number, copies.get(&file.number)?.0)))
                    .collect(),
            }
        })?;
        self.finish("recover");
        Ok(())
    }
}

/// Applies the first backup of every chain, set by set on all channels, then the second, and so on.
pub(super) fn apply_in_rounds(
    session: &mut Session,
    chains: Vec<Chain>,
    order: &(dyn Fn(&Path, &[DatafileRecord]) -> Order + Sync),
) -> Outcome<()> {
    let longest = chains
        .iter()
        .map(|(_, chain)| chain.len())
        .max()
        .unwrap_or(0);
    for round in 0..longest {
        let mut sets: BTreeMap<u32, (&SetRecord, Vec<DatafileRecord>)> = BTreeMap::new();
        for (file, chain) in &chains {
            if let Some(set) = chain.get(round) {
                sets.entry(set.key)
                    .or_insert_with(|| (set, Vec::new()))
                    .1
                    .push(file.clone());
            }
        }
        let jobs: Vec<_> = sets.into_values().collect();
        session.share_out("recover", jobs, |channel, (set, files), bench| {
            apply_set(channel, set, &files, order(&set.handle, &files), bench)
        })?;
    }
    Ok(())
}

fn apply_set(
    channel: &mut Channel,
    set: &SetRecord,
    files: &[DatafileRecord],
    order: Order,
    bench: &Bench,
) -> Outcome<()> {
    let to_copies = matches!(order, Order::Merge { .. });
    let begun = std::time::Instant::now();
    bench
        .log
        .say_together(&opening(channel, set, files, to_copies));
    channel.order(order)?;
    bench
        .log
        .say_together(&piece_lines(channel, &set.handle, &set.tag));
    let elapsed = clock(begun.elapsed().as_secs());
    bench.log.say(
        numbers::RESTORE_COMPLETE,
        channel.line(format!("restore complete, elapsed time: {elapsed}")),
    );
    Ok(())
}

fn opening(
    channel: &Channel,
    set: &SetRecord,
    files: &[DatafileRecord],
    to_copies: bool,
) -> Vec<Line> {
    let what = match to_copies {
        true => "specifying datafile copies to recover",
        false => "specifying datafile(s) to restore from backup set",
    };
    let mut lines = vec![
        (
            numbers::INCREMENTAL_RESTORE,
            channel.line("starting incremental datafile backup set restore"),
        ),
        (
            if to_copies {
                numbers::SPECIFYING_COPIES
            } else {
                numbers::SPECIFYING_RESTORE
            },
            channel.line(what),
        ),
    ];
    for file in files {
        let (number, path) = (file.number, file.path.display());
        lines.push(match to_copies {
            true => (
                numbers::RECOVERING_COPY,
                format!("recovering datafile copy file number={number:05} name={path}"),
            ),
            false => (
                numbers::DESTINATION,
                format!("destination for restore of datafile {number:05}: {path}"),
            ),
        });
    }
    lines.push((
        numbers::READING_PIECE,
        channel.line(format!(
            "reading from backup piece {}",
            set.handle.display()
        )),
    ));
    lines
}
