//! The reports as one JSON document.
//! What lives here: its shape, which others' programs rely on. What does not: wording for people.

use oracle::verify::{FileKind, FileReport, Finding, Findings, Size};
use serde::Serialize;

use super::Outcome;

/// The whole document.
#[derive(Serialize)]
pub(super) struct Document {
    /// Every file was judged and is clean.
    clean: bool,
    files: Vec<File>,
}

/// One file: what was found, or why it could not be judged.
#[derive(Serialize)]
pub(super) struct File {
    path: String,
    /// `clean`, `corrupt` or `not_judged`.
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(flatten)]
    judged: Option<Judged>,
}

#[derive(Serialize)]
struct Judged {
    kind: &'static str,
    block_size: u32,
    bytes: u64,
    seconds: f64,
    missing_blocks: u64,
    surplus_blocks: u64,
    size_known: bool,
    in_backup_mode: bool,
    hole_blocks: u64,
    sound_on_second_look: u64,
    totals: Totals,
    corrupt: Vec<Blocks>,
    corrupt_not_listed: u64,
    zero_allowed: Vec<Blocks>,
    zero_allowed_not_listed: u64,
}

#[derive(Serialize)]
struct Totals {
    examined: u64,
    data: u64,
    index: u64,
    other: u64,
    segment: u64,
    empty: u64,
    zero_allowed: u64,
    marked_corrupt: u64,
    influx: u64,
    /// What the corrupt ones are, by class.
    zero: u64,
    bad_header: u64,
    sequence_ff: u64,
    bad_check_value: u64,
    highest_scn: u64,
}

#[derive(Serialize)]
struct Blocks {
    first: u32,
    last: u32,
    class: &'static str,
    detail: String,
}

impl Document {
    pub fn new(files: Vec<File>) -> Document {
        let clean = files.iter().all(|file| file.verdict == "clean");
        Document { clean, files }
    }
}

pub(super) fn of_file(outcome: &Outcome) -> File {
    let path = outcome.path.to_string_lossy().into_owned();
    match &outcome.judged {
        Ok(report) => File {
            path,
            verdict: if report.is_clean() {
                "clean"
            } else {
                "corrupt"
            },
            error: None,
            judged: Some(judged(report, outcome.seconds)),
        },
        Err(error) => File {
            path,
            verdict: "not_judged",
            error: Some(error.to_string()),
            judged: None,
        },
    }
}

fn judged(report: &FileReport, seconds: f64) -> Judged {
    let (missing_blocks, surplus_blocks) = match report.size {
        Size::Short(blocks) => (blocks, 0),
        Size::Long(blocks) => (0, blocks),
        Size::AsStated | Size::NotStated => (0, 0),
    };
    Judged {
        kind: match report.kind {
            FileKind::Datafile => "datafile",
            FileKind::ControlFile => "control_file",
            FileKind::RedoLog => "redo_log",
        },
        block_size: report.block_size,
        bytes: report.bytes,
        seconds,
        missing_blocks,
        surplus_blocks,
        size_known: report.size != Size::NotStated,
        in_backup_mode: report.in_backup_mode,
        hole_blocks: report.hole_blocks,
        sound_on_second_look: report.sound_on_second_look,
        totals: totals(report),
        corrupt: blocks(&report.corrupt),
        corrupt_not_listed: report.corrupt.blocks_left_out(),
        zero_allowed: blocks(&report.zero_allowed),
        zero_allowed_not_listed: report.zero_allowed.blocks_left_out(),
    }
}

fn totals(report: &FileReport) -> Totals {
    let summary = &report.summary;
    Totals {
        examined: summary.examined,
        data: summary.data,
        index: summary.index,
        other: summary.other,
        segment: summary.segment,
        empty: summary.empty,
        zero_allowed: summary.zero_allowed,
        marked_corrupt: summary.marked_corrupt(),
        influx: summary.influx(),
        zero: summary.zero,
        bad_header: summary.bad_header,
        sequence_ff: summary.given_up,
        bad_check_value: summary.bad_check_value,
        highest_scn: summary.highest_scn.get(),
    }
}

fn blocks(findings: &Findings) -> Vec<Blocks> {
    let of_finding = |finding: &Finding| Blocks {
        first: finding.first,
        last: finding.last,
        class: finding.verdict.class(),
        detail: finding.verdict.to_string(),
    };
    findings.listed().iter().map(of_finding).collect()
}
