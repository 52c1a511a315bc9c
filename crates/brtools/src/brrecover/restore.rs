//! Phases 3 and 4: control files, data files and stored logs come back from the backups.
//! What lives here: doing what the plan says, item by item. What does not: the plan.

use std::fs;
use std::path::{Path, PathBuf};

use crate::durable;
use crate::interrupt::Interrupt;
use crate::restore::file::{self, RestoreError, RestoreItem};
use crate::run_log::{RunLog, megabytes};

/// Brings items back, one after the other, each whole or not at all.
///
/// An item whose target already has the saved content is passed over, so that a run that was cut off goes on.
pub fn bring_back(
    items: &[RestoreItem],
    log: &mut RunLog,
    interrupt: &Interrupt,
) -> Result<u64, RestoreError> {
    let total: u64 = items
        .iter()
        .map(file::source_bytes)
        .sum::<Result<u64, RestoreError>>()?;
    log.info(416, &[&items.len(), &megabytes(total)]);
    let mut done = 0;
    for (index, item) in items.iter().enumerate() {
        for directory in file::make_directories(&item.target)? {
            log.info(370, &[&directory.display()]);
        }
        log.info(351, &[&item.target.display()]);
        log.info(355, &[&item.source.display()]);
        done += file::restore(item, interrupt)?;
        log.marker("FILE", &item.target.display().to_string());
        log.marker("RESTORED", &item.source.display().to_string());
        log.info(
            418,
            &[
                &(index + 1),
                &items.len(),
                &megabytes(done),
                &megabytes(total),
            ],
        );
    }
    Ok(done)
}

/// Keeps what is about to be replaced in `<sapbackup>/<action id>/`.
pub fn keep_old(
    items: &[RestoreItem],
    directory: &Path,
    log: &mut RunLog,
) -> Result<(), RestoreError> {
    let io = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| RestoreError::Io {
            doing,
            path,
            source,
        }
    };
    for (index, item) in items
        .iter()
        .enumerate()
        .filter(|(_, item)| item.target.is_file())
    {
        fs::create_dir_all(directory).map_err(io("creating directory", directory))?;
        let name = item
            .target
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let kept = directory.join(format!("{}_{name}", index + 1));
        fs::copy(&item.target, &kept)
            .and_then(|_| fs::File::open(&kept)?.sync_all())
            .and_then(|()| durable::sync_directory(directory))
            .map_err(io("keeping", &item.target))?;
        log.info(9026, &[&kept.display()]);
    }
    Ok(())
}

/// Logs that are not in the archive directory yet, so that bringing them back can be undone afterwards.
pub fn absent(items: &[RestoreItem]) -> Vec<PathBuf> {
    items
        .iter()
        .map(|item| item.target.clone())
        .filter(|path| !path.exists())
        .collect()
}

/// Takes logs away again that this run brought back: their stored copies were read and found good.
pub fn remove_again(logs: &[PathBuf], log: &mut RunLog) {
    for path in logs {
        match durable::remove(path) {
            Ok(()) => log.info(15, &[&path.display()]),
            Err(error) => {
                let hint =
                    "it is a copy of a saved log; delete it by hand or leave it to brarchive";
                log.warning(9043, &[&format!("{}: {error}", path.display()), &hint]);
            }
        }
    }
}
