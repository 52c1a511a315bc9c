//! The tools on the database host: brbackup, brarchive, brrestore, brrecover.
//! What lives here: the rooms. What does not: stores and networks, which know nothing of this crate.

mod abort;
pub mod action_id;
mod bounded;
pub mod brarchive;
pub mod brbackup;
pub mod brrecover;
pub mod brrestore;
pub mod copy;
pub mod database;
pub mod durable;
pub mod environment;
pub mod explain;
pub mod failpoint;
mod faults;
pub mod interrupt;
pub mod lock;
pub mod messages;
pub mod options;
pub mod profile;
mod prompt;
mod request;
pub mod restore;
pub mod return_code;
pub mod run_log;
pub mod session;
mod stream_child;
pub mod summary;
pub mod utility;
mod values;
pub mod volume;
mod watched_child;

use std::ffi::OsString;
use std::process::ExitCode;

use action_id::Tool;
use return_code::ReturnCode;

/// Runs the tool of this name with its arguments (without the name). The exit status is its return code.
pub fn main(program: &str, arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(tool) = Tool::ALL
        .into_iter()
        .find(|tool| tool.name().eq_ignore_ascii_case(program))
    else {
        eprintln!("{program} is none of brbackup, brarchive, brrestore, brrecover");
        return ReturnCode::FailedEarly.into();
    };
    let arguments: Vec<String> = arguments
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let options = match options::parse(tool, &arguments) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{}", message.line(messages::LogForm::from_environment()));
            eprintln!("HINT: {}", message.hint().unwrap_or_default());
            return ReturnCode::FailedEarly.into();
        }
    };
    if options.has("h") {
        print!("{}", options::help(tool));
        return ExitCode::SUCCESS;
    }
    if options.has("V") {
        println!("{} {}", tool.name(), run_log::VERSION);
        return ExitCode::SUCCESS;
    }
    // Of brrecover -g is an SCN.
    if options.has("g") && matches!(tool, Tool::Brbackup | Tool::Brarchive) {
        return abort::main(tool, &options).into();
    }
    if options.has("i") && matches!(tool, Tool::Brbackup | Tool::Brarchive) {
        return volume::initialize::main(tool, &options).into();
    }
    let code = match tool {
        Tool::Brrestore => brrestore::main(&options),
        Tool::Brrecover => brrecover::main(&options),
        Tool::Brbackup => brbackup::main(&options),
        Tool::Brarchive => brarchive::main(&options),
    };
    code.into()
}
