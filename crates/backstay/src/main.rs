//! The one executable of Backstay: it is what it is called by.
//! What lives here: the choice by name and the command line's first level. What does not: any command's work.

mod archive_log;
mod demo;
mod explain;
mod install_links;
mod practice;
mod said;
mod store;
mod tape;
mod verify;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Backup and recovery of Oracle databases, with a practice database to prove it on
#[derive(Debug, Parser)]
#[command(
    name = "backstay",
    version,
    after_help = "Called as brbackup, brarchive, brrestore or brrecover it is that tool (see install-links); \
                  called as sqlplus or rman it is the practice database's.\n\n\
                  Exit status: 2 for a wrong command line; each command's help names its own."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    #[command(subcommand)]
    Practice(practice::Command),
    InstallLinks(install_links::Arguments),
    #[command(subcommand)]
    Store(store::StoreCommand),
    #[command(subcommand)]
    Mount(store::mount::MountCommand),
    #[command(subcommand)]
    Snapshot(store::lists::SnapshotCommand),
    #[command(subcommand)]
    Job(store::lists::JobCommand),
    #[command(subcommand)]
    RecoveryPoint(store::points::PointCommand),
    #[command(subcommand)]
    Restore(store::restores::RestoreCommand),
    #[command(subcommand)]
    Retention(store::retention::RetentionCommand),
    #[command(subcommand)]
    Repository(store::repository::RepositoryCommand),
    Verify(verify::VerifyArguments),
    Explain(explain::ExplainArguments),
    #[command(subcommand)]
    ArchiveLog(archive_log::ArchiveLogCommand),
    #[command(subcommand)]
    Tape(tape::TapeCommand),
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    match called_by(&name) {
        Some("sqlplus") => ::practice::sqlplus::main(arguments),
        Some("rman") => ::practice::rman::main(arguments),
        Some(tool) => brtools::main(tool, arguments),
        None => command(CommandLine::parse()),
    }
}

/// The tool that a program name means; None for our own name and any other.
fn called_by(name: &OsString) -> Option<&'static str> {
    let name = Path::new(name).file_name()?.to_str()?;
    install_links::TOOLS
        .into_iter()
        .chain(["sqlplus", "rman"])
        .find(|known| *known == name)
}

fn command(line: CommandLine) -> ExitCode {
    match line.command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Practice(command) => practice::run(command),
        Command::InstallLinks(arguments) => install_links::run(&arguments),
        Command::Store(command) => store::run(command),
        Command::Mount(command) => store::mount::run(&command),
        Command::Snapshot(command) => store::lists::run_snapshot(&command),
        Command::Job(command) => store::lists::run_job(&command),
        Command::RecoveryPoint(command) => store::points::run(&command),
        Command::Restore(command) => store::restores::run(&command),
        Command::Retention(command) => store::retention::run(&command),
        Command::Repository(command) => store::repository::run(&command),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::ArchiveLog(command) => archive_log::run(&command),
        Command::Tape(command) => tape::run(&command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        <CommandLine as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn names_with_directories_are_names() {
        assert_eq!(
            called_by(&"/oracle/SND/bin/sqlplus".into()),
            Some("sqlplus")
        );
        assert_eq!(called_by(&"brbackup".into()), Some("brbackup"));
        assert_eq!(called_by(&"rman".into()), Some("rman"));
        assert_eq!(called_by(&"backstay".into()), None);
        assert_eq!(called_by(&"".into()), None);
    }
}
