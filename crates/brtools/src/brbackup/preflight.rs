//! Everything that can be known to fail is looked at before anything begins, and all of it is said at once.
//! What lives here: the checks, and the plan that they leave. What does not: carrying it out.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::run::{Run, Stop};
use super::selection::{self, Selection};
use super::settings::BackupType;
use super::tape::{self, Place, Volumes};
use crate::copy::report::split_hint;
use crate::copy::{Content, free_bytes};
use crate::database::{ArchiveLogList, Datafile, Identity, Inventory, Tablespace};
use crate::durable;
use crate::messages::Message;
use crate::run_log::megabytes;

/// Room for logs and profiles, and for the file system's own needs, in each directory.
const RESERVE_BYTES: u64 = 1 << 20;

/// What will be saved, and where to.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub identity: Identity,
    pub inventory: Inventory,
    pub selection: Selection,
    /// Absent for an offline backup of a database in NOARCHIVELOG mode.
    pub archive_log_list: Option<ArchiveLogList>,
    /// Copies of data files, in the order of the selection; for an offline backup, of the other files after them.
    pub jobs: Vec<Job>,
    /// For each drive the volumes that come into it.
    pub volumes: Volumes,
    /// Of this run, one below each root.
    directories: Vec<PathBuf>,
}

impl Plan {
    /// The first directory: control files, profiles and logs go there.
    pub(super) fn directory(&self) -> &Path {
        self.directories
            .first()
            .map_or(Path::new("."), PathBuf::as_path)
    }
}

/// One file to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub source: PathBuf,
    pub target: PathBuf,
    pub content: Content,
    pub bytes: u64,
    /// FILE# of a data file.
    pub file: Option<u32>,
    /// Of a backup to tape.
    pub place: Option<Place>,
}

/// Looks at everything and makes the plan, or reports all that stands against it.
pub(super) fn plan(run: &mut Run) -> Result<Plan, Stop> {
    let identity = run
        .database
        .identity()
        .map_err(|error| run.desk.refused("identity", &error))?;
    let inventory = match run.database.inventory() {
        Ok(inventory) => inventory,
        Err(error) => {
            let stop = run.desk.refused("inventory", &error);
            run.desk.log.error(314, &[]);
            return Err(stop);
        }
    };
    let archive_log_list = archive_log_list(run, &identity)?;
    let mut findings = Vec::new();
    check_archiving(run, &identity, archive_log_list.as_ref(), &mut findings)?;
    let selection = match selection::select(&run.desk.settings.objects, &inventory) {
        Ok(selection) => selection,
        Err(error) => {
            let (what, hint) = split_hint(&error.to_string());
            findings.push(Message::error(9044, &[&what, &hint]));
            Selection {
                tablespaces: Vec::new(),
                is_whole: false,
            }
        }
    };
    check_backup_mode(run, &selection, &mut findings)?;
    check_online(run.desk.settings.backup_type, &selection, &mut findings);
    check_sources(&selection, &mut findings);
    let mut jobs = plan_jobs(run.desk.settings.backup_type, &inventory, &selection);
    let last_bytes = control_file_bytes(&inventory);
    let (mut directories, mut volumes) = (Vec::new(), Volumes::new());
    match run.desk.settings.tape() {
        Some(tapes) => {
            let history = tape::history(run);
            volumes = tape::place_jobs(&mut jobs, tapes, last_bytes, &history, &mut findings);
        }
        None => {
            directories = make_directories(run, &mut findings);
            place_jobs(&mut jobs, &directories, last_bytes, &mut findings);
        }
    }
    if findings.is_empty() {
        run.desk.progress.files_total = jobs.len();
        run.desk.progress.bytes_total = jobs.iter().map(|job| job.bytes).sum();
        return Ok(Plan {
            identity,
            inventory,
            selection,
            archive_log_list,
            jobs,
            volumes,
            directories,
        });
    }
    findings
        .iter()
        .for_each(|finding| run.desk.log.message(finding));
    remove_directories(&directories);
    Err(Stop::Failed)
}

/// Takes back what planning has made.
pub(super) fn withdraw(plan: &Plan) {
    remove_directories(&plan.directories);
}

fn remove_directories(directories: &[PathBuf]) {
    // Empty directories of a run that saved nothing would only confuse; one that is not empty is not ours to remove.
    directories
        .iter()
        .for_each(|directory| drop(fs::remove_dir(directory)));
}

fn archive_log_list(run: &mut Run, identity: &Identity) -> Result<Option<ArchiveLogList>, Stop> {
    if !identity.archivelog {
        return Ok(None);
    }
    match run.database.archive_log_list() {
        Ok(list) => {
            run.desk.progress.log_sequence = list.current.get();
            Ok(Some(list))
        }
        Err(error) => {
            let stop = run.desk.refused("archive log list", &error);
            let sid = run.desk.settings.environment.sid.clone();
            run.desk.log.error(323, &[&sid]);
            Err(stop)
        }
    }
}

/// An online backup needs its redo, so what would keep the last log from being archived is found now.
fn check_archiving(
    run: &mut Run,
    identity: &Identity,
    list: Option<&ArchiveLogList>,
    findings: &mut Vec<Message>,
) -> Result<(), Stop> {
    if run.desk.settings.backup_type != BackupType::Online {
        return Ok(());
    }
    if !identity.archivelog {
        findings.push(Message::error(9040, &[]));
        return Ok(());
    }
    let mut note = |what: &str, hint: &str| findings.push(Message::error(9044, &[&what, &hint]));
    if list.is_some_and(|list| !list.automatic) {
        let hint =
            "ALTER SYSTEM ARCHIVE LOG START, and log_archive_start = true in the parameter file";
        note(
            "automatic archival is off: the log switch at the end would not archive",
            hint,
        );
    }
    let errors = run
        .database
        .archive_errors()
        .map_err(|error| run.desk.refused("v$archive_dest", &error))?;
    for (destination, error) in errors {
        let what = format!("archive destination {destination} has an error: {error}");
        note(
            &what,
            "free space there (brarchive -sd), or correct the destination: the archiver is stuck",
        );
    }
    Ok(())
}

/// Somebody else's backup mode forbids ours; nothing of it is touched.
fn check_backup_mode(
    run: &mut Run,
    selection: &Selection,
    findings: &mut Vec<Message>,
) -> Result<(), Stop> {
    let states = run
        .database
        .backup_states()
        .map_err(|error| run.desk.refused("v$backup", &error))?;
    for chosen in &selection.tablespaces {
        for file in &chosen.tablespace.files {
            if states
                .iter()
                .any(|state| state.file == file.number && state.is_active())
            {
                findings.push(Message::error(
                    328,
                    &[&file.path.display(), &chosen.tablespace.name],
                ));
            }
        }
    }
    Ok(())
}

/// A file in need of recovery is an old state, whose redo may be older than this backup. One that is offline beside
/// others of its tablespace keeps them all from going into backup mode. A whole tablespace that is offline is at rest
/// and can be copied.
fn check_online(backup_type: BackupType, selection: &Selection, findings: &mut Vec<Message>) {
    for chosen in &selection.tablespaces {
        let in_backup_mode =
            backup_type == BackupType::Online && chosen.tablespace.needs_backup_mode();
        let files = match in_backup_mode {
            true => &chosen.tablespace.files, // BEGIN BACKUP concerns all of them.
            false => &chosen.files,
        };
        for file in files {
            let (state, hint) = match file.status.as_str() {
                "RECOVER" => (
                    "is offline and needs recovery",
                    format!(
                        "RECOVER DATAFILE {0}; then ALTER DATABASE DATAFILE {0} ONLINE. Or brrecover -t complete, which shuts the database down for it",
                        file.number
                    ),
                ),
                "OFFLINE" if in_backup_mode => (
                    "is offline, so its tablespace cannot go into backup mode",
                    format!("ALTER DATABASE DATAFILE {} ONLINE", file.number),
                ),
                _ => continue,
            };
            let (number, path) = (file.number, file.path.display());
            let tablespace = &chosen.tablespace.name;
            let what = format!("data file {number} of tablespace {tablespace}, {path} {state}");
            findings.push(Message::error(9044, &[&what, &hint]));
        }
    }
}

fn check_sources(selection: &Selection, findings: &mut Vec<Message>) {
    for (_, file) in selection.files() {
        let path = &file.path;
        match fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                findings.push(Message::error(80, &[&path.display()]))
            }
            Ok(metadata) if !metadata.is_file() => {
                let hint = "only files of a file system can be copied to disk";
                findings.push(Message::error(
                    9044,
                    &[&format!("{} is no regular file", path.display()), &hint],
                ));
            }
            _ => {
                if let Err(error) = File::open(path) {
                    let what = format!("{} cannot be read: {error}", path.display());
                    findings.push(Message::error(
                        9044,
                        &[
                            &what,
                            &"this user needs read permission on all files of the database",
                        ],
                    ));
                }
            }
        }
    }
}

/// Creates the directory of this run below each root. That it can be created is the check that it can be written.
fn make_directories(run: &Run, findings: &mut Vec<Message>) -> Vec<PathBuf> {
    let mut made = Vec::new();
    for root in &run.desk.settings.root_directories {
        if !root.is_dir() {
            findings.push(Message::error(
                282,
                &[&root.display(), &"create it, or correct backup_root_dir"],
            ));
            continue;
        }
        let directory = run.desk.directory(root);
        match fs::create_dir(&directory).and_then(|()| durable::sync_directory(root)) {
            Ok(()) => made.push(directory),
            Err(error) => findings.push(Message::error(9041, &[&directory.display(), &error])),
        }
    }
    made
}

fn plan_jobs(backup_type: BackupType, inventory: &Inventory, selection: &Selection) -> Vec<Job> {
    let files: Vec<(&Tablespace, &Datafile)> = selection.files().collect();
    let names = selection::target_names(files.iter().map(|(_, file)| *file));
    let mut jobs: Vec<Job> = files
        .iter()
        .zip(names)
        .map(|((tablespace, file), (_, name))| Job {
            source: file.path.clone(),
            target: PathBuf::from(name),
            content: content(backup_type, tablespace, file),
            bytes: file.bytes_on_disk(),
            file: Some(file.number),
            place: None,
        })
        .collect();
    if backup_type == BackupType::Offline && selection.is_whole {
        jobs.extend(closed_files(inventory));
    }
    jobs
}

fn content(backup_type: BackupType, tablespace: &Tablespace, file: &Datafile) -> Content {
    let block_bytes = file.block_size;
    if backup_type == BackupType::Online && tablespace.needs_backup_mode() {
        Content::DatafileInBackupMode { block_bytes }
    } else {
        Content::DatafileAtRest { block_bytes }
    }
}

/// What only a closed database lets copy: one member of every redo group, one control file.
fn closed_files(inventory: &Inventory) -> Vec<Job> {
    let job = |source: &Path, name: String, bytes| Job {
        source: source.to_owned(),
        target: PathBuf::from(name),
        content: Content::Opaque,
        bytes,
        file: None,
        place: None,
    };
    let base = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let mut jobs = Vec::new();
    for group in &inventory.redo_groups {
        if let Some(member) = group
            .members
            .iter()
            .find(|member| File::open(member).is_ok())
            .or(group.members.first())
        {
            jobs.push(job(member, base(member), size_on_disk(member, group.bytes)));
        }
    }
    if let Some(file) = inventory.control_files.first() {
        jobs.push(job(
            &file.path,
            base(&file.path),
            size_on_disk(&file.path, file.bytes),
        ));
    }
    jobs
}

fn size_on_disk(path: &Path, otherwise: u64) -> u64 {
    fs::metadata(path).map_or(otherwise, |metadata| metadata.len())
}

/// Two copies are kept of an online backup: an early and a late one.
fn control_file_bytes(inventory: &Inventory) -> u64 {
    inventory
        .control_files
        .first()
        .map_or(0, |file| size_on_disk(&file.path, file.bytes))
        .saturating_mul(2)
}

/// Gives every job its directory: the one with the least to write of those with room. Directories on one file system
/// share its room. Names that meet again because of that are told apart by the file id already.
fn place_jobs(
    jobs: &mut [Job],
    directories: &[PathBuf],
    first_needs: u64,
    findings: &mut Vec<Message>,
) {
    let Some(first) = directories.first() else {
        return;
    };
    let mut rooms = Rooms::new(directories);
    rooms.take(0, first_needs.saturating_add(RESERVE_BYTES));
    for job in jobs {
        let chosen = rooms.choose(job.bytes);
        rooms.take(chosen, job.bytes);
        job.target = directories.get(chosen).unwrap_or(first).join(&job.target);
    }
    for (directory, missing) in rooms.missing(directories) {
        findings.push(Message::error(
            227,
            &[&directory.display(), &megabytes(missing)],
        ));
    }
}

/// Free room per file system, and load per directory.
struct Rooms {
    /// For each directory its file system, as an index into `free`.
    file_system: Vec<usize>,
    free: Vec<(u64, i128)>,
    load: Vec<u64>,
}

impl Rooms {
    fn new(directories: &[PathBuf]) -> Rooms {
        let mut rooms = Rooms {
            file_system: Vec::new(),
            free: Vec::new(),
            load: vec![0; directories.len()],
        };
        for directory in directories {
            let device = fs::metadata(directory).map_or(0, |metadata| metadata.dev());
            let known = rooms.free.iter().position(|(known, _)| *known == device);
            rooms.file_system.push(known.unwrap_or(rooms.free.len()));
            if known.is_none() {
                // One that cannot be asked has no room, which is then said.
                rooms
                    .free
                    .push((device, i128::from(free_bytes(directory).unwrap_or(0))));
            }
        }
        rooms
    }

    fn choose(&self, bytes: u64) -> usize {
        let has_room = |index: &usize| self.free[self.file_system[*index]].1 >= i128::from(bytes);
        let least_loaded = |candidates: &mut dyn Iterator<Item = usize>| {
            candidates.min_by_key(|index| self.load[*index])
        };
        let all = 0..self.load.len();
        least_loaded(&mut all.clone().filter(has_room))
            .or_else(|| least_loaded(&mut all.clone()))
            .unwrap_or(0)
    }

    fn take(&mut self, index: usize, bytes: u64) {
        self.load[index] = self.load[index].saturating_add(bytes);
        self.free[self.file_system[index]].1 -= i128::from(bytes);
    }

    fn missing<'a>(
        &'a self,
        directories: &'a [PathBuf],
    ) -> impl Iterator<Item = (&'a PathBuf, u64)> {
        let of = |(index, (_, free)): (usize, &(u64, i128))| {
            let directory = self
                .file_system
                .iter()
                .position(|file_system| *file_system == index)?;
            let missing = u64::try_from(-free).ok().filter(|missing| *missing > 0)?;
            Some((&directories[directory], missing))
        };
        self.free.iter().enumerate().filter_map(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, bytes: u64) -> Job {
        Job {
            source: "/o/x".into(),
            target: name.into(),
            content: Content::Opaque,
            bytes,
            file: None,
            place: None,
        }
    }

    #[test]
    fn files_are_spread_over_the_directories_by_size() {
        let root = tempfile::tempdir().unwrap();
        let directories: Vec<PathBuf> = ["a", "b"]
            .iter()
            .map(|name| root.path().join(name))
            .collect();
        directories
            .iter()
            .for_each(|directory| fs::create_dir(directory).unwrap());
        let mut jobs = vec![
            job("one", 10 << 20),
            job("two", 4 << 20),
            job("three", 4 << 20),
            job("four", 1),
        ];
        let mut findings = Vec::new();
        place_jobs(&mut jobs, &directories, 0, &mut findings);
        assert!(findings.is_empty());
        let in_second = jobs
            .iter()
            .filter(|job| job.target.starts_with(&directories[1]))
            .count();
        assert!(in_second >= 1 && in_second < jobs.len());
        assert!(jobs.iter().all(|job| {
            job.target
                .parent()
                .is_some_and(|parent| directories.contains(&parent.to_owned()))
        }));
    }

    #[test]
    fn offline_files_are_refused_where_they_cannot_be_saved() {
        let file = |number, status: &str| Datafile {
            number,
            path: format!("/o/{number}").into(),
            bytes: 8192,
            block_size: 8192,
            status: status.to_owned(),
            enabled: "READ WRITE".to_owned(),
        };
        let found = |backup_type, statuses: [&str; 2], saved: usize| {
            let files = vec![file(1, statuses[0]), file(2, statuses[1])];
            let selection = Selection {
                tablespaces: vec![selection::SelectedTablespace {
                    files: files[..saved].to_vec(),
                    tablespace: Tablespace {
                        number: 1,
                        name: "T".to_owned(),
                        files,
                    },
                }],
                is_whole: true,
            };
            let mut findings = Vec::new();
            check_online(backup_type, &selection, &mut findings);
            findings.len()
        };
        use BackupType::{Offline, Online};
        assert_eq!(found(Online, ["ONLINE", "ONLINE"], 2), 0);
        assert_eq!(found(Online, ["ONLINE", "OFFLINE"], 2), 1);
        assert_eq!(
            found(Online, ["ONLINE", "OFFLINE"], 1),
            1,
            "of its tablespace"
        );
        assert_eq!(found(Online, ["OFFLINE", "OFFLINE"], 2), 0, "at rest");
        assert_eq!(found(Online, ["OFFLINE", "RECOVER"], 2), 1);
        assert_eq!(found(Offline, ["ONLINE", "OFFLINE"], 2), 0);
        assert_eq!(found(Offline, ["ONLINE", "RECOVER"], 2), 1);
        assert_eq!(found(Offline, ["ONLINE", "RECOVER"], 1), 0, "not wanted");
    }

    #[test]
    fn room_on_a_shared_file_system_is_counted_once() {
        let root = tempfile::tempdir().unwrap();
        let directories: Vec<PathBuf> = ["a", "b"]
            .iter()
            .map(|name| root.path().join(name))
            .collect();
        directories
            .iter()
            .for_each(|directory| fs::create_dir(directory).unwrap());
        let free = free_bytes(root.path()).unwrap();
        let mut jobs = vec![job("one", free / 4 * 3), job("two", free / 4 * 3)];
        let mut findings = Vec::new();
        place_jobs(&mut jobs, &directories, 0, &mut findings);
        assert_eq!(
            findings.iter().map(Message::number).collect::<Vec<_>>(),
            [227]
        );
    }
}
