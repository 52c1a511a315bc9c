//! `backstay practice create`.
//! What lives here: its options, its progress bar, the links in the new home. What does not: making the files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use practice::create::{CreateOptions, Created, create};
use practice::engine::parameters::parse_size;
use serde::Serialize;

use crate::install_links::{LinkError, link, own_program};
use crate::said::{fail, say, say_json};

/// Create a practice database, cleanly shut down
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Examples:\n  backstay practice create --home /tmp/practice/SND\n  \
                        backstay practice create --home /tmp/practice/TST --sid TST --size 256MiB\n\n\
                        Exit status: 0 created, 1 not."
)]
pub struct Arguments {
    /// ORACLE_HOME of the new database; must not exist or be empty
    #[arg(long, visible_alias = "dir", value_name = "DIR")]
    home: PathBuf,
    /// SID and name of the database: 1 to 8 letters and digits
    #[arg(long, value_name = "SID", default_value = "SND")]
    sid: String,
    /// Size of all data files together, 64MiB to 64GiB
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    size: u64,
    /// Size of one online redo log [default: by the size of the database]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    log_size: Option<u64>,
    /// Seed of the content
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A number of bytes, with K, M, G, T, KiB, MiB, GiB or TiB.
pub fn size(text: &str) -> Result<u64, String> {
    let bare = text.trim_end_matches(['B', 'b']).trim_end_matches('i');
    let ends_well = bare.len() == text.len() || bare.ends_with(|c: char| c.is_ascii_alphabetic());
    // The parameters of a database, whose parser this is, know no T.
    let bytes = match bare.strip_suffix(['T', 't']) {
        Some(count) => parse_size(&format!("{count}G")).and_then(|bytes| bytes.checked_mul(1024)),
        None => parse_size(bare),
    };
    bytes
        .filter(|bytes| ends_well && *bytes > 0)
        .ok_or_else(|| "a number with KiB, MiB, GiB or TiB, for example 512MiB".to_owned())
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    home: &'a Path,
    sid: &'a str,
    data_bytes: u64,
    rows: u64,
    log_bytes: u64,
    seconds: f64,
}

/// Creates the database with its `bin/sqlplus` and `bin/rman`.
pub fn run(arguments: &Arguments) -> ExitCode {
    let home = std::path::absolute(&arguments.home).unwrap_or_else(|_| arguments.home.clone());
    let options = CreateOptions {
        home: home.clone(),
        sid: arguments.sid.clone(),
        size: arguments.size,
        log_size: arguments.log_size,
        seed: arguments.seed,
    };
    let begun = Instant::now();
    let bar = progress_bar(arguments.size);
    let created = create(&options, &mut |bytes| bar.set_position(bytes));
    bar.finish_and_clear();
    let created = match created {
        Ok(created) => created,
        Err(error) => return fail(1, error),
    };
    if let Err(error) = link_clients(&home) {
        return fail(1, error);
    }
    report(arguments, &home, created, begun.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}

/// Hidden by itself when standard error is no terminal.
fn progress_bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let template = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn link_clients(home: &Path) -> Result<(), LinkError> {
    let program = own_program()?;
    ["bin/sqlplus", "bin/rman"]
        .iter()
        .try_for_each(|client| link(&program, &home.join(client)))
}

fn report(arguments: &Arguments, home: &Path, created: Created, seconds: f64) {
    let Created {
        data_bytes,
        rows,
        log_bytes,
    } = created;
    if arguments.json {
        return say_json(&Report {
            home,
            sid: &arguments.sid,
            data_bytes,
            rows,
            log_bytes,
            seconds,
        });
    }
    let sid = &arguments.sid;
    say(format!(
        "created {sid} in {}: {} MiB of data files, {rows} rows, redo logs of {} MiB, {seconds:.1} s",
        home.display(),
        data_bytes >> 20,
        log_bytes >> 20
    ));
    say("next:");
    say(format!("  {}", export(sid, home)));
    say("  echo startup | sqlplus -S / as sysdba");
}

/// The line that sets the environment of the database, for any POSIX shell.
fn export(sid: &str, home: &Path) -> String {
    let home = quoted(&home.to_string_lossy());
    format!(
        "export ORACLE_SID={sid} ORACLE_HOME={home} SAPDATA_HOME={home} PATH={home}/bin:\"$PATH\""
    )
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_export_line_means_in_a_shell_what_it_says() {
        for home in ["/oracle/SND", "/my files/it's $HOME; \"x\" `y` \\/SND"] {
            let script = format!(
                "{}; printf '%s|' \"$ORACLE_SID\" \"$ORACLE_HOME\" \"$SAPDATA_HOME\" \"$PATH\"",
                export("SND", Path::new(home))
            );
            let said = std::process::Command::new("/bin/sh")
                .args(["-c", &script])
                .env("PATH", "/a b:/c")
                .output()
                .unwrap();
            assert_eq!(
                String::from_utf8_lossy(&said.stdout),
                format!("SND|{home}|{home}|{home}/bin:/a b:/c|")
            );
        }
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("64M"), Ok(64 << 20));
        assert_eq!(size("2GB"), Ok(2 << 30));
        assert_eq!(size("1TiB"), Ok(1 << 40));
        assert_eq!(size("3t"), Ok(3 << 40));
        assert_eq!(size("512K"), Ok(512 << 10));
        assert_eq!(size("8192"), Ok(8192));
        for wrong in [
            "",
            "MiB",
            "64iB",
            "0",
            "-1M",
            "1.5G",
            "64 parsec",
            "99999999999999G",
            "99999999T",
            "TiB",
            "1MT",
            "1 T iB",
        ] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
