//! What ARCHIVE LOG LIST, SHOW SGA and SHOW PARAMETER say.
//! What lives here: these texts. What does not: the views, which `views` knows.

use crate::engine::error::{OraError, OraResult};
use crate::engine::facts::Facts;
use crate::protocol::Outcome;
use crate::views;

/// The lines of ARCHIVE LOG LIST.
///
/// # Errors
/// ORA-01507 before MOUNT.
pub(super) fn archive_log_list(facts: &Facts) -> OraResult<Vec<String>> {
    let database = facts
        .database
        .as_ref()
        .ok_or_else(|| OraError::new(1507, "database not mounted"))?;
    let used = || {
        database
            .logs
            .iter()
            .map(|log| log.sequence.get())
            .filter(|sequence| *sequence > 0)
    };
    let oldest = used().min().unwrap_or(0);
    let current = database
        .logs
        .iter()
        .find(|log| log.status == "CURRENT")
        .map_or(0, |log| log.sequence.get());
    let waiting = database
        .logs
        .iter()
        .filter(|log| !log.archived && log.sequence.get() > 0);
    let next = waiting
        .map(|log| log.sequence.get())
        .min()
        .unwrap_or(current);
    let line = |name: &str, value: &dyn std::fmt::Display| format!("{name:<30} {value}");
    let (mode, archival) = if database.archivelog {
        ("Archive Mode", "Enabled")
    } else {
        ("No Archive Mode", "Disabled")
    };
    let mut lines = vec![
        line("Database log mode", &mode),
        line("Automatic archival", &archival),
        line(
            "Archive destination",
            &database.archive_destination.display(),
        ),
        line("Oldest online log sequence", &oldest),
    ];
    if database.archivelog {
        lines.push(line("Next log sequence to archive", &next));
    }
    lines.push(line("Current log sequence", &current));
    Ok(lines)
}

/// The lines of SHOW SGA, which STARTUP prints too.
pub(super) fn sga(facts: &Facts) -> Vec<String> {
    let sizes = views::sga_sizes(facts);
    let total = sizes.iter().map(|(_, bytes)| bytes).sum();
    let line = |(name, bytes): (&str, u64)| format!("{name:<24} {bytes:>10} bytes");
    let all = std::iter::once(("Total System Global Area", total)).chain(sizes);
    std::iter::once(String::new())
        .chain(all.map(line))
        .collect()
}

/// The table of SHOW PARAMETER.
pub(super) fn parameters(facts: &Facts, filter: Option<&str>) -> Outcome {
    let filter = filter.unwrap_or_default().to_lowercase();
    let shown = facts
        .parameters
        .iter()
        .filter(|(name, _)| name.to_lowercase().contains(&filter));
    let row = |(name, value): &(String, String)| {
        let kind = views::parameter_kind(value).to_owned();
        vec![
            Some(name.clone()),
            Some(kind),
            Some(value.clone()).filter(|value| !value.is_empty()),
        ]
    };
    Outcome {
        columns: ["NAME", "TYPE", "VALUE"].map(str::to_owned).to_vec(),
        numeric: vec![false; 3],
        widths: vec![36, 11, 30],
        rows: shown.map(row).collect(),
        ..Outcome::default()
    }
}
