//! The disaster of the demo: the instance dies, its files are deleted.
//! What lives here: these two steps, and finding a database's files. What does not: repairing it.

use std::path::{Path, PathBuf};

use super::load;
use super::narrator::{Narrator, Step, thousands};
use super::stage::{DemoError, SID, Stage, io};
use super::store::data;

/// Longest wait for a killed process to be gone.
const DEATH_SECONDS_MAX: u64 = 30;
/// Where data files and control files are, below the home.
const DIRECTORIES: [&str; 3] = ["sapdata1", "sapdata2", "sapdata3"];
/// Where online and archived redo logs are.
const REDO_DIRECTORIES: [&str; 5] = ["origlogA", "origlogB", "mirrlogA", "mirrlogB", "saparch"];

/// kill -9 of the instance, in the middle of the load.
pub fn kill_instance(stage: &mut Stage, narrator: &mut Narrator) -> Result<(), DemoError> {
    let Some(id) = stage.kill_instance() else {
        return Err(DemoError::Stuck(
            "the instance is not running, although nobody stopped it".to_string(),
        ));
    };
    stage.wait_for(
        narrator,
        "the instance to be gone",
        DEATH_SECONDS_MAX,
        |stage| stage.instance().is_none(),
    )?;
    let counters = load::stop(stage)?;
    let note = format!(
        "{} commits acknowledged, {} in doubt",
        thousands(counters.acknowledged),
        counters.in_doubt
    );
    narrator.step(
        Step::new("killed the instance under load")
            .typed(format!("kill -9 {id}"))
            .note(note),
    );
    Ok(())
}

/// Deletes every data file and every control file. The online redo logs live on other disks.
pub fn delete_files(stage: &mut Stage, narrator: &mut Narrator) -> Result<(), DemoError> {
    stage.check_interrupted()?;
    let files = database_files(stage)?;
    for (path, _) in &files {
        std::fs::remove_file(path).map_err(io("delete", path))?;
    }
    let step = Step::new("deleted all data files and control files")
        .typed("find $ORACLE_HOME/sapdata? -type f -delete")
        .bytes(files.iter().map(|(_, bytes)| bytes).sum())
        .note(format!("{} files", files.len()));
    narrator.step(step);
    Ok(())
}

/// Deletes every file of the database, redo included, and everything that lies on the mount of the store.
pub fn delete_everything(stage: &mut Stage, narrator: &mut Narrator) -> Result<(), DemoError> {
    stage.check_interrupted()?;
    let mut files = files_below(&data(stage))?;
    for directory in DIRECTORIES.iter().chain(&REDO_DIRECTORIES) {
        files.extend(files_below(&stage.home.join(directory))?);
    }
    for (path, _) in &files {
        std::fs::remove_file(path).map_err(io("delete", path))?;
    }
    let journal = stage.home.join(format!("dbs/doublewrite_{SID}.dbf"));
    std::fs::remove_file(&journal).map_err(io("delete", &journal))?;
    let home = "$ORACLE_HOME";
    let mount = data(stage).display().to_string();
    let mount = stage.narrated(&[&mount]);
    let typed = format!(
        "find {home}/sapdata? {home}/origlog? {home}/mirrlog? {home}/saparch {home}/dbs/doublewrite* {mount} -type f -delete"
    );
    let step = Step::new("deleted the database, its redo, and the mount")
        .typed(typed)
        .bytes(files.iter().map(|(_, bytes)| bytes).sum())
        .note(format!("{} files", files.len() + 1));
    narrator.step(step);
    Ok(())
}

/// Data files and control files with their sizes.
fn database_files(stage: &Stage) -> Result<Vec<(PathBuf, u64)>, DemoError> {
    let mut files = Vec::new();
    for directory in DIRECTORIES {
        files.extend(files_below(&stage.home.join(directory))?);
    }
    Ok(files)
}

/// Bytes of data files and control files.
pub fn database_bytes(stage: &Stage) -> Result<u64, DemoError> {
    Ok(database_files(stage)?
        .into_iter()
        .map(|(_, bytes)| bytes)
        .sum())
}

/// Every file below a directory with its size; none when there is no such directory.
pub fn files_below(directory: &Path) -> Result<Vec<(PathBuf, u64)>, DemoError> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_path_buf()];
    while let Some(directory) = directories.pop() {
        if !directory.exists() {
            continue;
        }
        for entry in std::fs::read_dir(&directory).map_err(io("list", &directory))? {
            let entry = entry.map_err(io("list", &directory))?;
            let kind = entry.metadata().map_err(io("look at", &entry.path()))?;
            if kind.is_dir() {
                directories.push(entry.path());
            } else if kind.is_file() {
                files.push((entry.path(), kind.len()));
            }
        }
    }
    Ok(files)
}
