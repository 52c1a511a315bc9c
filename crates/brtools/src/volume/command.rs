//! Commands of the profile with places for arguments: `mt -f $ fsf $`.
//! What lives here: filling in and running them. What does not: what they do to a drive.

use std::ffi::OsString;
use std::time::Duration;

use crate::interrupt::Interrupt;
use crate::watched_child::{ChildEnd, WatchedChild};

/// How much of a command's output is kept.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;
/// How often a running command is looked at.
const PAUSE: Duration = Duration::from_millis(5);

/// Puts the arguments, quoted for the shell, in place of each `$` that stands alone or ends a word, in order.
/// What is left over of the arguments goes to the end of nothing: a command may need fewer.
pub fn fill(template: &str, arguments: &[&str]) -> String {
    let mut arguments = arguments.iter();
    let mut filled = String::new();
    let mut letters = template.chars().peekable();
    while let Some(letter) = letters.next() {
        let stands_alone = letter == '$'
            && letters
                .peek()
                .is_none_or(|next| !(next.is_ascii_alphanumeric() || "_{(?$".contains(*next)));
        match arguments.as_slice().first() {
            Some(argument) if stands_alone => {
                filled.push_str(&quoted(argument));
                arguments.next();
            }
            _ if stands_alone => {}
            _ => filled.push(letter),
        }
    }
    filled
}

/// One word for the shell.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:,=+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Runs a command with the shell and waits for it; a signal to this process kills it.
///
/// # Errors
/// It could not be started, or a signal came: then the number is in the error's place.
pub fn run(command: &str, interrupt: &Interrupt) -> Result<ChildEnd, NotRun> {
    let words = ["sh", "-c", command].map(OsString::from);
    let mut child =
        WatchedChild::start(&words, &[], OUTPUT_BYTES_MAX).map_err(NotRun::NotStarted)?;
    loop {
        if let Some(end) = child.try_end() {
            return Ok(end);
        }
        if let Some(signal) = interrupt.signal() {
            return Err(NotRun::Interrupted(signal));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Why a command did not come to its end.
#[derive(Debug)]
pub enum NotRun {
    /// It did not start.
    NotStarted(std::io::Error),
    /// A signal came.
    Interrupted(i32),
}

/// The success rule of `mount_cmd`, `split_cmd` and the like: status 0, and nothing said but lines with `#INFO`.
pub fn is_silent(end: &ChildEnd) -> bool {
    end.code == 0
        && end
            .output
            .lines()
            .all(|line| line.trim().is_empty() || line.starts_with("#INFO"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dollars_are_filled_in_order_and_variables_stay() {
        assert_eq!(
            fill("mt -f $ fsf $", &["/dev/nst0", "3"]),
            "mt -f /dev/nst0 fsf 3"
        );
        assert_eq!(
            fill("$HOME/bin/mount $ $ ${X}", &["SND-B", "a b"]),
            "$HOME/bin/mount SND-B 'a b' ${X}"
        );
        assert_eq!(fill("rewind $ $", &["x"]), "rewind x ");
        assert_eq!(fill("x $", &["it's"]), r"x 'it'\''s'");
    }

    proptest! {
        #[test]
        fn what_is_filled_in_is_one_word_of_the_shell(word in "[^\0]{0,40}") {
            let output = std::process::Command::new("sh").arg("-c").arg(fill("printf %s $", &[&word])).output().unwrap();
            prop_assert_eq!(String::from_utf8_lossy(&output.stdout), word);
        }
    }
}
