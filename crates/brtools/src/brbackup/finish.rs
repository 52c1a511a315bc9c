//! What is saved beside the database files, and the last lines of the log.
//! What lives here: profiles, parameter file, summary log. What does not: the run's return code.

use std::path::{Path, PathBuf};

use super::preflight::Plan;
use super::run::{Run, Stop};
use crate::copy::{self, Content, CopyError, CopyRequest};
use crate::durable;
use crate::return_code::ReturnCode;
use crate::summary::SummaryLog;

/// Saves the parameter files and the profile in use. The first must be there, the others are saved where they are.
/// A tape has had them when its label was written.
pub(super) fn save_profiles(run: &mut Run, plan: &Plan) -> Result<(), Stop> {
    if run.desk.settings.tape().is_some() {
        return Ok(());
    }
    let environment = &run.desk.settings.environment;
    let server_file = environment
        .oracle_home
        .join(format!("dbs/spfile{}.ora", environment.sid));
    let sources = [
        environment.oracle_profile(),
        server_file,
        run.desk.settings.profile_path.clone(),
    ];
    for source in sources.iter().filter(|source| source.exists()) {
        run.desk.check_interrupt()?;
        save_small_file(run, source, plan.directory())?;
    }
    Ok(())
}

fn save_small_file(run: &mut Run, source: &Path, directory: &Path) -> Result<(), Stop> {
    let target = directory.join(source.file_name().unwrap_or_default());
    let request = CopyRequest {
        source,
        target: &target,
        tool: &run.desk.settings.tool,
        content: Content::Opaque,
        failpoint: None,
    };
    match copy::copy_file(&request, &run.desk.interrupt) {
        Ok(_) => {
            run.desk
                .log
                .info(9007, &[&source.display(), &target.display()]);
            Ok(())
        }
        Err(CopyError::Interrupted { signal }) => Err(Stop::Signal(signal)),
        Err(error) => {
            copy::report::failure(&mut run.desk.log, source, &target, &error);
            Err(Stop::Failed)
        }
    }
}

/// The summary log as it is now goes beside the copies, with this run as successful and not yet finished (9).
/// The detail log follows when it is closed.
/// A tape has both in its trailer.
pub(super) fn close_log(run: &mut Run, plan: &Plan) {
    if run.desk.settings.tape().is_some() {
        return;
    }
    let source = run.summary_path().to_owned();
    let target: PathBuf = plan
        .directory()
        .join(source.file_name().unwrap_or_default());
    let (id, fields) = (run.desk.log.id(), run.desk.fields());
    let copied = std::fs::read(&source)
        .and_then(|text| durable::replace(&target, &text))
        .and_then(|()| SummaryLog::new(target.clone()).finish(id, ReturnCode::Unfinished, &fields));
    match copied {
        Ok(()) => {
            run.desk
                .log
                .info(9007, &[&source.display(), &target.display()]);
            let detail = run.desk.log.path().display().to_string();
            run.desk
                .log
                .info(9007, &[&detail, &plan.directory().display()]);
        }
        Err(error) => run.desk.log.warning(
            9043,
            &[
                &format!("{}: {error}", target.display()),
                &"the backup is good without it",
            ],
        ),
    }
}
