//! LIST and REPORT: the repository as text.
//! What lives here: tables in RMAN's form. What does not: choosing what is listed (`upkeep`).

use oracle::time::OracleTime;

use super::command::{Kind, List};
use super::failure::Outcome;
use super::numbers;
use super::session::Session;
use crate::content::BLOCK_BYTES;
use crate::engine::backup::Thing;
use crate::engine::backup_records::{CopyOf, CopyRecord, SetKind, SetRecord, Status};
use crate::engine::control::Control;

impl Session {
    /// LIST.
    pub(super) fn list(&mut self, list: &List) -> Outcome<()> {
        let control = self.control()?;
        self.say_repository();
        if list.incarnations {
            self.list_incarnations(&control);
            return Ok(());
        }
        let chosen = self.choose(&control, &list.selection)?;
        let is_chosen = |thing: Thing| chosen.iter().any(|chosen| chosen.thing == thing);
        if chosen.is_empty() {
            let what = if list.selection.kind == Kind::ArchivedLogs {
                "archived log"
            } else {
                "backup"
            };
            self.log.say(
                numbers::NO_MATCH,
                format!("specification does not match any {what} in the repository"),
            );
            return Ok(());
        }
        let sets: Vec<&SetRecord> = control
            .backups
            .sets
            .iter()
            .filter(|set| is_chosen(Thing::Set(set.key)))
            .collect();
        let copies: Vec<&CopyRecord> = control
            .backups
            .copies
            .iter()
            .filter(|copy| is_chosen(Thing::Copy(copy.recid)))
            .collect();
        if !sets.is_empty() {
            match list.summary {
                true => self.summarize(&sets),
                false => self.list_sets(&control, &sets),
            }
        }
        if !copies.is_empty() {
            self.list_copies(&copies);
        }
        if list.selection.kind == Kind::ArchivedLogs {
            self.list_logs(&control);
        }
        Ok(())
    }

    fn heading(&self, text: &str) {
        self.log.plain("");
        self.log.say(numbers::LISTED, text);
        self.log.say(numbers::LISTED, "=".repeat(text.len()));
        self.log.plain("");
    }

    fn row(&self, text: impl AsRef<str>) {
        self.log.say(numbers::LISTED, text.as_ref().trim_end());
    }

    fn summarize(&self, sets: &[&SetRecord]) {
        self.heading("List of Backups");
        self.row("Key     TY LV S Device Type Completion Time     #Pieces #Copies Compressed Tag");
        self.row("------- -- -- - ----------- ------------------- ------- ------- ---------- ---");
        for set in sets {
            let (kind, level) = match set.kind {
                SetKind::ArchivedLogs => ("B", "A".to_owned()),
                SetKind::Full => ("B", "F".to_owned()),
                SetKind::Incremental(level) => ("B", level.to_string()),
            };
            let status = if set.status == Status::Available {
                "A"
            } else {
                "X"
            };
            let time = self.time(OracleTime::from_raw(set.completed));
            let compressed = yes(set.compressed);
            self.row(format!(
                "{:<7} {kind:<2} {level:<2} {status} DISK        {time:<19} 1       1       {compressed:<10} {}",
                set.key, set.tag
            ));
        }
    }

    fn list_sets(&self, control: &Control, sets: &[&SetRecord]) {
        self.heading("List of Backup Sets");
        for set in sets {
            let time = self.time(OracleTime::from_raw(set.completed));
            let (kind, level) = match set.kind {
                SetKind::ArchivedLogs => ("Arch", String::new()),
                SetKind::Full => ("Full", String::new()),
                SetKind::Incremental(level) => ("Incr", level.to_string()),
            };
            self.row("BS Key  Type LV Size       Device Type Elapsed Time Completion Time");
            self.row("------- ---- -- ---------- ----------- ------------ ---------------");
            self.row(format!(
                "{:<7} {kind:<4} {level:<2} {:<10} DISK        {:<12} {time}",
                set.key,
                size(set.bytes),
                super::channels::clock(u64::from(set.elapsed))
            ));
            let status = if set.status == Status::Available {
                "AVAILABLE"
            } else {
                "EXPIRED"
            };
            self.row(format!(
                "        BP Key: {}   Status: {status}  Compressed: {}  Tag: {}",
                set.key,
                yes(set.compressed),
                set.tag
            ));
            self.row(format!("        Piece Name: {}", set.handle.display()));
            self.list_members(control, set);
            self.log.plain("");
        }
    }

    fn list_members(&self, control: &Control, set: &SetRecord) {
        let date = |time: u32| self.time(OracleTime::from_raw(time));
        if set.spfile {
            self.row(format!(
                "  SPFILE Included: Modification time: {}",
                date(set.completed)
            ));
        }
        if let Some((scn, time)) = set.controlfile {
            self.row(format!(
                "  Control File Included: Ckp SCN: {scn}   Ckp time: {}",
                date(time)
            ));
        }
        if !set.files.is_empty() {
            self.row(format!("  List of Datafiles in backup set {}", set.key));
            self.row("  File LV Type Ckp SCN    Ckp Time            Abs Fuz SCN Name");
            self.row("  ---- -- ---- ---------- ------------------- ----------- ----");
        }
        for file in &set.files {
            let (level, kind) = match set.kind {
                SetKind::Incremental(level) => (level.to_string(), "Incr"),
                _ => (String::new(), "Full"),
            };
            let fuzzy = match file.fuzzy_scn {
                0 => String::new(),
                scn => scn.to_string(),
            };
            let known = control
                .datafiles
                .iter()
                .find(|known| known.number == file.number);
            let name = known.map_or(&file.path, |known| &known.path).display();
            let (scn, time) = file.checkpoint;
            self.row(format!(
                "  {:<4} {level:<2} {kind} {scn:<10} {:<19} {fuzzy:<11} {name}",
                file.number,
                date(time)
            ));
        }
        if !set.logs.is_empty() {
            self.row(format!("  List of Archived Logs in backup set {}", set.key));
            self.row("  Thrd Seq     Low SCN    Low Time            Next SCN   Next Time");
            self.row("  ---- ------- ---------- ------------------- ---------- ---------");
        }
        for log in &set.logs {
            let (first, next) = (log.first, log.next);
            self.row(format!(
                "  1    {:<7} {:<10} {:<19} {:<10} {}",
                log.sequence,
                first.0,
                date(first.1),
                next.0,
                date(next.1)
            ));
        }
    }

    fn list_copies(&self, copies: &[&CopyRecord]) {
        let files = copies.iter().filter(|copy| copy.file().is_some());
        let controls = copies.iter().filter(|copy| copy.file().is_none());
        if files.clone().next().is_some() {
            self.heading("List of Datafile Copies");
            self.row("Key     File S Completion Time     Ckp SCN    Ckp Time");
            self.row("------- ---- - ------------------- ---------- ---------------");
        }
        for copy in files {
            if let CopyOf::Datafile(file) = &copy.of {
                self.copy_row(copy, &file.number.to_string(), file.checkpoint);
            }
        }
        if controls.clone().next().is_some() {
            self.heading("List of Control File Copies");
            self.row("Key          S Completion Time     Ckp SCN    Ckp Time");
            self.row("-------      - ------------------- ---------- ---------------");
        }
        for copy in controls {
            if let CopyOf::Controlfile(scn, time) = copy.of {
                self.copy_row(copy, "", (scn, time));
            }
        }
    }

    fn copy_row(&self, copy: &CopyRecord, file: &str, (scn, time): (u64, u32)) {
        let status = if copy.status == Status::Available {
            "A"
        } else {
            "X"
        };
        let completed = self.time(OracleTime::from_raw(copy.completed));
        let time = self.time(OracleTime::from_raw(time));
        self.row(format!(
            "{:<7} {file:<4} {status} {completed:<19} {scn:<10} {time}",
            copy.recid
        ));
        self.row(format!("        Name: {}", copy.path.display()));
        if !copy.tag.is_empty() {
            self.row(format!("        Tag: {}", copy.tag));
        }
        self.log.plain("");
    }

    fn list_logs(&self, control: &Control) {
        self.heading(&format!(
            "List of Archived Log Copies for database with db_unique_name {}",
            control.name.to_uppercase()
        ));
        self.row("Key     Thrd Seq     S Low Time");
        self.row("------- ---- ------- - ---------");
        for log in control.archived.iter().filter(|log| !log.deleted) {
            let status = if log.expired { "X" } else { "A" };
            let time = self.time(OracleTime::from_raw(log.first.1));
            self.row(format!(
                "{:<7} 1    {:<7} {status} {time}",
                log.recid, log.sequence
            ));
            self.row(format!("        Name: {}", log.path.display()));
            self.log.plain("");
        }
    }

    fn list_incarnations(&self, control: &Control) {
        self.heading("List of Database Incarnations");
        self.row("DB Key  Inc Key DB Name  DB ID            STATUS  Reset SCN  Reset Time");
        self.row("------- ------- -------- ---------------- ------- ---------- ----------");
        let last = control.incarnations.len();
        for (index, incarnation) in control.incarnations.iter().enumerate() {
            let status = if index + 1 == last {
                "CURRENT"
            } else {
                "PARENT"
            };
            let time = self.time(OracleTime::from_raw(incarnation.time));
            let key = index + 1;
            self.row(format!(
                "{key:<7} {key:<7} {:<8} {:<16} {status:<7} {:<10} {time}",
                control.name, control.dbid, incarnation.scn
            ));
        }
    }

    /// REPORT SCHEMA.
    pub(super) fn report_schema(&mut self) -> Outcome<()> {
        let control = self.control()?;
        self.say_repository();
        self.row(format!(
            "Report of database schema for database with db_unique_name {}",
            control.name.to_uppercase()
        ));
        self.heading("List of Permanent Datafiles");
        self.row("File Size(MB) Tablespace           RB segs Datafile Name");
        self.row("---- -------- -------------------- ------- ------------------------");
        for file in &control.datafiles {
            let megabytes = (u64::from(file.blocks) * BLOCK_BYTES as u64) >> 20;
            let tablespace = control.tablespace_name(file.tablespace);
            self.row(format!(
                "{:<4} {megabytes:<8} {tablespace:<20} ***     {}",
                file.number,
                file.path.display()
            ));
        }
        self.log.plain("");
        Ok(())
    }

    /// REPORT OBSOLETE.
    pub(super) fn report_obsolete(&mut self) -> Outcome<()> {
        let control = self.control()?;
        self.say_repository();
        let obsolete = self.obsolete(&control);
        if obsolete.is_empty() {
            self.log.say(numbers::NO_MATCH, "no obsolete backups found");
            return Ok(());
        }
        self.row("Report of obsolete backups and copies");
        self.row("Type                 Key    Completion Time    Filename/Handle");
        self.row("-------------------- ------ ------------------ --------------------");
        for chosen in obsolete {
            let kind = match chosen.thing {
                Thing::Set(_) => "Backup Set",
                _ if chosen.of_control => "Control File Copy",
                _ => "Datafile Copy",
            };
            let (recid, stamp) = chosen.record;
            let time = self.time(OracleTime::from_raw(stamp));
            self.row(format!(
                "{kind:<20} {recid:<6} {time:<18} {}",
                chosen.path.display()
            ));
        }
        Ok(())
    }
}

fn yes(value: bool) -> &'static str {
    if value { "YES" } else { "NO" }
}

/// Bytes with RMAN's units.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes}"),
        1_024..1_048_576 => format!("{:.2}K", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.2}M", bytes as f64 / 1_048_576.0),
        _ => format!("{:.2}G", bytes as f64 / 1_073_741_824.0),
    }
}
