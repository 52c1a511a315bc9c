//! The ten archive functions and what each does to a log in each state.
//! What lives here: the table. What does not: doing it.
//!
//! | function | new | saved once | saved twice |
//! |---|---|---|---|
//! | `-s` save | save | – | – |
//! | `-sc` second_copy | – | copy | – |
//! | `-ds` delete_saved | – | delete | delete |
//! | `-dc` delete_copied | – | – | delete |
//! | `-sd` save_delete | save, delete | – | – |
//! | `-scd` second_copy_delete | – | copy, delete | – |
//! | `-ss` double_save | save twice | – | – |
//! | `-ssd` double_save_delete | save twice, delete | – | – |
//! | `-cs` copy_save | save | copy | – |
//! | `-cds` copy_delete_save | save | copy, delete | – |
//!
//! Beyond SAP's table: a log that a run of the same function copied and was killed before deleting is deleted by the next.

/// How many copies of a log there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyState {
    /// None.
    New,
    /// One.
    Saved,
    /// Two.
    Copied,
}

/// One of the ten functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveFunction {
    /// Short form of the option, without the dash.
    pub option: &'static str,
    /// Value of `archive_function`.
    pub name: &'static str,
    /// Function id, the extension of the detail log.
    pub id: &'static str,
}

/// What is done to one log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps {
    /// Make the first copy.
    pub save: bool,
    /// Make the second copy.
    pub copy: bool,
    /// Delete the original.
    pub delete: bool,
}

/// All functions.
pub const FUNCTIONS: [ArchiveFunction; 10] = [
    function("s", "save", "sve"),
    function("sc", "second_copy", "cpy"),
    function("ds", "delete_saved", "dsv"),
    function("dc", "delete_copied", "dcp"),
    function("sd", "save_delete", "svd"),
    function("scd", "second_copy_delete", "cpd"),
    function("ss", "double_save", "ssv"),
    function("ssd", "double_save_delete", "ssd"),
    function("cs", "copy_save", "cps"),
    function("cds", "copy_delete_save", "cds"),
];

const fn function(option: &'static str, name: &'static str, id: &'static str) -> ArchiveFunction {
    ArchiveFunction { option, name, id }
}

impl ArchiveFunction {
    /// By the value of `archive_function`.
    pub fn by_name(name: &str) -> Option<ArchiveFunction> {
        FUNCTIONS.into_iter().find(|function| function.name == name)
    }

    /// Whether it makes second copies, which belong on another disk than the first.
    pub fn needs_second_place(self) -> bool {
        [CopyState::New, CopyState::Saved]
            .into_iter()
            .any(|state| self.steps(state).copy)
    }

    /// Whether it makes both copies of a new log.
    pub fn makes_two_copies(self) -> bool {
        let steps = self.steps(CopyState::New);
        steps.save && steps.copy
    }

    /// What the function does to a log.
    pub fn steps(self, state: CopyState) -> Steps {
        use CopyState::{Copied, New, Saved};
        let steps = |save, copy, delete| Steps { save, copy, delete };
        match (self.option, state) {
            ("s" | "cs" | "cds", New) => steps(true, false, false),
            ("sd", New) => steps(true, false, true),
            ("ss", New) => steps(true, true, false),
            ("ssd", New) => steps(true, true, true),
            ("sc" | "cs", Saved) => steps(false, true, false),
            ("scd" | "cds", Saved) => steps(false, true, true),
            ("ds", Saved | Copied) | ("dc", Copied) => steps(false, false, true),
            _ => Steps::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table as letters: save, copy, delete for a new log, one saved once, one saved twice.
    fn letters(option: &str) -> String {
        let function = FUNCTIONS
            .into_iter()
            .find(|function| function.option == option)
            .unwrap();
        let of = |state| {
            let Steps { save, copy, delete } = function.steps(state);
            let letters: String = [(save, 's'), (copy, 'c'), (delete, 'd')]
                .into_iter()
                .filter(|(done, _)| *done)
                .map(|(_, letter)| letter)
                .collect();
            if letters.is_empty() {
                "-".to_owned()
            } else {
                letters
            }
        };
        [CopyState::New, CopyState::Saved, CopyState::Copied]
            .map(of)
            .join(" ")
    }

    #[test]
    fn the_table_is_as_documented() {
        let table = [
            ("s", "s - -"),
            ("sc", "- c -"),
            ("ds", "- d d"),
            ("dc", "- - d"),
            ("sd", "sd - -"),
            ("scd", "- cd -"),
            ("ss", "sc - -"),
            ("ssd", "scd - -"),
            ("cs", "s c -"),
            ("cds", "s cd -"),
        ];
        for (option, expected) in table {
            assert_eq!(letters(option), expected, "-{option}");
        }
    }

    #[test]
    fn no_function_deletes_what_has_no_copy_and_is_not_saved_by_it() {
        for function in FUNCTIONS {
            let Steps { save, delete, .. } = function.steps(CopyState::New);
            assert!(save || !delete, "{}", function.name);
        }
    }

    #[test]
    fn names_and_ids_are_unique() {
        for (index, one) in FUNCTIONS.iter().enumerate() {
            for other in &FUNCTIONS[index + 1..] {
                assert!(one.option != other.option && one.name != other.name && one.id != other.id);
            }
        }
        assert_eq!(
            ArchiveFunction::by_name("save_delete").map(|function| function.id),
            Some("svd")
        );
    }
}
