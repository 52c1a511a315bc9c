//! `backstay practice status`.
//! What lives here: asking an instance how it is. What does not: the views that answer.

use std::process::ExitCode;

use practice::protocol::{Answer, Client, Request};
use serde::Serialize;

use super::Database;
use crate::said::{fail, say, say_json};

/// Say how far the database is up
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Example: backstay practice status --home /tmp/practice/SND --json\n\n\
                        Exit status: 0 open, 1 mounted, started or idle, 2 the instance cannot be asked."
)]
pub struct Arguments {
    #[command(flatten)]
    database: Database,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// How an instance is; what is not known yet is absent.
#[derive(Debug, Default, Serialize)]
struct Status {
    sid: String,
    /// IDLE, STARTED, MOUNTED or OPEN.
    status: String,
    startup_time: Option<String>,
    log_mode: Option<String>,
    current_scn: Option<u64>,
    log_sequence: Option<u64>,
    files_in_backup_mode: Option<u64>,
    files_to_recover: Option<u64>,
    sessions: Option<u64>,
}

/// Prints the status.
pub fn run(arguments: &Arguments) -> ExitCode {
    let status = match ask(&arguments.database) {
        Ok(status) => status,
        Err(error) => return fail(2, error),
    };
    if arguments.json {
        say_json(&status);
    } else {
        print(&status);
    }
    ExitCode::from(u8::from(status.status != "OPEN"))
}

fn ask(database: &Database) -> Result<Status, String> {
    let mut status = Status {
        sid: database.sid.clone(),
        status: "IDLE".into(),
        ..Status::default()
    };
    let home = database.home();
    if !home.join("dbs").is_dir() {
        return Err(format!(
            "{} is no ORACLE_HOME: it has no dbs directory",
            home.display()
        ));
    }
    let mut client = match Client::connect(&home, &database.sid) {
        Ok(client) => client,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(status);
        }
        Err(error) => return Err(format!("cannot connect to {}: {error}", home.display())),
    };
    row(
        &mut client,
        "alter session set nls_date_format = 'YYYY-MM-DD HH24:MI:SS'",
    )?;
    let instance = row(
        &mut client,
        "select status, startup_time, (select count(*) from v$session) from v$instance",
    )?;
    let [Some(level), started, sessions] = instance.as_slice() else {
        return Err(format!("the instance answered {instance:?}"));
    };
    status.status.clone_from(level);
    status.startup_time.clone_from(started);
    status.sessions = number(sessions.as_ref());
    if level != "STARTED" {
        ask_database(&mut client, &mut status)?;
    }
    Ok(status)
}

fn ask_database(client: &mut Client, status: &mut Status) -> Result<(), String> {
    let text = "select log_mode, current_scn, (select max(sequence#) from v$log), \
                (select count(*) from v$backup where status = 'ACTIVE'), \
                (select count(*) from v$recover_file) from v$database";
    let found = row(client, text)?;
    let [mode, scn, sequence, active, recover] = found.as_slice() else {
        return Err(format!("the instance answered {found:?}"));
    };
    status.log_mode.clone_from(mode);
    status.current_scn = number(scn.as_ref());
    status.log_sequence = number(sequence.as_ref());
    status.files_in_backup_mode = number(active.as_ref());
    status.files_to_recover = number(recover.as_ref());
    Ok(())
}

fn number(value: Option<&String>) -> Option<u64> {
    value.and_then(|text| text.parse().ok())
}

/// The first row of a statement's result.
fn row(client: &mut Client, statement: &str) -> Result<Vec<Option<String>>, String> {
    match client.request(&Request::Execute(statement.to_owned())) {
        Ok(Answer::Done(outcome)) => Ok(outcome.rows.into_iter().next().unwrap_or_default()),
        Ok(Answer::Error(error)) => Err(error.to_string()),
        Ok(other) => Err(format!("the instance answered out of turn: {other:?}")),
        Err(error) => Err(format!("the instance went away: {error}")),
    }
}

fn print(status: &Status) {
    say(format!("{} is {}", status.sid, status.status));
    let lines = [
        ("started", status.startup_time.clone()),
        ("log mode", status.log_mode.clone()),
        ("current SCN", status.current_scn.map(|scn| scn.to_string())),
        (
            "log sequence",
            status.log_sequence.map(|sequence| sequence.to_string()),
        ),
        (
            "in backup mode",
            status
                .files_in_backup_mode
                .map(|files| format!("{files} files")),
        ),
        (
            "need recovery",
            status
                .files_to_recover
                .map(|files| format!("{files} files")),
        ),
        (
            "sessions",
            status.sessions.map(|sessions| sessions.to_string()),
        ),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            say(format!("  {name:<15} {value}"));
        }
    }
}
