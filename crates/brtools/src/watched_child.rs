//! A child process that does not outlive this one: another program's work, with its output kept and its death guaranteed.
//! What lives here: starting, watching, killing. What does not: which program, and what its words mean.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a killed program may take to be dead.
const DEATH_LIMIT: Duration = Duration::from_secs(10);

/// Runs the program beside a watcher that reads our pipe: when this process dies, even of kill -9, the pipe closes and the
/// watcher kills the program, so that no orphan goes on writing.
const WATCHED: &str = r#"exec 3<&0 </dev/null
"$@" &
program=$!
{ read -r _ <&3; kill -KILL "$program"; } >/dev/null 2>&1 &
watcher=$!
wait "$program"
status=$?
kill -KILL "$watcher" 2>/dev/null
exit "$status""#;

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildEnd {
    /// Exit code, or 128 and the number of the signal.
    pub code: i32,
    /// What it said on both outputs, up to the limit.
    pub output: String,
    /// Whether it said more.
    pub is_cut: bool,
}

/// A running program in a process group of its own. Dropping it kills the group.
#[derive(Debug)]
pub struct WatchedChild {
    command_line: String,
    child: Child,
    output: Arc<Mutex<Kept>>,
    readers: Vec<JoinHandle<()>>,
    over: bool,
}

/// The beginning of what a program says.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) bytes: Vec<u8>,
    pub(crate) bytes_max: usize,
    pub(crate) is_cut: bool,
}

impl WatchedChild {
    /// Starts a program with `LANG=C` and these variables. So many bytes of its output are kept, the rest is swallowed.
    pub fn start(
        words: &[OsString],
        variables: &[(&str, &OsStr)],
        output_bytes_max: usize,
    ) -> std::io::Result<WatchedChild> {
        let shown = words.iter().map(|word| word.to_string_lossy());
        let command_line = format!("LANG=C {}", shown.collect::<Vec<_>>().join(" "));
        let mut command = Command::new("sh");
        command.arg("-c").arg(WATCHED).arg("watched").args(words);
        command.env("LANG", "C").env("LC_ALL", "C").process_group(0);
        command.envs(variables.iter().copied());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let output = Arc::new(Mutex::new(Kept {
            bytes: Vec::new(),
            bytes_max: output_bytes_max,
            is_cut: false,
        }));
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let output = Arc::clone(&output);
            readers.push(std::thread::spawn(move || keep(stdout, &output)));
        }
        if let Some(stderr) = child.stderr.take() {
            let output = Arc::clone(&output);
            readers.push(std::thread::spawn(move || keep(stderr, &output)));
        }
        Ok(WatchedChild {
            command_line,
            child,
            output,
            readers,
            over: false,
        })
    }

    /// The command as a person would type it.
    pub fn command_line(&self) -> &str {
        &self.command_line
    }

    /// How it ended, once it has. A child that can no longer be asked counts as ended badly.
    pub fn try_end(&mut self) -> Option<ChildEnd> {
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
        let (bytes, is_cut) = self.output.lock().map_or((Vec::new(), true), |mut kept| {
            (std::mem::take(&mut kept.bytes), kept.is_cut)
        });
        Some(ChildEnd {
            code,
            output: String::from_utf8_lossy(&bytes).into_owned(),
            is_cut,
        })
    }
}

impl Drop for WatchedChild {
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
        // The program itself holds the pipes until it is dead: before that it might still create the target that its caller
        // removes. One that hangs in a dead file system is left to the system after a while.
        let deadline = Instant::now() + DEATH_LIMIT;
        while self.readers.iter().any(|reader| !reader.is_finished()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Exit code, or 128 and the number of the signal.
pub(crate) fn code_of(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Keeps the beginning of what a child says and swallows the rest, so that it never blocks.
pub(crate) fn keep(mut source: impl Read, kept: &Mutex<Kept>) {
    let mut buffer = [0; 4096];
    while let Ok(count) = source.read(&mut buffer) {
        if count == 0 {
            return;
        }
        if let Ok(mut kept) = kept.lock() {
            let room = kept.bytes_max.saturating_sub(kept.bytes.len()).min(count);
            kept.bytes.extend_from_slice(&buffer[..room]);
            kept.is_cut |= room < count;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// `dd` that waits for somebody to open the other end of a pipe.
    fn waiting_tool(directory: &Path) -> WatchedChild {
        let pipe = directory.join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let word = |key: &str, path: &Path| OsString::from(format!("{key}={}", path.display()));
        let words = [
            "dd".into(),
            word("if", &pipe),
            word("of", &directory.join("target")),
        ];
        WatchedChild::start(&words, &[], 4096).unwrap()
    }

    fn end_of(tool: &mut WatchedChild) -> ChildEnd {
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
        let words = ["head", "-c", "1000000", "/dev/zero"].map(OsString::from);
        let mut child = WatchedChild::start(&words, &[], 1000).unwrap();
        let end = end_of(&mut child);
        assert_eq!((end.code, end.output.len(), end.is_cut), (0, 1000, true));
    }

    #[test]
    fn variables_reach_the_program_and_its_code_comes_back() {
        let words = ["sh", "-c", "echo $BI_CALLER; exit 3"].map(OsString::from);
        let variables = [("BI_CALLER", OsStr::new("BRBACKUP"))];
        let mut child = WatchedChild::start(&words, &variables, 1000).unwrap();
        let end = end_of(&mut child);
        assert_eq!((end.code, end.output.as_str()), (3, "BRBACKUP\n"));
    }
}
