//! The log of several channels, read as its grammar says, against what the pieces really hold.
//! What lives here: that interleaved lines can be told apart. What does not: Backstay's own reading of such logs.

mod practice_database;
mod rman_world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use practice::engine::backup::piece::PieceReader;
use rman_world::World;

/// What a log says of one piece: data files, log sequences, control file, parameter file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Contents {
    files: BTreeSet<u32>,
    logs: BTreeSet<u32>,
    controlfile: bool,
    spfile: bool,
}

/// `channel C: rest`, in a line without its number.
fn of_channel(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("channel ")?.split_once(": ")
}

fn number_behind(text: &str, head: &str) -> Option<u32> {
    let digits: String = text
        .split_once(head)?
        .1
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

/// The grammar: a line without a channel's name belongs to the channel whose specification is open; a handle belongs to
/// the piece that was finished in the line before.
fn pieces(log: &str) -> BTreeMap<PathBuf, (Contents, String)> {
    let mut found = BTreeMap::new();
    let mut open: Option<String> = None;
    let mut contents: BTreeMap<String, Contents> = BTreeMap::new();
    let mut finished: Option<String> = None;
    for line in log.lines() {
        let Some((_, text)) = line
            .strip_prefix("RMAN-")
            .and_then(|line| line.split_once(": "))
        else {
            continue;
        };
        if let Some(handle) = text.strip_prefix("piece handle=") {
            let (handle, rest) = handle.rsplit_once(" tag=").expect("a tag");
            let channel = finished
                .take()
                .expect("a finished piece in the line before");
            let tag = rest.strip_suffix(" comment=NONE").expect("a comment");
            let before = found.insert(
                PathBuf::from(handle),
                (contents[&channel].clone(), tag.to_owned()),
            );
            assert!(before.is_none(), "{handle} is written twice");
            continue;
        }
        assert!(
            finished.is_none(),
            "between a finished piece and its handle: {line}"
        );
        match of_channel(text) {
            Some((channel, rest)) if rest.starts_with("specifying ") => {
                assert!(open.is_none(), "two specifications are open: {line}");
                contents.insert(channel.to_owned(), Contents::default());
                open = Some(channel.to_owned());
            }
            Some((channel, rest)) if rest.starts_with("starting piece 1 at ") => {
                assert_eq!(open.take().as_deref(), Some(channel));
            }
            Some((channel, rest)) if rest.starts_with("finished piece 1 at ") => {
                finished = Some(channel.to_owned())
            }
            Some(_) => {}
            None => {
                let Some(contents) = open.as_ref().and_then(|channel| contents.get_mut(channel))
                else {
                    assert!(
                        !text.starts_with("input ") && !text.starts_with("including "),
                        "nobody's: {line}"
                    );
                    continue;
                };
                contents
                    .files
                    .extend(number_behind(text, "input datafile file number="));
                contents
                    .logs
                    .extend(number_behind(text, "input archived log thread=1 sequence="));
                contents.controlfile |= text == "including current control file in backup set";
                contents.spfile |= text == "including current SPFILE in backup set";
            }
        }
    }
    found
}

fn really_in(piece: &Path) -> (Contents, String) {
    let reader = PieceReader::open(piece).unwrap();
    let record = reader.record();
    let contents = Contents {
        files: record.files.iter().map(|file| file.number).collect(),
        logs: record.logs.iter().map(|log| log.sequence).collect(),
        controlfile: record.controlfile.is_some(),
        spfile: record.spfile,
    };
    (contents, record.tag.clone())
}

#[test]
fn interleaved_lines_of_four_channels_say_what_is_in_each_piece() {
    let world = World::open();
    let m = world.m();
    let load = world.load(1);
    let allocate =
        |number| format!("allocate channel c{number} device type disk format '{m}/%U';\n");
    let channels: String = (1..=4).map(allocate).collect();
    let log = world.must(&format!(
        "run {{\n{channels}\
         backup filesperset 1 tag 'ONE EACH' database;\n\
         backup filesperset 2 tag 'TWO EACH' database;\n\
         sql 'alter system archive log current';\n\
         backup filesperset 1 tag logs archivelog all;\n\
         }}\n"
    ));
    World::end(load);
    let said = pieces(&log);
    assert!(said.len() > 12, "{} pieces\n{log}", said.len());
    let there: BTreeSet<PathBuf> = world.files("_1_1").into_iter().collect();
    assert_eq!(said.keys().cloned().collect::<BTreeSet<_>>(), there);
    for (piece, contents) in said {
        assert_eq!(contents, really_in(&piece), "{}\n{log}", piece.display());
    }
    // Really side by side: some channel finishes between another's start and finish.
    let order: Vec<&str> = log
        .lines()
        .filter_map(|line| {
            let (channel, rest) = of_channel(line.split_once(": ")?.1)?;
            let marks = ["starting piece", "finished piece"];
            marks
                .iter()
                .any(|mark| rest.starts_with(mark))
                .then_some(channel)
        })
        .collect();
    assert!(order.windows(2).any(|pair| pair[0] != pair[1]), "{order:?}");
}

#[test]
fn every_step_that_is_begun_is_finished_and_every_message_has_its_number() {
    let world = World::open();
    let m = world.m();
    let log = world.must(&format!(
        "backup format '{m}/%U' datafile 1;\nlist backup;\nrestore datafile 1 validate;\nreport schema;\n"
    ));
    assert_eq!(
        log.matches(": Starting ").count(),
        log.matches(": Finished ").count()
    );
    let messages = log
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("RMAN> "));
    for line in messages {
        let numbered = line.len() > 12
            && line.starts_with("RMAN-")
            && line[5..10].bytes().all(|byte| byte.is_ascii_digit())
            && &line[10..12] == ": ";
        let free = line.starts_with("Recovery Manager");
        assert!(numbered || free, "no number: {line}");
    }
    let without = world.rman_with(&["target", "/"], "list backup;\n");
    let said = String::from_utf8_lossy(&without.stdout).into_owned();
    assert!(!said.contains("RMAN-0"), "{said}");
}
