//! The system's own copying tool as a child process: `cp` or `dd`, with its output kept and its death guaranteed.
//! What lives here: starting, watching, killing. What does not: judging what was written.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::error::CopyError;

/// How much of a child's output is kept for the log.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// How long a killed tool may take to be dead.
const DEATH_LIMIT: Duration = Duration::from_secs(10);

/// Runs the tool beside a watcher that reads our pipe: when this process dies, even of kill -9, the pipe closes and the
/// watcher kills the tool, so that no orphan goes on writing.
const WATCHED: &str = r#"exec 3<&0 </dev/null
"$@" &
tool=$!
{ read -r _ <&3; kill -KILL "$tool"; } >/dev/null 2>&1 &
watcher=$!
wait "$tool"
status=$?
kill -KILL "$watcher" 2>/dev/null
exit "$status""#;

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

/// A running tool in a process group of its own. Dropping it kills the group.
pub(super) struct RunningTool {
    tool: CopyTool,
    command_line: String,
    child: Child,
    output: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
    over: bool,
}

impl RunningTool {
    pub(super) fn start(
        tool: &CopyTool,
        source: &Path,
        target: &Path,
    ) -> Result<RunningTool, CopyError> {
        let words = tool.words(source, target);
        let command_line = format!(
            "LANG=C {}",
            words
                .iter()
                .map(|word| word.to_string_lossy())
                .collect::<Vec<_>>()
                .join(" ")
        );
        let mut command = Command::new("sh");
        command.arg("-c").arg(WATCHED).arg("copy").args(&words);
        command.env("LANG", "C").env("LC_ALL", "C").process_group(0);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| CopyError::ToolStart {
            command_line: command_line.clone(),
            source,
        })?;
        let output = Arc::new(Mutex::new(Vec::new()));
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let output = Arc::clone(&output);
            readers.push(std::thread::spawn(move || keep(stdout, &output)));
        }
        if let Some(stderr) = child.stderr.take() {
            let output = Arc::clone(&output);
            readers.push(std::thread::spawn(move || keep(stderr, &output)));
        }
        Ok(RunningTool {
            tool: tool.clone(),
            command_line,
            child,
            output,
            readers,
            over: false,
        })
    }

    /// The command as a person would type it.
    pub(super) fn command_line(&self) -> &str {
        &self.command_line
    }

    /// How it ended, once it has. A child that can no longer be asked counts as ended badly.
    pub(super) fn try_end(&mut self) -> Option<ToolEnd> {
        let code = match self.child.try_wait() {
            Ok(None) => return None,
            Ok(Some(status)) => code_of(status),
            Err(_) => -1,
        };
        self.over = true;
        for reader in self.readers.drain(..) {
            // A reader cannot panic; its output is complete when it has ended.
            let _ = reader.join();
        }
        let bytes = self
            .output
            .lock()
            .map(|output| output.clone())
            .unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().is_empty() && !self.tool.is_normal_talk(line))
            .collect();
        Some(ToolEnd {
            code,
            output: lines.join("\n"),
        })
    }
}

impl Drop for RunningTool {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        if let Some(group) = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            // Failure means that it has just ended by itself.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        // Reaped; its status is of no interest after a kill.
        let _ = self.child.wait();
        // The tool itself holds the pipes until it is dead: before that it might still create the target that its caller
        // removes. One that hangs in a dead file system is left to the system after a while.
        let deadline = Instant::now() + DEATH_LIMIT;
        while self.readers.iter().any(|reader| !reader.is_finished()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn code_of(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Keeps the beginning of what a child says and swallows the rest, so that it never blocks.
fn keep(mut source: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(count) = source.read(&mut buffer) {
        if count == 0 {
            return;
        }
        if let Ok(mut kept) = kept.lock() {
            let room = OUTPUT_BYTES_MAX.saturating_sub(kept.len()).min(count);
            kept.extend_from_slice(&buffer[..room]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `dd` that waits for somebody to open the other end of a pipe.
    fn waiting_tool(directory: &Path) -> RunningTool {
        let pipe = directory.join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        RunningTool::start(
            &CopyTool::Dd { flags: Vec::new() },
            &pipe,
            &directory.join("target"),
        )
        .unwrap()
    }

    fn end_of(tool: &mut RunningTool) -> ToolEnd {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(end) = tool.try_end() {
                return end;
            }
            assert!(Instant::now() < deadline, "the tool does not end");
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_tool_dies_with_the_process_that_started_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut tool = waiting_tool(directory.path());
        assert_eq!(tool.try_end(), None);
        drop(tool.child.stdin.take()); // What the system does when we are killed.
        assert_eq!(end_of(&mut tool).code, 128 + 9);
    }

    #[test]
    fn a_dropped_tool_is_dead() {
        let directory = tempfile::tempdir().unwrap();
        let tool = waiting_tool(directory.path());
        let group = tool.child.id();
        assert!(living_members(group) > 0);
        drop(tool);
        assert_eq!(living_members(group), 0);
    }

    /// Processes of a group that are more than zombies, which only wait for the system to count them.
    fn living_members(group: u32) -> usize {
        let stats = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok());
        let lives_in_group = |stat: String| {
            let mut fields = stat.rsplit_once(") ")?.1.split(' ');
            let state = fields.next()?;
            Some(state != "Z" && fields.nth(1)? == group.to_string())
        };
        stats
            .filter_map(lives_in_group)
            .filter(|lives| *lives)
            .count()
    }

    #[test]
    fn a_flood_of_words_is_kept_in_part_and_blocks_nothing() {
        let kept = Mutex::new(Vec::new());
        keep(std::io::repeat(b'x').take(1 << 20), &kept);
        assert_eq!(kept.lock().unwrap().len(), OUTPUT_BYTES_MAX);
    }
}
