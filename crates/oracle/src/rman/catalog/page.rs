//! The lines of `catalog.rman`: comments and commands, each one line whatever is written into it.
//! What lives here: letters, line ends and room. What does not: what the lines say.

/// So many characters of a name are shown in a sentence.
const SHOWN_CHARACTERS_MAX: usize = 200;

/// The file as it grows.
pub(super) struct Page {
    text: String,
    /// Where what is limited must end.
    end: usize,
    is_full: bool,
}

impl Page {
    pub(super) fn new() -> Page {
        Page {
            text: String::new(),
            end: usize::MAX,
            is_full: false,
        }
    }

    /// A comment; printable, whatever the text has.
    pub(super) fn comment(&mut self, text: &str) {
        let printable = |letter: char| match letter {
            ' '..='~' => letter,
            _ => '?',
        };
        self.text.push('#');
        if !text.is_empty() {
            self.text.push(' ');
        }
        self.text.extend(text.chars().map(printable));
        self.text.push('\n');
    }

    /// One of the commands that RMAN runs, which are all known here.
    pub(super) fn command(&mut self, command: &'static str) {
        self.text.push_str(command);
        self.text.push('\n');
    }

    /// What follows has so much room.
    pub(super) fn limit(&mut self, bytes: usize) {
        self.end = self.text.len().saturating_add(bytes);
        self.is_full = false;
    }

    /// Writes all of it or, when there is no room left, nothing.
    pub(super) fn together(&mut self, write: impl FnOnce(&mut Page)) {
        if self.is_full {
            return;
        }
        let before = self.text.len();
        write(self);
        if self.text.len() > self.end {
            self.text.truncate(before);
            self.is_full = true;
        }
    }

    /// The end of what was limited; says what was left out.
    pub(super) fn end_limit(&mut self, what: &str) {
        self.end = usize::MAX;
        if self.is_full {
            self.comment(&format!("There was no room for {what}."));
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// A name as it can stand in a sentence: printable, not too long, and without what might end a comment or be replaced.
pub(super) fn shown(name: &str) -> String {
    let mut shown = String::new();
    for (count, letter) in name.chars().enumerate() {
        if count == SHOWN_CHARACTERS_MAX {
            shown.push_str("...");
            break;
        }
        match letter {
            '*' | '&' | '\\' => shown.extend(letter.escape_unicode()),
            ' '..='~' => shown.push(letter),
            _ => shown.extend(letter.escape_unicode()),
        }
    }
    shown
}
