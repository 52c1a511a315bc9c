//! The system's own copying tool as a child process: `cp` or `dd`.
//! What lives here: its words, and which of its talk is none of interest. What does not: judging what was written.

use std::ffi::OsString;
use std::path::Path;

use super::error::CopyError;
use crate::watched_child::WatchedChild;

/// How much of a tool's output is kept for the log.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// Which tool copies, as `disk_copy_cmd` chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyTool {
    /// `cp <source> <target>`.
    Copy,
    /// `dd if=<source> of=<target> <flags>`.
    Dd {
        /// The words of `dd_flags`.
        flags: Vec<String>,
    },
}

impl CopyTool {
    /// `disk_copy_cmd` and `dd_flags` that mean this tool.
    pub fn profile_values(&self) -> (&'static str, String) {
        match self {
            CopyTool::Copy => ("copy", String::new()),
            CopyTool::Dd { flags } => ("dd", flags.join(" ")),
        }
    }

    /// The command, word by word.
    fn words(&self, source: &Path, target: &Path) -> Vec<OsString> {
        let assignment = |key: &str, path: &Path| {
            let mut word = OsString::from(key);
            word.push(path);
            word
        };
        match self {
            // The double dash keeps a name that begins with a dash a name.
            CopyTool::Copy => vec!["cp".into(), "--".into(), source.into(), target.into()],
            CopyTool::Dd { flags } => {
                let mut words = vec![
                    "dd".into(),
                    assignment("if=", source),
                    assignment("of=", target),
                ];
                words.extend(flags.iter().map(OsString::from));
                words
            }
        }
    }

    /// Whether a line of the tool's output is its normal talk.
    fn is_normal_talk(&self, line: &str) -> bool {
        let counts = [
            "records in",
            "records out",
            " copied, ",
            "bytes transferred",
        ];
        matches!(self, CopyTool::Dd { .. }) && counts.iter().any(|count| line.contains(count))
    }
}

/// How a tool ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToolEnd {
    /// Exit code, or 128 and the number of the signal.
    pub code: i32,
    /// Output without the tool's normal talk, bounded.
    pub output: String,
}

/// A running tool. Dropping it kills it.
pub(super) struct RunningTool {
    tool: CopyTool,
    child: WatchedChild,
}

impl RunningTool {
    pub(super) fn start(
        tool: &CopyTool,
        source: &Path,
        target: &Path,
    ) -> Result<RunningTool, CopyError> {
        let words = tool.words(source, target);
        let child = WatchedChild::start(&words, &[], OUTPUT_BYTES_MAX).map_err(|source| {
            CopyError::ToolStart {
                command_line: words
                    .iter()
                    .map(|word| word.to_string_lossy())
                    .collect::<Vec<_>>()
                    .join(" "),
                source,
            }
        })?;
        Ok(RunningTool {
            tool: tool.clone(),
            child,
        })
    }

    /// The command as a person would type it.
    pub(super) fn command_line(&self) -> &str {
        self.child.command_line()
    }

    /// How it ended, once it has.
    pub(super) fn try_end(&mut self) -> Option<ToolEnd> {
        let end = self.child.try_end()?;
        let lines: Vec<&str> = end
            .output
            .lines()
            .filter(|line| !line.trim().is_empty() && !self.tool.is_normal_talk(line))
            .collect();
        Some(ToolEnd {
            code: end.code,
            output: lines.join("\n"),
        })
    }
}
