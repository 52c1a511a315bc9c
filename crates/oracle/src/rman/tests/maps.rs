//! What of each fixture is in a snapshot: database to files, what is missing, and what nobody claims.
//! What lives here: snapshots and maps, written by hand. What does not: what the logs tell (the files beside).

use super::*;
use crate::rman::Map;

/// The mount that the fixtures were written for.
const MOUNT: &str = "/local/testmount";

/// A line for each fact of a map.
fn lines(map: &Map, snapshot: &SnapshotFiles) -> Vec<String> {
    let mut lines = Vec::new();
    for database in &map.databases {
        let name = database.name.as_deref().unwrap_or("?");
        let dbid = database
            .dbid
            .map_or("?".to_owned(), |dbid| dbid.to_string());
        lines.push(format!("{name} {dbid}"));
        for file in &database.datafiles {
            lines.push(format!(
                "{} {} {}: {}",
                file.number,
                file.tablespace.as_deref().unwrap_or("?"),
                file.name.as_deref().unwrap_or("?"),
                joined(&file.files)
            ));
        }
        for log in &database.archived_logs {
            lines.push(format!(
                "log {}/{}: {}",
                log.thread,
                log.sequence,
                joined(&log.files)
            ));
        }
        for (what, files) in [
            ("control", &database.control_files),
            ("standby", &database.standby_control_files),
            ("spfile", &database.spfiles),
            ("unusable", &database.unusable),
        ] {
            if !files.is_empty() {
                lines.push(format!("{what}: {}", joined(files)));
            }
        }
    }
    for missing in &map.missing {
        let why = if missing.is_ambiguous {
            "ambiguous"
        } else {
            "missing"
        };
        lines.push(format!("{why}: {}", missing.path));
    }
    lines.extend(
        map.elsewhere
            .iter()
            .map(|path| format!("elsewhere: {path}")),
    );
    for found in &map.found_by_tail {
        lines.push(format!("by tail: {} = {}", found.path, found.file));
    }
    let additional = map.additional(snapshot);
    lines.extend(additional.iter().map(|file| format!("additional: {file}")));
    lines
}

fn joined(files: &[RelativePath]) -> String {
    let texts: Vec<&str> = files.iter().map(RelativePath::as_str).collect();
    texts.join(", ")
}

fn maps_on(fixture: &str, mount: &str, snapshot: &[&str], expected: &[&str]) {
    let snapshot = files(snapshot);
    let account = account(fixture);
    let map = account.in_directory(mount, &snapshot);
    assert_eq!(map.outcome, account.outcome, "{fixture}");
    assert!(!map.is_cut);
    assert_eq!(lines(&map, &snapshot), expected, "{fixture}");
    let json = serde_json::to_string(&map).expect("a map is JSON");
    let back: Map = serde_json::from_str(&json).expect("JSON is a map");
    assert_eq!(back, map, "{json}");
}

fn maps(fixture: &str, snapshot: &[&str], expected: &[&str]) {
    maps_on(fixture, MOUNT, snapshot, expected);
}

#[test]
fn data_files_are_in_the_pieces_of_their_sets() {
    maps(
        "full_two_channels",
        &[
            "PRD_20261123_011a_1_1",
            "PRD_20261123_021b_1_1",
            "notes.txt",
        ],
        &[
            "PRD 4711",
            "1 ? /oracle/PRD/sapdata1/system_1/system.data1: PRD_20261123_011a_1_1",
            "2 ? /oracle/PRD/sapdata1/undo_1/undo.data1: PRD_20261123_021b_1_1",
            "3 ? /oracle/PRD/sapdata1/sr3_1/sr3.data1: PRD_20261123_011a_1_1",
            "control: PRD_20261123_021b_1_1",
            "additional: notes.txt",
        ],
    );
    maps(
        "tag_with_blanks",
        &["daily backup/<sales>:7_1_1"],
        &[
            "SALES 77",
            "7 ? /data/my files/sales 01.dbf: daily backup/<sales>:7_1_1",
        ],
    );
    maps(
        "section_size",
        &["3a_5_1", "3a_5_2", "3a_5_3"],
        &[
            "BIG 500",
            "5 ? /oradata/BIG/big01.dbf: 3a_5_1, 3a_5_2, 3a_5_3",
        ],
    );
    maps(
        "maxpiecesize",
        &["0m_1_1", "0m_2_1", "0m_3_1"],
        &[
            "PRD 4711",
            "1 ? /oradata/PRD/system01.dbf: 0m_1_1, 0m_2_1, 0m_3_1",
            "2 ? /oradata/PRD/sysaux01.dbf: 0m_1_1, 0m_2_1, 0m_3_1",
        ],
    );
    maps(
        "skipped_and_cancelled",
        &["0n_1_1"],
        &["PRD 4711", "4 ? /oradata/PRD/users01.dbf: 0n_1_1"],
    );
    maps(
        "prompts_and_blank_lines",
        &["09_1_1", "10_1_1"],
        &[
            "PRD 4711",
            "1 ? /oradata/PRD/system01.dbf: 10_1_1",
            "additional: 09_1_1",
        ],
    );
    maps(
        "msgno_everywhere",
        &["14_1_1"],
        &[
            "PRD 4711",
            "1 ? /oradata/PRD/system=01.dbf: 14_1_1",
            "control: 14_1_1",
        ],
    );
    maps(
        "two_copies_of_each_piece",
        &["1a_1_1", "1a_1_2"],
        &["PRD 4711", "1 ? /oradata/PRD/system01.dbf: 1a_1_1, 1a_1_2"],
    );
}

#[test]
fn control_files_and_server_parameter_files_are_named() {
    maps(
        "autobackup",
        &["0a3b_1_1", "c-1336401710-20241101-0a"],
        &[
            "ORCL 1336401710",
            "4 ? /u01/oradata/ORCL/users01.dbf: 0a3b_1_1",
            "control: c-1336401710-20241101-0a",
            "spfile: c-1336401710-20241101-0a",
        ],
    );
    maps(
        "spfile_and_standby_control_file",
        &["18_1_1", "19_1_1"],
        &[
            "PRD 4711",
            "5 HIST ?: 19_1_1",
            "standby: 19_1_1",
            "spfile: 18_1_1",
        ],
    );
    maps(
        "reused_name",
        &["after_backup.bks", "after_backup_controlfile.cf"],
        &[
            "PRD 4711",
            "control: after_backup.bks, after_backup_controlfile.cf",
        ],
    );
}

#[test]
fn each_database_has_its_own_files() {
    maps(
        "two_databases",
        &["PRD/15_1_1", "QAS/15_1_1", "PRD/16_1_1"],
        &[
            "PRD 4711",
            "1 ? /oradata/PRD/system01.dbf: PRD/15_1_1",
            "log 1/100: PRD/16_1_1",
            "QAS 4712",
            "1 ? /oradata/QAS/system01.dbf: QAS/15_1_1",
        ],
    );
    // A database without any file in the snapshot is not in the map.
    maps(
        "two_databases",
        &["PRD/15_1_1", "PRD/16_1_1"],
        &[
            "PRD 4711",
            "1 ? /oradata/PRD/system01.dbf: PRD/15_1_1",
            "log 1/100: PRD/16_1_1",
            "missing: /local/testmount/QAS/15_1_1",
        ],
    );
}

#[test]
fn copies_tell_tablespaces_and_deleted_files_are_not_missed() {
    maps(
        "incremental_merge",
        &[
            "data_D-PRD_I-4711_TS-SYSTEM_FNO-1_01",
            "data_D-PRD_I-4711_TS-SYSAUX_FNO-2_02",
            "data_D-PRD_I-4711_TS-NEW_FNO-3_13",
            "after_backup_controlfile.cf",
        ],
        &[
            "PRD 4711",
            "1 SYSTEM /oradata/PRD/system01.dbf: data_D-PRD_I-4711_TS-SYSTEM_FNO-1_01",
            "2 SYSAUX /oradata/PRD/sysaux01.dbf: data_D-PRD_I-4711_TS-SYSAUX_FNO-2_02",
            "3 NEW /oradata/PRD/new01.dbf: data_D-PRD_I-4711_TS-NEW_FNO-3_13",
            "control: after_backup_controlfile.cf",
        ],
    );
    maps(
        "as_copy_two_channels",
        &[
            "system_copy",
            "sysaux_copy",
            "standby.ctl",
            "data_D-KIL_I-2092683371_TS-TS_FNO-50_0a",
            "arch_D-KIL_id-2092683371_S-12_T-1_A-1_0b",
        ],
        &[
            "KIL 2092683371",
            "46 ? +DATA/KIL/system.280: system_copy",
            "47 ? +DATA/KIL/sysaux.260: sysaux_copy",
            "50 TS +DATA/KIL/ts.263: data_D-KIL_I-2092683371_TS-TS_FNO-50_0a",
            "log 1/12: arch_D-KIL_id-2092683371_S-12_T-1_A-1_0b",
            "standby: standby.ctl",
        ],
    );
    maps(
        "copies_and_sets_of_the_script",
        &[
            "data_D-SND_I-4713_TS-SYSTEM_FNO-1_01abcd",
            "data_D-SND_I-4713_TS-NEW_FNO-2_02abcd",
            "07arch_1_1",
            "control_D-SND_I-4713.ctl",
            "c-4713-20261124-00",
        ],
        &[
            "SND 4713",
            "1 SYSTEM /oracle/SND/sapdata1/system.data1: data_D-SND_I-4713_TS-SYSTEM_FNO-1_01abcd",
            "2 NEW /oracle/SND/sapdata1/new.data1: data_D-SND_I-4713_TS-NEW_FNO-2_02abcd",
            "log 1/7: 07arch_1_1",
            "control: control_D-SND_I-4713.ctl, c-4713-20261124-00",
            "spfile: c-4713-20261124-00",
        ],
    );
    maps(
        "archived_logs_deleted",
        &["arch/1_201.arc", "17_1_1"],
        &[
            "PRD 4711",
            "log 1/200: 17_1_1",
            "log 1/201: 17_1_1, arch/1_201.arc",
        ],
    );
    maps(
        "deleted_and_written_again",
        &["system01.copy"],
        &["PRD 4711", "1 ? /oradata/PRD/system01.dbf: system01.copy"],
    );
    maps(
        "restore_in_the_same_log",
        &["11_1_1", "restored/control01.ctl", "restored/again.dbf"],
        &[
            "PRD 4711",
            "1 ? /oradata/PRD/system01.dbf: 11_1_1",
            "additional: restored/again.dbf",
            "additional: restored/control01.ctl",
        ],
    );
    maps(
        "ten_g",
        &[
            "DB-TEN-2pirfrqi",
            "AL-TEN-2qirfrrb",
            "data_D-TEN_I-2863970444_TS-SYSTEM_FNO-1_2r",
        ],
        &[
            "TEN 2863970444",
            "1 SYSTEM +DG/ten/datafile/system.259.628550039: data_D-TEN_I-2863970444_TS-SYSTEM_FNO-1_2r",
            "3 ? +DG/ten/datafile/sysaux.261.628550067: DB-TEN-2pirfrqi",
            "log 1/71: AL-TEN-2qirfrrb",
            "log 2/9: AL-TEN-2qirfrrb",
            "control: DB-TEN-2pirfrqi",
            "spfile: DB-TEN-2pirfrqi",
        ],
    );
}

#[test]
fn what_did_not_end_well_is_of_no_use_and_of_no_other_name() {
    maps(
        "failed_channel_others_finish",
        &["0p_1_1", "0q_1_1"],
        &[
            "PRD 4711",
            "2 ? /oradata/PRD/sysaux01.dbf: 0q_1_1",
            "additional: 0p_1_1",
        ],
    );
    maps(
        "channel_takes_over",
        &["1b_1_1", "1d_1_1"],
        &[
            "PRD 4711",
            "1 ? /oradata/PRD/system01.dbf: 1b_1_1",
            "2 ? /oradata/PRD/sysaux01.dbf: 1d_1_1",
        ],
    );
    maps("failed_set", &["half"], &["additional: half"]);
    maps(
        "truncated_tail",
        &["0u_1_1", "0v_1_1"],
        &[
            "PRD 4711",
            "1 ? /oradata/PRD/system01.dbf: 0u_1_1",
            "unusable: 0v_1_1",
        ],
    );
    maps(
        "truncated_head",
        &["0r_1_1", "0s_1_1", "0t_1_1", "c-4711-20261123-03"],
        &[
            "? 4711",
            "3 ? /oradata/PRD/users01.dbf: 0t_1_1",
            "control: c-4711-20261123-03",
            "spfile: c-4711-20261123-03",
        ],
    );
    maps("spooled", &["x"], &["elsewhere: 1e3f_1_1", "additional: x"]);
    // Two pieces of three: nothing can be restored from them.
    maps(
        "maxpiecesize",
        &["0m_1_1", "0m_3_1"],
        &[
            "PRD 4711",
            "unusable: 0m_1_1, 0m_3_1",
            "missing: /local/testmount/0m_2_1",
        ],
    );
    // Two sections of three, which are three sets in the log: neither can the file.
    maps(
        "section_size",
        &["3a_5_1", "3a_5_3"],
        &[
            "BIG 500",
            "unusable: 3a_5_1, 3a_5_3",
            "missing: /local/testmount/3a_5_2",
        ],
    );
    // One of two copies of a piece: all can.
    maps(
        "two_copies_of_each_piece",
        &["1a_1_2"],
        &[
            "PRD 4711",
            "1 ? /oradata/PRD/system01.dbf: 1a_1_2",
            "missing: /local/testmount/1a_1_1",
        ],
    );
}

#[test]
fn a_section_that_failed_spoils_the_others_unless_another_channel_wrote_it() {
    let section = |channel: &str, blocks: &str, name: &str| {
        format!(
            "channel {channel}: starting full datafile backup set\n\
             channel {channel}: specifying datafile(s) in backup set\n\
             input datafile file number=00005 name=/oradata/big01.dbf\n\
             backing up blocks {blocks}\n\
             channel {channel}: starting piece {name} at x\n"
        )
    };
    let end = |channel: &str, name: &str| {
        format!(
            "channel {channel}: finished piece {name} at x\n\
             piece handle=/local/testmount/big_{name} tag=T comment=NONE\n\
             channel {channel}: backup set complete, elapsed time: 1\n"
        )
    };
    let head = "connected to target database: BIG (DBID=500)\nStarting backup at x\n\
                allocated channel: c1\nallocated channel: c2\n";
    let begun = format!(
        "{head}{}{}{}RMAN-03009: failure of backup command on c2 channel at x\n",
        section("c1", "1 through 8", "1"),
        section("c2", "9 through 16", "2"),
        end("c1", "1"),
    );
    let again = format!(
        "{begun}{}{}",
        section("c1", "9 through 16", "2"),
        end("c1", "2")
    );
    let snapshot = files(&["big_1", "big_2"]);
    let told = |log: &str| {
        let account = read_log(log.as_bytes()).expect("a slice gives no errors");
        lines(&account.in_directory(MOUNT, &snapshot), &snapshot)
    };
    assert_eq!(
        told(&begun),
        ["BIG 500", "unusable: big_1", "additional: big_2"]
    );
    assert_eq!(
        told(&again),
        ["BIG 500", "5 ? /oradata/big01.dbf: big_1, big_2"]
    );
}

#[test]
fn not_parsed_and_nothing_found_stay_two_answers() {
    let outcome = |fixture: &str| account(fixture).in_directory(MOUNT, &files(&["x"])).outcome;
    maps(
        "localised_chinese_11g",
        &["0w_1_1"],
        &["additional: 0w_1_1"],
    );
    maps_on(
        "localised_german_latin1",
        "Z:",
        &["PRD/1F_1_1"],
        &["additional: PRD/1F_1_1"],
    );
    for fixture in ["localised_chinese_11g", "localised_german_latin1"] {
        assert_eq!(outcome(fixture), Outcome::Localised);
    }
    for fixture in [
        "nothing_but_a_list",
        "validated_only",
        "not_connected",
        "truncated_in_a_restore",
    ] {
        maps(fixture, &["11_1_1"], &["additional: 11_1_1"]);
        assert_eq!(outcome(fixture), Outcome::NothingFound);
    }
    maps(
        "localised_msgno",
        &["0x_1_1", "0y_1_1"],
        &[
            "ORCL 1336401710",
            "1 ? /u01/oradata/ORCL/system01.dbf: 0x_1_1",
            "2 ? /u01/oradata/ORCL/sysaux01.dbf: 0x_1_1",
            "control: 0y_1_1",
        ],
    );
}

#[test]
fn windows_names_are_found_whatever_their_case() {
    let snapshot = [
        "WINDB/backup/0qTESTS_1_1",
        "WINDB/backup/data_D-WINDB_I-99_TS-USERS_FNO-4_0rTESTS",
    ];
    let facts = [
        "WINDB 99",
        "1 ? D:\\ORADATA\\WINDB\\SYSTEM01.DBF: WINDB/backup/0qTESTS_1_1",
        "4 USERS D:\\ORADATA\\WINDB\\USERS01.DBF: WINDB/backup/data_D-WINDB_I-99_TS-USERS_FNO-4_0rTESTS",
    ];
    maps_on("windows", "z:\\", &snapshot, &facts);
    maps_on("windows", "Z:", &snapshot, &facts);
    // The share's name is not what the log has.
    let by_tail = [
        "by tail: Z:\\WINDB\\BACKUP\\0QTESTS_1_1 = WINDB/backup/0qTESTS_1_1",
        "by tail: Z:\\WINDB\\BACKUP\\DATA_D-WINDB_I-99_TS-USERS_FNO-4_0RTESTS \
         = WINDB/backup/data_D-WINDB_I-99_TS-USERS_FNO-4_0rTESTS",
    ];
    let all = [&facts[..], &by_tail[..]].concat();
    maps_on("windows", "\\\\store\\windb", &snapshot, &all);
    // Two that Windows could not have side by side.
    maps_on(
        "windows",
        "Z:\\",
        &["WINDB/backup/0qtests_1_1", "WINDB/backup/0qTESTS_1_1"],
        &[
            "ambiguous: Z:\\WINDB\\BACKUP\\0QTESTS_1_1",
            "missing: Z:\\WINDB\\BACKUP\\DATA_D-WINDB_I-99_TS-USERS_FNO-4_0RTESTS",
            "additional: WINDB/backup/0qTESTS_1_1",
            "additional: WINDB/backup/0qtests_1_1",
        ],
    );
}

#[test]
fn with_another_mount_point_the_longest_tail_decides() {
    let facts = [
        "PRD 4711",
        "1 ? /oradata/PRD/system01.dbf: oracle_data/PRD/15_1_1",
        "log 1/100: oracle_data/PRD/16_1_1",
        "QAS 4712",
        "1 ? /oradata/QAS/system01.dbf: oracle_data/QAS/15_1_1",
        "by tail: /local/testmount/PRD/15_1_1 = oracle_data/PRD/15_1_1",
        "by tail: /local/testmount/PRD/16_1_1 = oracle_data/PRD/16_1_1",
        "by tail: /local/testmount/QAS/15_1_1 = oracle_data/QAS/15_1_1",
    ];
    let snapshot = [
        "oracle_data/PRD/15_1_1",
        "oracle_data/QAS/15_1_1",
        "oracle_data/PRD/16_1_1",
    ];
    for mount in ["/mnt/elsewhere", "", "/local/testmount", "not/absolute"] {
        maps_on("two_databases", mount, &snapshot, &facts);
    }
    // One of the names is there twice, and no longer tail tells which is meant.
    maps_on(
        "two_databases",
        "",
        &["a/15_1_1", "b/15_1_1", "16_1_1"],
        &[
            "PRD 4711",
            "log 1/100: 16_1_1",
            "ambiguous: /local/testmount/PRD/15_1_1",
            "ambiguous: /local/testmount/QAS/15_1_1",
            "by tail: /local/testmount/PRD/16_1_1 = 16_1_1",
            "additional: a/15_1_1",
            "additional: b/15_1_1",
        ],
    );
    // One file cannot be two paths': the longer tail has it, and an equal one nobody.
    maps_on(
        "two_databases",
        "",
        &["QAS/15_1_1"],
        &[
            "QAS 4712",
            "1 ? /oradata/QAS/system01.dbf: QAS/15_1_1",
            "elsewhere: /local/testmount/PRD/15_1_1",
            "elsewhere: /local/testmount/PRD/16_1_1",
            "by tail: /local/testmount/QAS/15_1_1 = QAS/15_1_1",
        ],
    );
    maps_on(
        "two_databases",
        "",
        &["15_1_1"],
        &[
            "ambiguous: /local/testmount/PRD/15_1_1",
            "ambiguous: /local/testmount/QAS/15_1_1",
            "elsewhere: /local/testmount/PRD/16_1_1",
            "additional: 15_1_1",
        ],
    );
}

#[test]
fn what_lies_below_the_mount_point_is_no_file_of_the_same_name_elsewhere() {
    maps(
        "two_databases",
        &["PRD/16_1_1", "old/PRD/15_1_1"],
        &[
            "PRD 4711",
            "log 1/100: PRD/16_1_1",
            "missing: /local/testmount/PRD/15_1_1",
            "missing: /local/testmount/QAS/15_1_1",
            "additional: old/PRD/15_1_1",
        ],
    );
}
