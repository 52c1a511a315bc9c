//! Files from tape: each volume loaded once, its files in the order in which they stand on it.
//! What lives here: the way of a file from a tape to its place. What does not: which files (`brrestore::selection`).
//!
//! A file comes back as from disk: written beside its place, compared with the hash of its backup, renamed. An archive of
//! cpio must hold the file that the log names; what is no archive was written by dd and is taken as it is.

use std::io::{self, Read};
use std::path::Path;

use super::file::{self, RestoreError, RestoreItem};
use crate::copy::member;
use crate::interrupt::Interrupt;
use crate::prompt::Stop;
use crate::run_log::{RunLog, megabytes};
use crate::volume::settings::TapeSettings;
use crate::volume::station::{self, Station};

/// Longest head of an archive.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Brings back all items that are on tape.
pub fn bring_back(
    items: &[RestoreItem],
    settings: &TapeSettings,
    run: &station::Run,
    log: &mut RunLog,
    interrupt: &Interrupt,
) -> Result<(), Stop> {
    let mut sorted: Vec<(&RestoreItem, &str, u32)> = items
        .iter()
        .filter_map(|item| {
            let (volume, position) = item.on_tape.as_ref()?;
            Some((item, volume.as_str(), *position))
        })
        .collect();
    sorted.sort_by_key(|(_, volume, position)| (*volume, *position));
    if sorted.is_empty() {
        return Ok(());
    }
    let saved_bytes =
        |(item, ..): &(&RestoreItem, &str, u32)| item.check.map_or(0, |(_, bytes)| bytes);
    let total: u64 = sorted.iter().map(saved_bytes).sum();
    let mut station =
        Station::open(settings, 0, run, interrupt).map_err(|error| station::said(&error, log))?;
    let mut loaded: Option<&str> = None;
    let (mut done, mut bytes) = (0, 0);
    for (item, volume, position) in &sorted {
        if let Some(signal) = interrupt.signal() {
            return Err(Stop::Signal(signal));
        }
        if loaded != Some(volume) {
            if loaded.is_some() {
                station.unload(log)?;
            }
            station.mount_to_read(volume, loaded.is_none(), log)?;
            loaded = Some(volume);
        }
        bytes += one(&mut station, item, *position, log, interrupt)?;
        done += 1;
        let (brought, all) = (megabytes(bytes), megabytes(total));
        log.info(418, &[&done, &sorted.len(), &brought, &all]);
    }
    station.unload(log)
}

fn one(
    station: &mut Station,
    item: &RestoreItem,
    position: u32,
    log: &mut RunLog,
    interrupt: &Interrupt,
) -> Result<u64, Stop> {
    let failed = |log: &mut RunLog, error: RestoreError| {
        if let RestoreError::Interrupted(signal) = error {
            return Stop::Signal(signal);
        }
        if matches!(
            error,
            RestoreError::Content { .. } | RestoreError::Size { .. }
        ) {
            log.error(9027, &[&item.source.display()]);
        }
        log.error(253, &[&error]);
        log.error(359, &[&item.target.display(), &item.source.display()]);
        Stop::Failed
    };
    for directory in file::make_directories(&item.target).map_err(|error| failed(log, error))? {
        log.info(370, &[&directory.display()]);
    }
    log.info(351, &[&item.target.display()]);
    log.info(355, &[&station.drive.address().display()]);
    let name = item.original.file_name().unwrap_or_default();
    let drive = &mut station.drive;
    let outcome = drive
        .go_to(position)
        .and_then(|()| drive.read())
        .map(|mut reader| {
            let restored = restore(item, &name.to_string_lossy(), &mut reader, interrupt);
            // To the end of the file, so that the head stands behind its mark.
            let _rest = io::copy(&mut reader, &mut io::sink());
            restored
        });
    let bytes = match outcome {
        Ok(restored) => restored.map_err(|error| failed(log, error))?,
        Err(error) => {
            let stop = station::said(&error, log);
            log.error(359, &[&item.target.display(), &item.source.display()]);
            return Err(stop);
        }
    };
    log.marker("FILE", &item.target.display().to_string());
    log.marker(
        "RESTORED",
        &format!("{} {}", name.to_string_lossy(), item.source.display()),
    );
    Ok(bytes)
}

fn restore(
    item: &RestoreItem,
    name: &str,
    reader: &mut dyn Read,
    interrupt: &Interrupt,
) -> Result<u64, RestoreError> {
    let reading = |source| RestoreError::Io {
        doing: "reading",
        path: item.source.clone(),
        source,
    };
    let mut held = Vec::new();
    reader
        .take(HEAD_BYTES_MAX as u64)
        .read_to_end(&mut held)
        .map_err(reading)?;
    match member::head(&held) {
        Ok(Some(head)) if Path::new(&head.name).file_name() == Path::new(name).file_name() => {
            let early = held.split_off(head.head_bytes);
            let mut content = early.as_slice().chain(reader).take(head.bytes);
            file::restore_from(item, head.bytes, &mut content, interrupt)
        }
        Ok(Some(head)) if head.name != member::TRAILER => Err(reading(io::Error::other(format!(
            "{} stands there, not {name}",
            head.name
        )))),
        _ => {
            let bytes = item.check.map_or(0, |(_, bytes)| bytes);
            let mut content = held.as_slice().chain(reader);
            match item.check {
                Some(_) => file::restore_from(item, bytes, &mut content, interrupt),
                None => Err(reading(io::Error::other(
                    "no archive, and no hash that tells whether it is the file",
                ))),
            }
        }
    }
}
