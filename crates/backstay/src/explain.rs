//! `backstay explain`: an action id, a log, a message or a code in plain words.
//! What lives here: options, and how it reads. What does not: what they mean (`brtools::explain`, `api::code`).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use api::code::Code;
use brtools::explain::{self, Meaning, Run, Story};
use brtools::messages::{Entry, Severity};
use brtools::run_log::reader::Ending;
use serde_json::json;

use crate::said::{fail, say, say_json};

const UNKNOWN: u8 = 1;

/// Say in plain words what an action id, a log of the tools, a message or an error code means
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArguments {
    /// Ids, log files, function ids, message numbers, error codes of the store
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  backstay explain bfvczabc                               which tool, and when it was started
  backstay explain /oracle/SND/sapbackup/bfvczabc.and     that run as a short story
  backstay explain BR0278E                                what it says, and what to do
  backstay explain svd 4295622664                         a function id; an error_code of the store

Exit status: 0 all words are known; 1 one is not, or a log cannot be read; 2 wrong command line.";

/// What there is to say of one word.
enum Answer {
    Word(Meaning),
    Log(PathBuf, Option<Run>, Box<Story>),
    Code(Code),
}

/// Runs the command.
pub fn run(arguments: &ExplainArguments) -> ExitCode {
    let mut status = ExitCode::SUCCESS;
    let mut documents = Vec::new();
    for (index, word) in arguments.words.iter().enumerate() {
        let answer = match answer(word) {
            Ok(answer) => answer,
            Err(error) => {
                status = fail(UNKNOWN, error);
                continue;
            }
        };
        if arguments.json {
            documents.push(document(word, &answer));
            continue;
        }
        if index > 0 {
            say("");
        }
        say(told(word, &answer).trim_end());
    }
    if arguments.json {
        say_json(&documents);
    }
    status
}

fn answer(word: &str) -> Result<Answer, String> {
    let path = Path::new(word);
    let meaning = explain::word(word);
    if path.is_file() {
        let story = Story::read(path).map_err(|error| format!("{word}: {error}"))?;
        let run = match meaning {
            Some(Meaning::Run(run)) => Some(run),
            _ => None,
        };
        return Ok(Answer::Log(path.to_owned(), run, Box::new(story)));
    }
    let code = || {
        let number = word.parse::<u64>().ok()?;
        Code::ALL.into_iter().find(|code| code.number() == number)
    };
    match (meaning, code()) {
        (Some(meaning), _) => Ok(Answer::Word(meaning)),
        (None, Some(code)) => Ok(Answer::Code(code)),
        (None, None) => Err(format!(
            "'{}' is no action id, function id, message number or error code, and no file. \
             HINT: give a log by its path, a message as BR0280I, an id as its eight letters",
            word.escape_debug()
        )),
    }
}

fn told(word: &str, answer: &Answer) -> String {
    match answer {
        Answer::Word(Meaning::Run(run)) => format!("{word}: {}", told_run(run)),
        Answer::Word(Meaning::Function(told)) => format!("{word}: {told}"),
        Answer::Word(Meaning::Messages(entries)) => {
            entries.iter().map(|entry| told_message(entry)).collect()
        }
        Answer::Code(code) => format!(
            "{}: {}\n  {}",
            code.number(),
            code.message(),
            code_hint(*code)
        ),
        Answer::Log(path, run, story) => told_story(path, run.as_ref(), story),
    }
}

fn code_hint(code: Code) -> String {
    let kind = if code.is_documented() {
        "of the documented API"
    } else {
        "Backstay's own"
    };
    format!(
        "{kind}, HTTP status {}; docs/STORE.md says when it is given",
        code.status()
    )
}

fn told_run(run: &Run) -> String {
    match &run.function {
        Some(what) => format!("{}, {what}, started {} local time", run.tool, run.start),
        None => format!("a run of {}, started {} local time", run.tool, run.start),
    }
}

fn told_message(entry: &Entry) -> String {
    let mut text = format!(
        "BR{:04}{} {}\n",
        entry.number,
        entry.severity.letter(),
        without_places(entry.text)
    );
    let kind = match entry.severity {
        Severity::Info => "information",
        Severity::Warning => "a warning: the run goes on, and ends with return code 1",
        Severity::Error => "an error: something was not done",
    };
    let _ = writeln!(text, "  {kind}");
    if !entry.hint.is_empty() {
        let _ = writeln!(text, "  HINT: {}", without_places(entry.hint));
    }
    text
}

/// A text of the catalogue with `…` where a message has its arguments.
fn without_places(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        shown.push_str(before);
        shown.push('…');
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    shown.push_str(rest);
    shown
}

fn told_story(path: &Path, run: Option<&Run>, story: &Story) -> String {
    let mut text = format!("{}\n", path.display());
    let mut line = |sentence: String| {
        let _ = writeln!(text, "  {sentence}");
    };
    if let Some(run) = run {
        line(format!("{}.", told_run(run)));
    }
    match (&story.start, &story.end) {
        (Some(start), Some(end)) => line(format!("It worked from {start} to {end}.")),
        (Some(start), None) => line(format!("It began {start}; its end is not in the log.")),
        _ => line("It names no start: perhaps this is no detail log.".to_owned()),
    }
    if story.files > 0 {
        line(format!(
            "It saved {} files to {}; {} of them with a hash, {} bytes.",
            story.files,
            story.places.join(", "),
            story.files_hashed,
            story.bytes
        ));
    }
    if story.restored > 0 {
        line(format!("It restored {} files.", story.restored));
    }
    if story.logs_deleted > 0 {
        line(format!(
            "It deleted {} offline redo logs.",
            story.logs_deleted
        ));
    }
    for remark in &story.remarks {
        line(remark.line.clone());
        if let Some(hint) = &remark.hint {
            line(format!("  HINT: {hint}"));
        }
    }
    line(ending(story).to_owned());
    text
}

fn ending(story: &Story) -> &'static str {
    let has_warning = story
        .remarks
        .iter()
        .any(|remark| remark.severity == Severity::Warning);
    match story.ending {
        Ending::Good if has_warning => "It ended well, with warnings (return code 1).",
        Ending::Good => "It ended well (return code 0).",
        Ending::Bad => "It ended with errors: what it saved is not offered for a restore.",
        Ending::Missing => {
            "It has no result: it was killed, or is still at work. Nothing of it is offered for a restore."
        }
    }
}

fn document(word: &str, answer: &Answer) -> serde_json::Value {
    let run_document = |run: &Run| json!({ "tool": run.tool, "started": run.start.seconds(), "function": run.function });
    match answer {
        Answer::Word(Meaning::Run(run)) => json!({ "word": word, "run": run_document(run) }),
        Answer::Word(Meaning::Function(told)) => json!({ "word": word, "function": told }),
        Answer::Word(Meaning::Messages(entries)) => {
            let messages: Vec<_> = entries
                .iter()
                .map(|entry| {
                    json!({
                        "number": entry.number, "severity": entry.severity.letter().to_string(),
                        "text": entry.text, "hint": entry.hint,
                    })
                })
                .collect();
            json!({ "word": word, "messages": messages })
        }
        Answer::Code(code) => json!({
            "word": word,
            "code": { "number": code.number(), "message": code.message(), "status": code.status(),
                      "documented": code.is_documented() },
        }),
        Answer::Log(path, run, story) => {
            let remarks: Vec<_> = story
                .remarks
                .iter()
                .map(|remark| {
                    json!({ "severity": remark.severity.letter().to_string(), "line": remark.line, "hint": remark.hint })
                })
                .collect();
            json!({
                "word": word, "path": path, "run": run.as_ref().map(run_document), "start": story.start,
                "end": story.end, "result": ending(story), "files": story.files, "files_hashed": story.files_hashed,
                "bytes": story.bytes, "places": story.places, "restored": story.restored,
                "logs_deleted": story.logs_deleted, "remarks": remarks,
            })
        }
    }
}
