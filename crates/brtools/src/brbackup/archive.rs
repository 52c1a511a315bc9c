//! `-a`: the run of brarchive that follows a good backup.
//! What lives here: its options, checked before the backup begins. What does not: saving logs, which is `brarchive`.

use crate::action_id::Tool;
use crate::brarchive::function::{ArchiveFunction, FUNCTIONS};
use crate::faults::Faults;
use crate::messages::Message;
use crate::options::{self, Parsed};
use crate::values::{Confirmation, Values};

/// The options of the brarchive that follows: the words behind `-a`, with the device, the profile and the query of
/// this run unless they say otherwise. None without `-a`.
///
/// A backup of many hours must not end with its redo unsaved because of a typing error that was there at its start.
pub(super) fn options(own: &Parsed) -> Result<Option<Parsed>, Faults> {
    let Some(words) = &own.pass_through else {
        return Ok(None);
    };
    let mut faults = Faults::default();
    match inherited(words.clone(), own) {
        Ok(options) => {
            check(own, &options, &mut faults);
            if faults.is_empty() {
                return Ok(Some(options));
            }
        }
        Err(message) => faults.push(message),
    }
    faults.push(Message::info(
        9045,
        &[&"this concerns the options behind -a, which are brarchive's; nothing was begun"],
    ));
    Err(faults)
}

fn inherited(mut words: Vec<String>, own: &Parsed) -> Result<Parsed, Message> {
    let given = options::parse(Tool::Brarchive, &words)?;
    for option in ["d", "p"] {
        if let Some(value) = own.value(option).filter(|_| !given.has(option)) {
            words.extend([format!("-{option}"), value.to_owned()]);
        }
    }
    // A query shows what both would do; it must not save and delete logs.
    if own.has("q") && !given.has("q") {
        words.push("-q".to_owned());
    }
    options::parse(Tool::Brarchive, &words)
}

/// What brarchive would refuse when its turn comes.
fn check(own: &Parsed, options: &Parsed, faults: &mut Faults) {
    let Some(environment) = faults.environment() else {
        return;
    };
    let (profile, _) = faults.profile(&environment.profile(options.value("p")));
    if !faults.is_empty() {
        return;
    }
    let (own, values) = (
        Values {
            options: own,
            profile: &profile,
        },
        Values {
            options,
            profile: &profile,
        },
    );
    if own.confirmation() != Confirmation::Ask
        && values.confirmation() == Confirmation::Ask
        && !options.has("q")
    {
        let what = "brbackup would run unattended, but brarchive would stop and ask";
        faults.push(Message::error(
            9044,
            &[&what, &"give -c once more behind -a: brbackup … -c -a … -c"],
        ));
    }
    check_function(&values, faults);
    if let Some(text) = options.value("n")
        && !text.parse().is_ok_and(|number: usize| number > 0)
    {
        faults.push(Message::error(
            156,
            &[&text, &"-n", &"a number of logs above 0"],
        ));
    }
    values.copy_tool(faults);
    values.check_device("brarchive", faults);
}

fn check_function(values: &Values, faults: &mut Faults) {
    let given: Vec<_> = FUNCTIONS
        .iter()
        .filter(|function| values.options.has(function.option))
        .collect();
    if let [first, second, ..] = given.as_slice() {
        let what = format!(
            "options -{} and -{} contradict",
            first.option, second.option
        );
        faults.push(Message::error(9044, &[&what, &"give one function a run"]));
    }
    let first = match values.profile.is_set("archive_copy_dir") {
        true => values.text("", "archive_copy_dir").into(),
        false => values
            .root_directories()
            .into_iter()
            .next()
            .unwrap_or_default(),
    };
    let second = values
        .root_directories()
        .into_iter()
        .find(|root| *root != first);
    let name = values.text("", "archive_function");
    let function = given
        .first()
        .map(|function| **function)
        .or_else(|| ArchiveFunction::by_name(&name));
    if let Some(function) = function
        && function.needs_second_place()
        && second.is_none()
    {
        let hint = "name a second directory in backup_root_dir: two copies in one directory are as good as one";
        faults.push(Message::error(
            191,
            &[&function.name, &"archive_function", &"disk", &hint],
        ));
    }
    for directory in std::iter::once(first)
        .chain(second)
        .filter(|path| !path.is_dir())
    {
        let hint = "create it, or correct archive_copy_dir and backup_root_dir";
        faults.push(Message::error(282, &[&directory.display(), &hint]));
    }
}
