//! The files of a snapshot, as they can be found by the names that a host of another system gives them.
//! What lives here: relative paths and the search for their tails. What does not: what is in a file, and who owns it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::copy_name::is_windows;

/// A path within a mount: components with single slashes between them, none of them empty, `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelativePath(String);

/// A text that is no path within a mount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a path within a mount. HINT: it has no slash at its ends, no '//' and no '.' or '..' in it"
)]
pub struct NoRelativePath(pub String);

impl RelativePath {
    /// The path, if it is one. Of a name that is not UTF-8 give what `to_string_lossy` makes of it: logs are read so too.
    ///
    /// # Errors
    /// The text is no such path.
    pub fn new(path: &str) -> Result<RelativePath, NoRelativePath> {
        let good =
            |component: &str| !matches!(component, "" | "." | "..") && !component.contains('\0');
        if path.split('/').all(good) {
            Ok(RelativePath(path.to_owned()))
        } else {
            Err(NoRelativePath(path.to_owned()))
        }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RelativePath {
    type Error = NoRelativePath;

    fn try_from(path: String) -> Result<RelativePath, NoRelativePath> {
        RelativePath::new(&path)
    }
}

impl From<RelativePath> for String {
    fn from(path: RelativePath) -> String {
        path.0
    }
}

/// All regular files of a snapshot.
#[derive(Debug)]
pub struct SnapshotFiles {
    paths: Vec<RelativePath>,
    exact: Tails,
    folded: Tails,
}

/// A path on the database's host, taken apart.
#[derive(Debug, Clone)]
pub(super) struct HostPath {
    components: Vec<String>,
    /// Cases and slashes make no difference; the components are folded.
    windows: bool,
    /// It begins at a root or drive.
    is_absolute: bool,
}

/// What was found in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// This file, by so many components of its tail.
    One { file: usize, components: usize },
    /// More than one file fits equally well.
    Several,
    /// None.
    None,
}

impl SnapshotFiles {
    /// The files; names that occur twice are one.
    pub fn new(paths: impl IntoIterator<Item = RelativePath>) -> SnapshotFiles {
        let mut paths: Vec<RelativePath> = paths.into_iter().collect();
        paths.sort_unstable();
        paths.dedup();
        SnapshotFiles {
            exact: Tails::new(&paths, false),
            folded: Tails::new(&paths, true),
            paths,
        }
    }

    /// All of them, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &RelativePath> {
        self.paths.iter()
    }

    /// Whether this file is among them.
    pub fn contains(&self, path: &RelativePath) -> bool {
        self.paths.binary_search(path).is_ok()
    }

    pub(super) fn path(&self, file: usize) -> Option<&RelativePath> {
        self.paths.get(file)
    }

    fn tails(&self, windows: bool) -> &Tails {
        if windows { &self.folded } else { &self.exact }
    }

    /// The file that has exactly this path below the mount.
    pub(super) fn below(&self, mount: &HostPath, path: &HostPath) -> Found {
        let below = path.components.get(mount.components.len()..);
        self.tails(path.windows).whole(below.unwrap_or_default())
    }

    /// The file whose path has the longest tail in common with this one, at least its name.
    pub(super) fn by_tail(&self, path: &HostPath) -> Found {
        self.tails(path.windows).longest(&path.components)
    }
}

impl HostPath {
    /// Takes a path apart; `None` if it cannot be of a mount: in ASM, or with `..` in it, which RMAN never writes.
    pub(super) fn new(path: &str) -> Option<HostPath> {
        let windows = is_windows(path)
            || matches!(path.as_bytes(), [drive, b':'] if drive.is_ascii_alphabetic());
        let separates: &[char] = if windows { &['/', '\\'] } else { &['/'] };
        let components: Vec<String> = path
            .split(separates)
            .filter(|component| !matches!(*component, "" | "."))
            .map(|component| fold(component, windows))
            .collect();
        let elsewhere = path.starts_with('+') || components.iter().any(|it| it == "..");
        (!elsewhere).then_some(HostPath {
            components,
            windows,
            is_absolute: windows || path.starts_with('/'),
        })
    }

    /// Whether it says where it is, whatever the working directory.
    pub(super) fn is_absolute(&self) -> bool {
        self.is_absolute
    }

    /// Whether this lies below the mount.
    pub(super) fn is_below(&self, mount: &HostPath) -> bool {
        self.is_absolute
            && mount.is_absolute
            && self.windows == mount.windows
            && self.components.len() > mount.components.len()
            && self.components.starts_with(&mount.components)
    }
}

/// A path of the log as it can be compared with others of it: RMAN's names on Windows are upper case, formats need not
/// be, and a format may have a slash too many.
pub(super) fn comparable(path: &str) -> String {
    match HostPath::new(path) {
        Some(path) => {
            let root = if path.is_absolute { "/" } else { "" };
            format!("{root}{}", path.components.join("/"))
        }
        None => path.to_owned(),
    }
}

fn fold(text: &str, windows: bool) -> String {
    if windows {
        text.to_ascii_uppercase()
    } else {
        text.to_owned()
    }
}

/// Paths with their components turned round, sorted: those with the longest tail in common with a path are its neighbours.
#[derive(Debug)]
struct Tails {
    /// Components from the last to the first with [`TURN`] between them, and whose they are.
    keys: Vec<(String, usize)>,
}

/// Less than every character of a name, so that text sorts as components do. No name has it: [`RelativePath::new`].
const TURN: char = '\0';

impl Tails {
    fn new(paths: &[RelativePath], windows: bool) -> Tails {
        let key = |path: &RelativePath| {
            let components: Vec<&str> = path.0.rsplit('/').collect();
            fold(&components.join(&TURN.to_string()), windows)
        };
        let mut keys: Vec<(String, usize)> = paths
            .iter()
            .enumerate()
            .map(|(file, path)| (key(path), file))
            .collect();
        keys.sort_unstable();
        Tails { keys }
    }

    fn key_of(components: &[String]) -> String {
        let turned: Vec<&str> = components.iter().rev().map(String::as_str).collect();
        turned.join(&TURN.to_string())
    }

    fn whole(&self, components: &[String]) -> Found {
        let wanted = Tails::key_of(components);
        let first = self.keys.partition_point(|(key, _)| *key < wanted);
        let mut equal = self
            .keys
            .get(first..)
            .unwrap_or_default()
            .iter()
            .take_while(|(key, _)| *key == wanted);
        match (equal.next(), equal.next()) {
            (Some((_, file)), None) => Found::One {
                file: *file,
                components: components.len(),
            },
            (Some(_), Some(_)) => Found::Several,
            _ => Found::None,
        }
    }

    fn longest(&self, components: &[String]) -> Found {
        let wanted = Tails::key_of(components);
        let place = self.keys.partition_point(|(key, _)| *key < wanted);
        // Two on each side: the nearest has the longest tail in common, the next one may have as much.
        let near = place.saturating_sub(2)..self.keys.len().min(place + 2);
        let common = |(key, file): &(String, usize)| (components_in_common(key, &wanted), *file);
        let mut found: Vec<(usize, usize)> = self
            .keys
            .get(near)
            .unwrap_or_default()
            .iter()
            .map(common)
            .filter(|(components, _)| *components > 0)
            .collect();
        found.sort_unstable_by(|one, other| other.cmp(one));
        match found.as_slice() {
            [] => Found::None,
            [(best, _), (next, _), ..] if best == next => Found::Several,
            [(components, file), ..] => Found::One {
                file: *file,
                components: *components,
            },
        }
    }
}

fn components_in_common(one: &str, other: &str) -> usize {
    let pairs = one.split(TURN).zip(other.split(TURN));
    pairs.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> SnapshotFiles {
        let path = |path: &&str| RelativePath::new(path).expect("a relative path");
        SnapshotFiles::new(paths.iter().map(path))
    }

    fn by_tail<'a>(files: &'a SnapshotFiles, path: &str) -> Result<&'a str, Found> {
        match files.by_tail(&HostPath::new(path).expect("a host's path")) {
            Found::One { file, .. } => Ok(files.path(file).expect("a file").as_str()),
            other => Err(other),
        }
    }

    #[test]
    fn paths_that_lead_out_are_no_relative_paths() {
        for good in ["a", "a/b", "a/...", "a b/<c>:\\d"] {
            assert!(RelativePath::new(good).is_ok(), "{good}");
        }
        for bad in ["", "/", "/a", "a/", "a//b", "./a", "a/../b", "..", "a\0b"] {
            assert!(RelativePath::new(bad).is_err(), "{bad}");
            let json = serde_json::to_string(bad).expect("text is JSON");
            assert!(
                serde_json::from_str::<RelativePath>(&json).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn the_longest_tail_decides_and_a_tie_decides_nothing() {
        let files = files(&["a/x", "b/x", "c/b/x", "d/y", "Y", "xx", "b/x/z"]);
        assert_eq!(by_tail(&files, "/m/a/x"), Ok("a/x"));
        assert_eq!(by_tail(&files, "/m/c/b/x"), Ok("c/b/x"));
        assert_eq!(by_tail(&files, "/m/b/x"), Err(Found::Several));
        assert_eq!(by_tail(&files, "/m/e/x"), Err(Found::Several));
        assert_eq!(by_tail(&files, "/m/y"), Ok("d/y"));
        assert_eq!(by_tail(&files, "Z:\\m\\y"), Err(Found::Several));
        assert_eq!(by_tail(&files, "Z:\\m\\A\\X"), Ok("a/x"));
        assert_eq!(by_tail(&files, "/m/z"), Ok("b/x/z"));
        assert_eq!(by_tail(&files, "/m/zz"), Err(Found::None));
        assert_eq!(by_tail(&files, "/"), Err(Found::None));
    }

    #[test]
    fn below_a_mount_the_whole_path_counts() {
        let files = files(&["a/x", "b/x", "B/X"]);
        let below = |mount: &str, path: &str| {
            let mount = HostPath::new(mount).expect("a mount");
            let path = HostPath::new(path).expect("a path");
            path.is_below(&mount).then(|| files.below(&mount, &path))
        };
        let one = |file| {
            Some(Found::One {
                file,
                components: 2,
            })
        };
        // Sorted: B/X, a/x, b/x.
        assert_eq!(below("/local/m/", "/local//m/./a/x"), one(1));
        assert_eq!(below("/local/m", "/local/m2/a/x"), None);
        assert_eq!(below("/local/m", "/local/m/x"), Some(Found::None));
        assert_eq!(below("/", "/b/x"), one(2));
        assert_eq!(below("z:", "Z:\\A\\X"), one(1));
        assert_eq!(below("Z:\\", "z:/b/x"), Some(Found::Several));
        assert_eq!(below("\\\\store\\m", "\\\\STORE\\M\\A\\X"), one(1));
        assert_eq!(below("/local/m", "a/x"), None);
        assert_eq!(below("/local/m", "/local/m"), None);
        assert!(HostPath::new("+DATA/PRD/x").is_none());
        assert!(HostPath::new("/local/m/../x").is_none());
    }

    #[test]
    fn the_search_by_tails_finds_what_a_comparison_with_each_file_finds() {
        let names = ["a", "b", "c", "ab"];
        let mut all = Vec::new();
        for one in names {
            all.push(one.to_owned());
            for two in names {
                all.push(format!("{one}/{two}"));
                all.extend(names.iter().map(|three| format!("{one}/{two}/{three}")));
            }
        }
        for step in 1..all.len() {
            let some: Vec<&str> = all.iter().step_by(step).map(String::as_str).collect();
            let files = files(&some);
            for wanted in &all {
                let tail = |file: &&str| {
                    let pairs = file.rsplit('/').zip(wanted.rsplit('/'));
                    pairs.take_while(|(one, other)| one == other).count()
                };
                let best = some.iter().map(&tail).max().unwrap_or(0);
                let fitting: Vec<&&str> = some.iter().filter(|file| tail(file) == best).collect();
                let expected = match fitting.as_slice() {
                    _ if best == 0 => Err(Found::None),
                    [one] => Ok(**one),
                    _ => Err(Found::Several),
                };
                assert_eq!(
                    by_tail(&files, &format!("/m/{wanted}")),
                    expected,
                    "{some:?}"
                );
            }
        }
    }
}
