//! A report as DBVERIFY's users know it: bad pages, totals, and a verdict.
//! What lives here: the wording. What does not: figures that the report does not have.

use std::fmt::{self, Display, Formatter};

use brtools::messages::counted;
use oracle::verify::{FileKind, FileReport, Finding, Findings, Size, Summary, Verdict};

/// The report of one file, to be printed.
pub(super) struct Report<'a> {
    pub report: &'a FileReport,
    pub seconds: f64,
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let report = self.report;
        let kind = match report.kind {
            FileKind::Datafile => "data file",
            FileKind::ControlFile => "control file",
            FileKind::RedoLog => "redo log",
        };
        writeln!(
            f,
            "{}: {kind}, blocks of {} bytes",
            report.path.display(),
            report.block_size
        )?;
        pages(f, &report.corrupt, "corrupt")?;
        pages(f, &report.zero_allowed, "all zero where they may be")?;
        totals(f, &report.summary)?;
        notes(f, report)?;
        let mebibytes = report.bytes as f64 / f64::from(1 << 20);
        let effort = format!("{mebibytes:.1} MiB in {:.2} s", self.seconds);
        verdict(f, report, &effort)
    }
}

fn pages(f: &mut Formatter<'_>, findings: &Findings, word: &str) -> fmt::Result {
    for finding in findings.listed() {
        writeln!(f, "  {}", page(finding))?;
    }
    match findings.blocks_left_out() {
        0 => Ok(()),
        1 => writeln!(f, "  and 1 more page that is {word}"),
        more => writeln!(f, "  and {more} more pages that are {word}"),
    }
}

fn page(finding: &Finding) -> String {
    let Finding {
        first,
        last,
        verdict,
    } = finding;
    let found = match verdict {
        Verdict::Zero { allowed: true } => verdict.to_string(),
        Verdict::Fractured { .. } => format!("influx - {verdict}"),
        _ => format!("corrupt - {verdict}"),
    };
    match finding.blocks() {
        1 => format!("Page {first} is {found}"),
        blocks => format!("Pages {first} to {last} are {found} ({blocks} pages)"),
    }
}

fn totals(f: &mut Formatter<'_>, summary: &Summary) -> fmt::Result {
    for (name, total) in [
        ("Total Pages Examined", summary.examined),
        ("Total Pages Processed (Data)", summary.data),
        ("Total Pages Failing   (Data)", 0),
        ("Total Pages Processed (Index)", summary.index),
        ("Total Pages Failing   (Index)", 0),
        ("Total Pages Processed (Other)", summary.other),
        ("Total Pages Processed (Seg)", summary.segment),
        ("Total Pages Failing   (Seg)", 0),
        ("Total Pages Empty", summary.empty),
        ("Total Pages Zero, allowed", summary.zero_allowed),
        ("Total Pages Marked Corrupt", summary.marked_corrupt()),
        ("Total Pages Influx", summary.influx()),
        ("Total Pages Encrypted", 0),
    ] {
        writeln!(f, "  {name:<29}: {total}")?;
    }
    let scn = summary.highest_scn;
    writeln!(
        f,
        "  {:<29}: {scn} ({}.{})",
        "Highest block SCN",
        scn.wrap(),
        scn.base()
    )
}

fn notes(f: &mut Formatter<'_>, report: &FileReport) -> fmt::Result {
    match report.size {
        Size::AsStated => {}
        Size::NotStated => writeln!(
            f,
            "  Block 0 does not say how long the file must be: whether its end is missing is not known"
        )?,
        Size::Short(blocks) => {
            writeln!(
                f,
                "  The file is cut off: {} of its end {} missing",
                counted(blocks, "block"),
                are(blocks)
            )?;
        }
        Size::Long(blocks) => writeln!(
            f,
            "  The file has {} more than its block 0 says: just enlarged, or something was appended",
            counted(blocks, "block")
        )?,
    }
    if report.hole_blocks > 0 {
        writeln!(
            f,
            "  {} in holes of a sparse file, which read as zeros",
            counted(report.hole_blocks, "block")
        )?;
    }
    if report.sound_on_second_look > 0 {
        writeln!(
            f,
            "  {} sound only when read again: the file is being written",
            counted(report.sound_on_second_look, "block")
        )?;
    }
    Ok(())
}

fn verdict(f: &mut Formatter<'_>, report: &FileReport, effort: &str) -> fmt::Result {
    if report.is_clean() {
        return write!(f, "  clean, {effort}");
    }
    let corrupt = report.summary.marked_corrupt();
    let missing = match report.size {
        Size::Short(blocks) => blocks,
        _ => 0,
    };
    let hint = if report.in_backup_mode && report.summary.fractured == corrupt && missing == 0 {
        "the file is in backup mode; recovery repairs fractured pages from redo"
    } else {
        way_out(report.kind, corrupt > 0)
    };
    writeln!(
        f,
        "  CORRUPT: {} corrupt and {missing} missing, {effort}",
        counted(corrupt, "page")
    )?;
    write!(f, "  HINT: {hint}")
}

/// What to do about a file that is not whole: no recovery repairs control files and logs, but they have twins.
fn way_out(kind: FileKind, has_corrupt_pages: bool) -> &'static str {
    match kind {
        FileKind::Datafile if has_corrupt_pages => {
            "verify once more; if it stays, restore the file from a backup and recover it"
        }
        FileKind::Datafile => "take the file from another backup",
        FileKind::ControlFile => {
            "verify the other control files (V$CONTROLFILE); with the database closed, copy a clean one over it. \
             When none is clean, brrestore -m 0 -c force brings back the one of the last backup"
        }
        FileKind::RedoLog => {
            "an online log: verify the other members of its group (V$LOGFILE) and use a clean one. An archived log: \
             brrestore -a <sequence> -c force brings back its saved copy. Without either no recovery gets past it: \
             back up all data files now"
        }
    }
}

fn are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}
