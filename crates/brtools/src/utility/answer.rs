//! What a backup utility says of each file it was given.
//! What lives here: the grammar, and holding the answers against the list. What does not: calling it.
//!
//! | function | done | not done |
//! |---|---|---|
//! | backup | `#SAVED <id> <file> [<volume>]` | `#ERROR <file>` |
//! | restore | `#RESTORED <id> <file>` | `#NOTFOUND <file>`, `#ERROR <file>` |
//! | inquire | `#BACKUP <id> [<file>]` | `#NOTFOUND <file>`, `#ERROR <file>` |
//!
//! The first word decides, whatever blanks are before it; any other line is talk. A file counts as saved when exactly one
//! answer speaks of it and gives an id of 1 to 16 characters: silence is no success, and neither is exit status 0.

use std::collections::HashMap;

use super::{Function, ID_BYTES_MAX};

/// What became of one file of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done, under this external backup id.
    Done(String),
    /// Not done: `#ERROR`.
    Error,
    /// Not there: `#NOTFOUND`.
    NotFound,
    /// Nothing was said of it.
    Silence,
}

/// An answer that cannot be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerFault {
    /// Done, of a file that was not in the list.
    UnknownDone(String),
    /// An error, of a file that was not in the list.
    UnknownError(String),
    /// An id that is missing or too long, of this file.
    BadId(String),
    /// Two answers for one file.
    Twice(String),
}

/// The answers for each file of the list, in its order, and what cannot be right. A file with a fault is not done.
pub fn read_answers(
    function: Function,
    files: &[String],
    output: &str,
) -> (Vec<Answer>, Vec<AnswerFault>) {
    let places: HashMap<&str, usize> = files
        .iter()
        .enumerate()
        .map(|(place, file)| (file.as_str(), place))
        .collect();
    let mut answers = vec![Answer::Silence; files.len()];
    let mut faults = Vec::new();
    for (file, answer) in output.lines().filter_map(|line| read(function, line)) {
        let Some(place) = places.get(file) else {
            faults.push(match answer {
                Answer::Done(_) => AnswerFault::UnknownDone(file.to_owned()),
                _ => AnswerFault::UnknownError(file.to_owned()),
            });
            continue;
        };
        let answer = match answer {
            Answer::Done(id) if id.is_empty() || id.len() > ID_BYTES_MAX => {
                faults.push(AnswerFault::BadId(file.to_owned()));
                Answer::Error
            }
            answer => answer,
        };
        let slot = &mut answers[*place];
        if *slot != Answer::Silence {
            faults.push(AnswerFault::Twice(file.to_owned()));
            *slot = Answer::Error;
            continue;
        }
        *slot = answer;
    }
    (answers, faults)
}

/// File and answer of a line; None for talk.
fn read(function: Function, line: &str) -> Option<(&str, Answer)> {
    let mut words = line.split_ascii_whitespace();
    let keyword = words.next()?;
    let done = match function {
        Function::Backup => "#SAVED",
        Function::Restore => "#RESTORED",
        Function::Inquire => "#BACKUP",
    };
    match keyword {
        "#ERROR" => Some((words.next()?, Answer::Error)),
        "#NOTFOUND" if function != Function::Backup => Some((words.next()?, Answer::NotFound)),
        keyword if keyword == done => {
            let (id, file) = (words.next()?, words.next());
            match file {
                Some(file) => Some((file, Answer::Done(id.to_owned()))),
                // `#SAVED <file>`: the id is missing. An inquiry may answer with an id alone, which names no file.
                None if function == Function::Backup && id.starts_with('/') => {
                    Some((id, Answer::Done(String::new())))
                }
                None => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn backup(output: &str) -> (Vec<Answer>, Vec<AnswerFault>) {
        let files = ["/o/system.data1".to_owned(), "/o/users.data1".to_owned()];
        read_answers(Function::Backup, &files, output)
    }

    fn done(id: &str) -> Answer {
        Answer::Done(id.to_owned())
    }

    #[test]
    fn each_file_is_answered_for_by_one_line_among_the_talk() {
        let (answers, faults) = backup(
            "Data Protection for SAP\n  #SAVED VXF1134574401 /o/users.data1 TAPE01\n#ERROR /o/system.data1\n#FREE talk\n",
        );
        assert_eq!(answers, [Answer::Error, done("VXF1134574401")]);
        assert_eq!(faults, []);
    }

    #[test]
    fn silence_is_no_success() {
        assert_eq!(backup("all done\n").0, [Answer::Silence, Answer::Silence]);
    }

    #[test]
    fn what_cannot_be_right_is_named_and_the_file_is_not_done() {
        let long = "x".repeat(17);
        let file = || "/o/system.data1".to_owned();
        for (line, fault) in [
            (
                format!("#SAVED {long} /o/system.data1"),
                AnswerFault::BadId(file()),
            ),
            (
                "#SAVED /o/system.data1".to_owned(),
                AnswerFault::BadId(file()),
            ),
            (
                "#SAVED a /o/system.data1\n#SAVED b /o/system.data1".to_owned(),
                AnswerFault::Twice(file()),
            ),
            (
                "#SAVED a /other".to_owned(),
                AnswerFault::UnknownDone("/other".into()),
            ),
            (
                "#ERROR /other".to_owned(),
                AnswerFault::UnknownError("/other".into()),
            ),
        ] {
            let (answers, faults) = backup(&line);
            assert_eq!(faults, [fault], "{line}");
            assert!(!matches!(answers[0], Answer::Done(_)), "{line}");
        }
    }

    #[test]
    fn restores_and_inquiries_have_words_of_their_own() {
        let files = ["/a".to_owned(), "/b".to_owned()];
        let (answers, _) = read_answers(
            Function::Restore,
            &files,
            "#RESTORED id /a\n#NOTFOUND /b\n#SAVED id /b\n",
        );
        assert_eq!(answers, [done("id"), Answer::NotFound]);
        let (answers, faults) =
            read_answers(Function::Inquire, &files, "#BACKUP id\n#BACKUP id /b\n");
        assert_eq!(answers, [Answer::Silence, done("id")]);
        assert_eq!(faults, []);
    }

    proptest! {
        #[test]
        fn nothing_that_a_utility_says_makes_it_panic(lines in prop::collection::vec("(#(SAVED|ERROR|RESTORED|NOTFOUND|BACKUP) ?)?.{0,30}", 0..20)) {
            let (answers, _) = backup(&lines.join("\n"));
            prop_assert_eq!(answers.len(), 2);
        }
    }
}
