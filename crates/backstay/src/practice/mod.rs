//! `backstay practice …`: the practice database from the command line.
//! What lives here: the commands' options and help. What does not: what the database does.

pub mod create;
mod judge;
mod ledger;
mod load;
mod status;

use std::io::Cursor;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use practice::rman;
use practice::sqlplus::{self, Environment};

/// Create, run, load and judge a practice database
#[derive(Debug, Subcommand)]
pub enum Command {
    Create(create::Arguments),
    Start(StartArguments),
    Stop(StopArguments),
    Status(status::Arguments),
    Workload(load::Arguments),
    Verify(judge::Arguments),
    #[command(subcommand)]
    Ledger(ledger::Command),
    Sqlplus(SqlplusArguments),
    Rman(RmanArguments),
    Server(ServerArguments),
}

/// Which database.
#[derive(Debug, Clone, clap::Args)]
pub struct Database {
    /// ORACLE_HOME of the practice database
    #[arg(long, visible_alias = "dir", value_name = "DIR", env = "ORACLE_HOME")]
    home: PathBuf,
    /// Its SID
    #[arg(long, value_name = "SID", env = "ORACLE_SID", default_value = "SND")]
    sid: String,
}

impl Database {
    /// The home as an absolute path: the server changes its directory.
    fn home(&self) -> PathBuf {
        std::path::absolute(&self.home).unwrap_or_else(|_| self.home.clone())
    }

    fn environment(&self) -> Environment {
        Environment {
            home: Some(self.home()),
            sid: Some(self.sid.clone()),
            ..Environment::of_process()
        }
    }
}

/// Start the database: STARTUP in sqlplus
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Example: backstay practice start --home /tmp/practice/SND\n\n\
                        Exit status: 0 started as far as asked, 1 not."
)]
pub struct StartArguments {
    #[command(flatten)]
    database: Database,
    /// Stop after starting the instance
    #[arg(long, conflicts_with = "mount")]
    nomount: bool,
    /// Stop after mounting the database
    #[arg(long)]
    mount: bool,
}

/// Stop the database: SHUTDOWN IMMEDIATE in sqlplus
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Example: backstay practice stop --home /tmp/practice/SND --abort\n\n\
                        Exit status: 0 stopped, 1 not (for example in backup mode, ORA-01149)."
)]
pub struct StopArguments {
    #[command(flatten)]
    database: Database,
    /// SHUTDOWN ABORT: at once, as a crash; the next start recovers
    #[arg(long)]
    abort: bool,
}

/// Talk to the database as sqlplus does, as sysdba unless told otherwise
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Examples:\n  backstay practice sqlplus --home /tmp/practice/SND\n  \
                        echo 'archive log list' | backstay practice sqlplus --home /tmp/practice/SND -- -S / as sysdba\n\n\
                        Exit status: that of sqlplus: 0, or what EXIT and WHENEVER say."
)]
pub struct SqlplusArguments {
    #[command(flatten)]
    database: Database,
    /// Arguments of sqlplus, after --
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

/// Back up and recover the database as rman does, connected to it unless told otherwise
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Examples:\n  backstay practice rman --home /tmp/practice/SND\n  \
                        echo 'backup database plus archivelog;' | backstay practice rman --home /tmp/practice/SND -- target / msgno\n\n\
                        Exit status: that of rman: 0 when every command went well, 1 otherwise."
)]
pub struct RmanArguments {
    #[command(flatten)]
    database: Database,
    /// Arguments of rman, after --
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

/// Run the server process in the foreground, as STARTUP does in the background
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Prints READY once clients can connect: the instance is started then, not mounted.\n\n\
                        Example: backstay practice server --home /tmp/practice/SND\n\n\
                        Exit status: 0 after SHUTDOWN, 1 when it cannot start."
)]
pub struct ServerArguments {
    #[command(flatten)]
    database: Database,
    /// Start with the default of every parameter, for rman to restore a lost parameter file
    #[arg(long)]
    without_parameters: bool,
}

/// Runs a command.
pub fn run(command: Command) -> ExitCode {
    match command {
        Command::Create(arguments) => create::run(&arguments),
        Command::Start(arguments) => start(&arguments),
        Command::Stop(arguments) => stop(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Workload(arguments) => load::run(arguments),
        Command::Verify(arguments) => judge::run(&arguments),
        Command::Ledger(command) => ledger::run(&command),
        Command::Sqlplus(arguments) => talk(arguments),
        Command::Rman(arguments) => back_up(arguments),
        Command::Server(arguments) => {
            let Database { sid, .. } = &arguments.database;
            let home = arguments.database.home();
            practice::server::main(&home, sid, arguments.without_parameters)
        }
    }
}

fn start(arguments: &StartArguments) -> ExitCode {
    let target = match (arguments.nomount, arguments.mount) {
        (true, _) => " NOMOUNT",
        (_, true) => " MOUNT",
        _ => "",
    };
    script(&arguments.database, &format!("STARTUP{target}"))
}

fn stop(arguments: &StopArguments) -> ExitCode {
    let mode = if arguments.abort {
        "ABORT"
    } else {
        "IMMEDIATE"
    };
    script(&arguments.database, &format!("SHUTDOWN {mode}"))
}

/// One command of sqlplus, whose failure is ours.
fn script(database: &Database, command: &str) -> ExitCode {
    let input = format!("WHENEVER SQLERROR EXIT FAILURE\n{command}\n");
    let arguments = ["-S", "-L", "/ as sysdba"].map(str::to_owned);
    let input = Box::new(Cursor::new(input.into_bytes()));
    ExitCode::from(sqlplus::run(
        &arguments,
        database.environment(),
        input,
        Box::new(std::io::stdout()),
    ))
}

fn talk(arguments: SqlplusArguments) -> ExitCode {
    let words = if arguments.arguments.is_empty() {
        vec!["/ as sysdba".to_owned()]
    } else {
        arguments.arguments
    };
    sqlplus::run_process(
        words.into_iter().map(Into::into),
        arguments.database.environment(),
    )
}

fn back_up(arguments: RmanArguments) -> ExitCode {
    let words = if arguments.arguments.is_empty() {
        vec!["target".to_owned(), "/".to_owned()]
    } else {
        arguments.arguments
    };
    rman::run_process(
        words.into_iter().map(Into::into),
        arguments.database.environment(),
    )
}
