//! From a recovery point to files that a database host can mount.
//! What lives here: the job, `catalog.rman`. What does not: what is chosen (choice), reading the repository, and deleting the
//! files again (restores).
//!
//! Everything is written under a hidden name and gets its own when it is whole; a crash before that leaves what the next
//! start removes, and the job is done again.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use api::admin::{Job, JobKind, JobState, RecoveryPoint, RestoreRequest};
use api::code::Code;
use oracle::rman::{CATALOG_FILE, CatalogHead, RelativePath, SnapshotFiles, catalog_commands};
use repository::{Point, Repository, Watch};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::backup::is_directory;
use super::choice::Choice;
use super::points::is_being_deleted;
use super::story::{self, DATA, Story};
use super::work::JobWatch;
use crate::catalogue::jobs;
use crate::catalogue::mounts::{MountRow, Phase};
use crate::export::restore_path;
use crate::refusal::Refusal;
use crate::{directory, failpoint};

/// Room that stays free on the disk, in bytes.
const ROOM_LEFT: u64 = 64 << 20;

/// A restore's subject in the catalogue.
#[derive(Debug, Serialize, Deserialize)]
struct Subject {
    point: String,
    request: RestoreRequest,
}

fn trouble(doing: &str, path: &Path, error: &std::io::Error) -> Refusal {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Code::NoSpace,
        _ => Code::Internal,
    };
    Refusal::new(
        code,
        format!("{doing} {}: {error}", path.display()),
        "look at the disk of the store's directory",
    )
}

impl Engine {
    /// Queues a restore; what makes no sense is refused at once.
    pub(crate) fn queue_restore(
        &self,
        digits: &str,
        request: &RestoreRequest,
    ) -> Result<Job, Refusal> {
        let row = self.find_point(digits)?;
        if row.state == api::admin::PointState::Deleting {
            return Err(is_being_deleted(&row));
        }
        let mount = self.target(&row, request)?;
        Choice::check(request)?;
        let subject = Subject {
            point: row.id.clone(),
            request: request.clone(),
        };
        let subject =
            serde_json::to_string(&subject).map_err(|error| Refusal::of(Code::Internal, &error))?;
        let id = self.catalogue.change(|connection| {
            jobs::add(
                connection,
                JobKind::Restore,
                (&mount.name, &subject),
                JobState::Queued,
                "",
            )
        })?;
        self.lanes.wake();
        self.job(id)
    }

    fn target(&self, row: &RecoveryPoint, request: &RestoreRequest) -> Result<MountRow, Refusal> {
        let name = request.mount.as_deref().unwrap_or(&row.mount);
        let mount = self.mount(name).map_err(|_| {
            Refusal::new(
                Code::MountMissing,
                format!("there is no mount '{}' to restore to", name.escape_debug()),
                "name one with --mount; 'backstay mount list' shows them",
            )
        })?;
        if mount.phase == Phase::MarkedForDelete {
            return Err(Code::MountMarkedForDelete.into());
        }
        Ok(mount)
    }

    /// The job.
    pub(super) fn make_restore(&self, job: &Job, watch: &JobWatch) -> Result<(), Refusal> {
        let text = self.subject(job)?;
        let subject: Subject =
            serde_json::from_str(&text).map_err(|error| Refusal::of(Code::Internal, &error))?;
        let mount = self.mount(&job.mount)?;
        if mount.phase == Phase::MarkedForDelete {
            return Err(Code::MountMarkedForDelete.into());
        }
        let restores = self.directory.restores(&mount.name);
        let target = restores.join(job.id.to_string());
        let what = if is_directory(&target) {
            // Published, and then the store died.
            "restored before a restart".to_owned()
        } else {
            self.fill(job, &subject, &mount, &target, watch)?
        };
        self.exporter.export_restore(&mount, job.id, &target)?;
        failpoint::reach("restore-before-commit");
        let export = restore_path(&mount.name, job.id);
        self.note_done(
            job,
            &format!("{what}, in {}, exported as {export}", target.display()),
        )
    }

    fn fill(
        &self,
        job: &Job,
        subject: &Subject,
        mount: &MountRow,
        target: &Path,
        watch: &JobWatch,
    ) -> Result<String, Refusal> {
        let repository = self.repository()?;
        repository.refresh()?;
        let point = repository.point(&subject.point)?;
        let request = &subject.request;
        let story = match Story::of(&repository, &point) {
            // What is chosen by path needs no story.
            Err(refusal) if request.database.is_none() && request.datafiles.is_empty() => {
                tracing::warn!("restored without what its log says: {refusal}");
                None
            }
            other => other?,
        };
        let files = story::data_files(&repository, &point)?;
        let chosen = Choice::of(request, story.as_ref(), &files)?;
        self.check_room(&files, &chosen.files)?;
        let restores = self.directory.restores(&mount.name);
        let hidden = restores.join(format!(".taking-{}", job.id));
        if hidden.exists() {
            fs::remove_dir_all(&hidden).map_err(|error| trouble("removing", &hidden, &error))?;
        }
        fs::create_dir(&hidden).map_err(|error| trouble("making", &hidden, &error))?;
        let filled = self.fill_hidden(&repository, &point, &chosen, &hidden, story.as_ref(), watch);
        let restored = match filled {
            Ok(restored) => restored,
            Err(refusal) => {
                // What stays is removed at the next start, or before the next try.
                let _ = fs::remove_dir_all(&hidden);
                return Err(refusal);
            }
        };
        self.open_to_clients(mount, &hidden)?;
        failpoint::reach("restore-before-publish");
        fs::rename(&hidden, target).map_err(|error| trouble("publishing", target, &error))?;
        directory::sync(&restores).map_err(|error| trouble("syncing", &restores, &error))?;
        failpoint::reach("restore-after-publish");
        Ok(format!(
            "{} {}, {} bytes of recovery point {}, {} read from the repository",
            restored.files,
            if restored.files == 1 { "file" } else { "files" },
            restored.bytes,
            point.id.short(),
            restored.bytes_read
        ))
    }

    fn fill_hidden(
        &self,
        repository: &Repository,
        point: &Point,
        chosen: &Choice,
        hidden: &Path,
        story: Option<&Story>,
        watch: &JobWatch,
    ) -> Result<repository::Restored, Refusal> {
        let is_chosen = |path: &Path| chosen.has(path);
        let restored = repository.restore(point, DATA, &is_chosen, hidden, watch as &dyn Watch)?;
        let text = catalog(point, story, &chosen.files);
        let path = hidden.join(CATALOG_FILE);
        // A backup may have a file of that name; it stays as it is.
        if !path.exists() {
            fs::write(&path, text).map_err(|error| trouble("writing", &path, &error))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644))
                .map_err(|error| trouble("writing", &path, &error))?;
            fs::File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(|error| trouble("syncing", &path, &error))?;
            directory::sync(hidden).map_err(|error| trouble("syncing", hidden, &error))?;
        }
        Ok(restored)
    }

    /// The directory is to its clients as that of the mount's data.
    fn open_to_clients(&self, mount: &MountRow, hidden: &Path) -> Result<(), Refusal> {
        let data = self.directory.data(&mount.name);
        let set = || {
            let like = fs::metadata(&data)?;
            std::os::unix::fs::chown(hidden, Some(like.uid()), Some(like.gid()))?;
            fs::set_permissions(hidden, like.permissions())?;
            directory::sync(hidden)
        };
        set().map_err(|error| trouble("opening to clients", hidden, &error))
    }

    fn check_room(
        &self,
        files: &[(String, u64)],
        chosen: &BTreeSet<String>,
    ) -> Result<(), Refusal> {
        let wanted: u64 = files
            .iter()
            .filter(|(path, _)| chosen.contains(path))
            .map(|(_, bytes)| bytes)
            .sum();
        let free = self.show_store()?.free_bytes;
        if wanted.saturating_add(ROOM_LEFT) <= free {
            return Ok(());
        }
        Err(Refusal::bad_request(
            format!(
                "the restore has {wanted} bytes, and the disk of the store has room for {free}"
            ),
            "delete restores or snapshots that are not needed, or restore a part with --path, --database or --datafile",
        ))
    }
}

/// What RMAN and the restore script are to be told of the restored files.
fn catalog(point: &Point, story: Option<&Story>, chosen: &BTreeSet<String>) -> String {
    let paths = chosen
        .iter()
        .filter_map(|path| RelativePath::new(path).ok());
    let head = CatalogHead {
        recovery_point: &point.id.short(),
        time: &point.time.to_string(),
    };
    let map = story.map_or_else(story::no_map, Story::whole_map);
    catalog_commands(&map, &SnapshotFiles::new(paths), &head)
}
