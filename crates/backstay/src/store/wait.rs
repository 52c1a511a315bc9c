//! What cannot be undone is asked for first and waited for afterwards.
//! What lives here: the question, waiting for a job, how it ended. What does not: what the job does.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

use super::progress::Bar;
use super::{Failure, word};
use crate::said::{say, say_json};
use api::admin::{Job, JobState};
use api::client::{Client, ClientError};

/// Pause between looks at a job.
const LOOK_PAUSE: Duration = Duration::from_millis(200);
/// How long a job is waited for. It goes on when nobody waits.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the store may be out of reach meanwhile, for example because it is started anew.
const ABSENCE_MAX: Duration = Duration::from_secs(30);
/// Longest answer to a question that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 256;

/// Asks, unless it is not to be asked.
pub fn confirm(yes: bool, question: &str) -> Result<(), Failure> {
    must_be_able_to_ask(yes)?;
    if yes {
        return Ok(());
    }
    let input = std::io::stdin();
    let mut errors = std::io::stderr();
    // If it cannot be shown, it is not answered with yes either.
    let _ = write!(errors, "{question} [y/N] ").and_then(|()| errors.flush());
    let mut answer = String::new();
    let read = input.lock().take(ANSWER_BYTES_MAX).read_line(&mut answer);
    match read {
        Ok(_) if is_yes(&answer) => Ok(()),
        _ => Err(Failure::NotConfirmed("not confirmed; nothing was done")),
    }
}

/// Fails if nobody can be asked, for callers that tell something before they ask.
pub fn must_be_able_to_ask(yes: bool) -> Result<(), Failure> {
    if yes || std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::NotConfirmed(
        "there is no terminal to ask on. HINT: say --yes",
    ))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Waits for the end of a job, unless nobody wants to.
pub fn end_of(client: &Client, job: Job, no_wait: bool) -> Result<Job, Failure> {
    if no_wait {
        return Ok(job);
    }
    wait_for(client, job)
}

/// Waits for the end of a job.
pub fn wait_for(client: &Client, job: Job) -> Result<Job, Failure> {
    let bar = Bar::new();
    let ended = look_until_ended(
        job,
        || {
            std::thread::sleep(LOOK_PAUSE);
            Instant::now()
        },
        |job| {
            bar.show(job);
            client.get(&format!("/jobs/{}", job.id))
        },
    );
    bar.end();
    ended
}

/// `pause` pauses and says the time; `look` asks for the job.
fn look_until_ended(
    mut job: Job,
    mut pause: impl FnMut() -> Instant,
    mut look: impl FnMut(&Job) -> Result<Job, ClientError>,
) -> Result<Job, Failure> {
    let begun = Instant::now();
    let mut last_seen = begun;
    while job.ended.is_none() {
        let now = pause();
        if now.duration_since(begun) > WAIT_MAX {
            return Err(Failure::StillRunning(
                job.id,
                "it takes more than a day. HINT: 'backstay store events' may say why".to_owned(),
            ));
        }
        match look(&job) {
            Ok(seen) => (job, last_seen) = (seen, now),
            Err(ClientError::Unreachable { .. }) if now.duration_since(last_seen) < ABSENCE_MAX => {
            }
            Err(error) => return Err(Failure::StillRunning(job.id, error.to_string())),
        }
    }
    Ok(job)
}

/// Whether a job has not done all that it was for.
pub fn has_failed(job: &Job) -> bool {
    matches!(job.state, JobState::Failed | JobState::SuccessfulWithErrors)
}

/// Says how a job stands; one that has not done all that it was for is a failure.
pub fn report(job: &Job, as_json: bool) -> Result<(), Failure> {
    let has_failed = has_failed(job);
    if as_json {
        say_json(job);
    } else if !has_failed {
        let detail = if job.detail.is_empty() {
            String::new()
        } else {
            format!(": {}", job.detail)
        };
        say(format!("Job {}, {}{detail}", job.id, word(&job.state)));
    }
    if has_failed {
        let state = word(&job.state);
        return Err(Failure::Job(job.id, state, job.error_message.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(state: &str, ended: Option<&str>) -> Job {
        serde_json::from_value(serde_json::json!({
            "id": 7, "kind": "delete_mount", "mount": "m", "state": state, "started": "", "ended": ended,
            "error_code": 0, "error_message": "the disk is read-only", "detail": ""
        }))
        .unwrap()
    }

    fn unreachable() -> ClientError {
        ClientError::Unreachable {
            url: "https://s".to_owned(),
            why: "refused".to_owned(),
        }
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        assert!(["y\n", "Y", "yes\n", " YES "].into_iter().all(is_yes));
        assert!(!["", "\n", "n", "no", "yep", "y y"].into_iter().any(is_yes));
    }

    #[test]
    fn a_store_that_is_started_anew_is_waited_for() {
        let mut answers = vec![
            Ok(job("Successful", Some("now"))),
            Err(unreachable()),
            Ok(job("Running", None)),
            Err(unreachable()),
        ];
        let ended = look_until_ended(job("Queued", None), Instant::now, |_| {
            answers.pop().unwrap()
        });
        assert_eq!(ended.unwrap().state, JobState::Successful);
        assert!(answers.is_empty());
    }

    #[test]
    fn who_stops_waiting_learns_that_the_job_goes_on() {
        let begun = Instant::now();
        for seconds in [31, 25 * 60 * 60] {
            let later = || begun + Duration::from_secs(seconds);
            let error = look_until_ended(job("Running", None), later, |_| Err(unreachable()));
            let error = error.unwrap_err().to_string();
            assert!(
                error.contains("HINT: ") && error.contains("backstay job show 7"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_job_that_did_not_do_all_is_a_failure() {
        for state in ["Failed", "Successful with errors"] {
            let error = report(&job(state, Some("now")), false).unwrap_err();
            let said = error.to_string();
            assert!(
                said.contains("job 7") && said.contains("read-only"),
                "{said}"
            );
        }
        assert!(report(&job("Successful", Some("now")), false).is_ok());
    }
}
