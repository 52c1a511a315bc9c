//! Which of the named volumes a run takes, and why not the others.
//! What lives here: the choice. What does not: the label on the tape, which is looked at when it is in the drive.
//!
//! Documented: from the list of the profile in a circle, beginning behind the volume that was used last; those that the
//! logs show as locked are passed over. Names that `-v` gives are taken in their order.

use std::collections::HashMap;

use jiff::civil::Date;

use super::expiry;
use super::label::SCRATCH;
use super::settings::TapeSettings;
use crate::action_id::{ActionId, Stamp};

/// The last use of a volume that the logs know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastUse {
    /// The run that saved something on it.
    pub action: ActionId,
}

/// What the logs know of volumes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    uses: HashMap<String, LastUse>,
    last_used: Option<String>,
}

impl History {
    /// Notes that a run saved something on a volume. Runs come in any order.
    pub fn note(&mut self, volume: &str, action: ActionId) {
        let newest = self
            .last_used
            .as_ref()
            .and_then(|name| self.uses.get(name))
            .map(|used| used.action.stamp());
        if newest.is_none_or(|newest| newest <= action.stamp()) {
            self.last_used = Some(volume.to_owned());
        }
        let known = self
            .uses
            .entry(volume.to_owned())
            .or_insert(LastUse { action });
        if known.action.stamp() < action.stamp() {
            known.action = action;
        }
    }
}

/// A volume that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its name.
    pub volume: String,
    /// Who wrote it.
    pub action: ActionId,
    /// The day on which it is free again.
    pub free_on: Date,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Names in the order in which they are used.
    pub taken: Vec<String>,
    /// Those that were passed over on the way.
    pub rejected: Vec<Rejected>,
}

/// Chooses as many volumes; fewer when there are not as many free ones.
pub fn choose(settings: &TapeSettings, needed: usize, history: &History, now: Stamp) -> Choice {
    let mut choice = Choice {
        taken: Vec::new(),
        rejected: Vec::new(),
    };
    if settings.takes_any() {
        choice.taken = vec![SCRATCH.to_owned(); needed];
        return choice;
    }
    let names = &settings.volumes;
    let start = match (&history.last_used, settings.volumes_given) {
        (Some(last), false) => names
            .iter()
            .position(|name| name == last)
            .map_or(0, |index| index + 1),
        _ => 0,
    };
    for index in 0..names.len() {
        if choice.taken.len() == needed {
            break;
        }
        let name = &names[(start + index) % names.len()];
        let locked_by = history
            .uses
            .get(name)
            .filter(|used| expiry::is_locked(used.action.stamp(), settings.period_days, now));
        match locked_by {
            Some(used) => choice.rejected.push(Rejected {
                volume: name.clone(),
                action: used.action,
                free_on: expiry::free_on(used.action.stamp(), settings.period_days),
            }),
            None if choice.taken.contains(name) => {}
            None => choice.taken.push(name.clone()),
        }
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action_id::Tool;
    use crate::volume::settings::tests::settings;

    const DAY: i64 = 86_400;

    fn run(seconds: i64) -> ActionId {
        ActionId::new(Tool::Brbackup, Stamp::from_seconds(seconds))
    }

    fn names(choice: &Choice) -> Vec<&str> {
        choice.taken.iter().map(String::as_str).collect()
    }

    #[test]
    fn the_circle_goes_on_behind_the_last_one_and_passes_locked_ones() {
        let now = 1_800_000_000;
        let mut history = History::default();
        let mut settings = settings();
        settings.volumes = ["A", "B", "C", "D"].map(str::to_owned).to_vec();
        settings.period_days = 10;
        let choose = |settings: &_, needed, history: &_| {
            choose(settings, needed, history, Stamp::from_seconds(now))
        };
        assert_eq!(names(&choose(&settings, 2, &history)), ["A", "B"]);
        history.note("C", run(now - 12 * DAY));
        history.note("B", run(now - 40 * DAY));
        history.note("D", run(now - 20 * DAY));
        assert_eq!(names(&choose(&settings, 2, &history)), ["D", "A"]);
        history.note("D", run(now - DAY));
        let choice = choose(&settings, 4, &history);
        assert_eq!(names(&choice), ["A", "B", "C"]);
        assert_eq!(choice.rejected[0].volume, "D");
        settings.volumes_given = true;
        history.note("A", run(now - 30 * DAY));
        assert_eq!(names(&choose(&settings, 1, &history)), ["A"]);
        settings.volumes = vec![SCRATCH.to_owned()];
        assert_eq!(names(&choose(&settings, 2, &history)), [SCRATCH, SCRATCH]);
    }
}
