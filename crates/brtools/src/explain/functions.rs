//! Function ids: the extensions of detail logs.
//! What lives here: their meaning, those of SAP's tools that this release does not write included. What does not: ids.

const FIXED: &[(char, &str, &str)] = &[
    ('b', "tib", "labelling of tapes"),
    ('b', "qub", "a query of which volumes are needed"),
    ('b', "cmb", "measuring of compression rates"),
    ('b', "rmp", "preparation of RMAN"),
    ('b', "dbv", "a check of data files"),
    ('b', "ddb", "deletion of a backup on disk"),
    ('b', "bab", "ending of a running backup"),
    ('a', "sve", "first copies of offline redo logs"),
    ('a', "cpy", "second copies of offline redo logs"),
    (
        'a',
        "svd",
        "first copies of offline redo logs, then their deletion",
    ),
    (
        'a',
        "cpd",
        "second copies of offline redo logs, then their deletion",
    ),
    ('a', "dsv", "deletion of offline redo logs that have a copy"),
    (
        'a',
        "dcp",
        "deletion of offline redo logs that have two copies",
    ),
    ('a', "ssv", "two copies of offline redo logs at once"),
    (
        'a',
        "ssd",
        "two copies of offline redo logs at once, then their deletion",
    ),
    (
        'a',
        "cps",
        "second copies of saved offline redo logs and first copies of new ones",
    ),
    (
        'a',
        "cds",
        "second copies and deletion of saved offline redo logs, first copies of new ones",
    ),
    ('a', "tia", "labelling of tapes"),
    ('a', "qua", "a query of which offline redo logs there are"),
    ('a', "cma", "measuring of compression rates"),
    (
        'a',
        "fst",
        "a word to a waiting brarchive: stop, suspend or resume",
    ),
    ('a', "aab", "ending of a running archiving"),
    ('r', "rsb", "restore of files of a backup"),
    ('r', "rsa", "restore of offline redo logs"),
    ('r', "rsf", "restore of one file by its position on a tape"),
    ('r', "qur", "a query of what a restore would need"),
    ('v', "crv", "complete recovery"),
    ('v', "dpt", "recovery of the database to a point in time"),
    ('v', "tpt", "recovery of tablespaces to a point in time"),
    ('v', "drs", "reset of the database to a whole backup"),
    ('v', "rif", "restore of individual files"),
    ('v', "alf", "application of offline redo logs"),
    ('v', "drv", "disaster recovery"),
    ('c', "chk", "check of the database"),
    ('c', "cln", "cleanup of logs and old backups"),
    ('c', "nxt", "adapting of next extents"),
    ('c', "sta", "update of optimizer statistics"),
    ('c', "quc", "a query"),
];

/// What a function id of the tool with this letter means.
pub(super) fn told(letter: char, function: &str) -> Option<String> {
    let fixed = FIXED
        .iter()
        .find(|(tool, id, _)| *tool == letter && *id == function);
    if let Some((_, _, told)) = fixed {
        return Some((*told).to_owned());
    }
    if letter != 'b' {
        return None;
    }
    let mut letters = function.chars();
    let (what, how, place) = (letters.next()?, letters.next()?, letters.next()?);
    if letters.next().is_some() {
        return None;
    }
    let what = match what {
        'a' => "backup of the whole database",
        'p' => "backup of a part of the database",
        'f' => "full backup (level 0)",
        'i' => "incremental backup (level 1)",
        _ => return None,
    };
    let how = match how {
        'n' => "online",
        'f' => "offline",
        _ => return None,
    };
    let place = match place {
        't' => "to tape",
        'p' => "to a tape of another host",
        'd' => "to disk",
        'f' => "by a backup utility, file by file",
        'v' => "by a backup utility, volume by volume",
        's' => "to a disk of another host",
        'r' => "by RMAN",
        _ => return None,
    };
    Some(format!("{what}, {how}, {place}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letters_of_a_backup_are_told_one_by_one() {
        assert_eq!(
            told('b', "pnt").as_deref(),
            Some("backup of a part of the database, online, to tape")
        );
        for (letter, function) in [
            ('b', "xnd"),
            ('b', "axd"),
            ('b', "anx"),
            ('b', "and1"),
            ('a', "and"),
            ('b', "an"),
        ] {
            assert_eq!(told(letter, function), None, "{letter} {function}");
        }
    }

    #[test]
    fn no_function_id_has_two_meanings() {
        for (index, one) in FIXED.iter().enumerate() {
            assert!(
                FIXED[index + 1..]
                    .iter()
                    .all(|other| (other.0, other.1) != (one.0, one.1))
            );
        }
    }
}
