//! Which files of a recovery point somebody wants back.
//! What lives here: reading the request, and finding its files. What does not: bringing them (restore).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use api::admin::RestoreRequest;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use oracle::rman::MappedDatabase;

use super::story::Story;
use crate::refusal::Refusal;

/// Patterns of a request.
const PATTERNS_MAX: usize = 100;
/// Bytes of one.
const PATTERN_BYTES_MAX: usize = 4096;

/// What was asked for.
pub(super) struct Choice {
    /// Paths of files, below the mount's root.
    pub files: BTreeSet<String>,
    links: Links,
}

/// Which symbolic links come along.
enum Links {
    All,
    Matching(GlobSet),
    None,
}

impl Choice {
    /// Whether a request makes sense at all.
    pub(super) fn check(request: &RestoreRequest) -> Result<(), Refusal> {
        let by_name = request.database.is_some() || !request.datafiles.is_empty();
        if by_name && !request.paths.is_empty() {
            return Err(Refusal::bad_request(
                "paths and a database or data files were asked for",
                "give one of them; two restores bring both",
            ));
        }
        patterns(&request.paths).map(drop)
    }

    /// The files of a recovery point that a request means; at least one.
    pub(super) fn of(
        request: &RestoreRequest,
        story: Option<&Story>,
        files: &[(String, u64)],
    ) -> Result<Choice, Refusal> {
        Choice::check(request)?;
        let all = files.iter().map(|(path, _)| path);
        let (files, links, why_not) = if !request.paths.is_empty() {
            let set = patterns(&request.paths)?;
            let matching = all.filter(|path| set.is_match(path)).cloned().collect();
            (matching, Links::Matching(set), "no file has such a path")
        } else if request.database.is_none() && request.datafiles.is_empty() {
            let why_not = "the recovery point has no files";
            (all.cloned().collect(), Links::All, why_not)
        } else {
            let databases = databases(request, story)?;
            let files = if request.datafiles.is_empty() {
                let of_all = databases.iter().flat_map(|database| database.files());
                of_all.map(|file| file.as_str().to_owned()).collect()
            } else {
                of_datafiles(&databases, &request.datafiles)?
            };
            (files, Links::None, "the recovery point has no such file")
        };
        if files.is_empty() {
            let hint = "'backstay recovery-point show --files' lists its files";
            return Err(Refusal::bad_request(why_not, hint));
        }
        Ok(Choice { files, links })
    }

    /// Whether a file or link is meant.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.files.contains(path.to_string_lossy().as_ref())
            || match &self.links {
                Links::All => true,
                Links::Matching(set) => set.is_match(path),
                Links::None => false,
            }
    }
}

fn patterns(paths: &[String]) -> Result<GlobSet, Refusal> {
    if paths.len() > PATTERNS_MAX || paths.iter().any(|path| path.len() > PATTERN_BYTES_MAX) {
        return Err(Refusal::bad_request(
            format!(
                "more than {PATTERNS_MAX} patterns, or one of more than {PATTERN_BYTES_MAX} bytes"
            ),
            "use * and **",
        ));
    }
    let bad = |error: globset::Error| {
        let hint = "* is any part of a name, ** any directories, ? a character";
        Refusal::bad_request(error.to_string(), hint)
    };
    let mut set = GlobSetBuilder::new();
    for path in paths {
        let mut glob = GlobBuilder::new(path.trim_start_matches('/'));
        set.add(glob.literal_separator(true).build().map_err(bad)?);
    }
    set.build().map_err(bad)
}

/// The databases that are meant.
fn databases<'a>(
    request: &RestoreRequest,
    story: Option<&'a Story>,
) -> Result<Vec<&'a MappedDatabase>, Refusal> {
    let mut known: Vec<&MappedDatabase> = story
        .map(|story| story.mapped().collect())
        .unwrap_or_default();
    let names: BTreeSet<&str> = known
        .iter()
        .filter_map(|database| database.name.as_deref())
        .collect();
    if let Some(wanted) = &request.database {
        known.retain(|database| {
            let name = database.name.as_ref();
            name.is_some_and(|name| name.eq_ignore_ascii_case(wanted))
        });
    }
    if known.is_empty() {
        let names: Vec<&str> = names.into_iter().collect();
        let told = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        return Err(Refusal::bad_request(
            format!("no log of the recovery point tells of that database; known are: {told}"),
            "choose by --path; 'backstay recovery-point show --files' lists all files",
        ));
    }
    Ok(known)
}

/// A database by name and DBID.
type Owner<'a> = (Option<&'a str>, Option<u64>);

/// The files that have data files of these numbers.
fn of_datafiles(
    databases: &[&MappedDatabase],
    numbers: &[u32],
) -> Result<BTreeSet<String>, Refusal> {
    let mut owners: BTreeMap<u32, BTreeSet<Owner>> = BTreeMap::new();
    let mut files = BTreeSet::new();
    for database in databases {
        let wanted = database
            .datafiles
            .iter()
            .filter(|datafile| numbers.contains(&datafile.number));
        for datafile in wanted {
            let owner = (database.name.as_deref(), database.dbid);
            owners.entry(datafile.number).or_default().insert(owner);
            files.extend(datafile.files.iter().map(|file| file.as_str().to_owned()));
        }
    }
    if let Some((number, _)) = owners.iter().find(|(_, owners)| owners.len() > 1) {
        return Err(Refusal::bad_request(
            format!("several databases have a data file {number}"),
            "say which with --database",
        ));
    }
    match numbers.iter().find(|number| !owners.contains_key(number)) {
        Some(number) => Err(Refusal::bad_request(
            format!("no log of the recovery point tells of data file {number}"),
            "choose by --path; 'backstay recovery-point show --files' lists all files",
        )),
        None => Ok(files),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(paths: &[&str]) -> Vec<String> {
        let files = ["a", "d/a", "d/e/b.bkp", "d/c.bkp"].map(|path| (path.to_owned(), 1));
        let request = RestoreRequest {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            ..RestoreRequest::default()
        };
        let choice = Choice::of(&request, None, &files);
        choice.map_or_else(
            |refusal| vec![refusal.message],
            |choice| choice.files.into_iter().collect(),
        )
    }

    #[test]
    fn patterns_mean_what_shells_mean() {
        assert_eq!(chosen(&["a"]), ["a"]);
        assert_eq!(chosen(&["/d/*"]), ["d/a", "d/c.bkp"]);
        assert_eq!(chosen(&["**/*.bkp", "a"]), ["a", "d/c.bkp", "d/e/b.bkp"]);
        assert_eq!(chosen(&[]).len(), 4);
        assert_eq!(chosen(&["x*"]), ["no file has such a path"]);
        assert!(chosen(&["["])[0].contains('['));
        assert!(chosen(&[&"a".repeat(5000)])[0].contains("4096"));
    }
}
