//! `brarchive -f stop|suspend|resume`: a word for the run that is at work.
//! What lives here: finding it and telling it. What does not: what it does then (`run`).

use crate::abort;
use crate::action_id::{ActionId, Tool};
use crate::environment::Environment;
use crate::faults::Faults;
use crate::lock::Lock;
use crate::messages::Message;
use crate::options::Parsed;
use crate::request::{self, Request};
use crate::return_code::ReturnCode;
use crate::run_log::RunLog;

/// Function id of these runs.
const FUNCTION: &str = "fst";

/// The word on the command line, if there is one.
pub(super) fn request(options: &Parsed) -> Option<Request> {
    match options.value("f")? {
        "stop" => Some(Request::Stop),
        "suspend" => Some(Request::Suspend),
        "resume" => Some(Request::GoOn),
        _ => None,
    }
}

/// Tells it, in a run that has a log of its own and takes no lock. 1 when nobody was there.
pub(super) fn main(request: Request) -> ReturnCode {
    let mut faults = Faults::default();
    let Some(environment) = faults.environment() else {
        return faults.print();
    };
    let log = ActionId::fresh(Tool::Brarchive, &environment.saparch)
        .and_then(|id| RunLog::create(Tool::Brarchive, id, FUNCTION, &environment.saparch));
    let mut log = match log {
        Ok(log) => log,
        Err(error) => {
            faults.push(Message::error(
                9041,
                &[&environment.saparch.display(), &error],
            ));
            return faults.print();
        }
    };
    tell(&mut log, &environment, request);
    let code = log.return_code();
    if let Err(error) = log.finish(code) {
        eprintln!(
            "{}: {error}",
            Message::error(121, &[&environment.saparch.display()])
        );
        return code.max(ReturnCode::Warnings);
    }
    code
}

fn tell(log: &mut RunLog, environment: &Environment, request: Request) {
    let lock = Lock::path(
        Tool::Brarchive,
        &environment.sapbackup,
        &environment.saparch,
    );
    match request::ask(&lock, request) {
        Ok(holder) => {
            let what = match request {
                Request::Stop => "will end after the log that it is at",
                Request::Suspend => "will begin no other log until brarchive -f resume",
                Request::GoOn => "goes on",
            };
            log.info(
                9045,
                &[&format!(
                    "BRARCHIVE, process {} on host {}, {what}",
                    holder.pid, holder.host
                )],
            );
        }
        Err(error) => abort::report(log, &error),
    }
}
