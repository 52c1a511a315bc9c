//! What others keep and read again: the JSON of an account and of a map, word by word.
//! What lives here: the two documents. What does not: what they mean.

use serde_json::json;

use super::*;

const LOG: &str = "\
Recovery Manager: Release 19.0.0.0.0 - Production on Tue Nov 24 05:00:00 2026
connected to target database: PRD (DBID=4711)
Starting backup at 2026-11-24 05:00:01
channel c1: starting compressed incremental level 1 datafile backup set
channel c1: specifying datafile(s) in backup set
input datafile file number=00001 name=/oradata/system01.dbf
backing up blocks 1 through 8
channel c1: starting piece 1 at 2026-11-24 05:00:02
channel c1: finished piece 1 at 2026-11-24 05:00:03
piece handle=/m/a_1_1 tag=T comment=NONE
channel c1: backup set complete, elapsed time: 00:00:01
channel c1: starting archived log backup set
channel c1: specifying archived log(s) in backup set
input archived log thread=1 sequence=7 RECID=8 STAMP=9
RMAN-03009: failure of backup command on c1 channel at 11/24/2026 05:00:04
channel c1: starting datafile copy
input datafile file number=00002 name=/oradata/sysaux01.dbf
output file name=/m/data_D-PRD_I-4711_TS-SYSAUX_FNO-2_01 tag=T RECID=1 STAMP=2
channel c1: datafile copy complete, elapsed time: 00:00:01
Finished backup at 2026-11-24 05:00:09
Recovery Manager complete.
";

#[test]
fn the_json_of_an_account_is_what_it_was() {
    let account = read_log(LOG.as_bytes()).expect("a slice gives no errors");
    let expected = json!({
        "outcome": {"kind": "partial", "because": ["channel_failed"]},
        "began": "2026-11-24 05:00:01",
        "finished": "2026-11-24 05:00:09",
        "databases": [{
            "name": "PRD",
            "dbid": 4711,
            "sets": [
                {
                    "channel": "c1",
                    "kind": {"incremental": {"level": 1}},
                    "compressed": true,
                    "datafiles": [{
                        "number": 1,
                        "name": "/oradata/system01.dbf",
                        "blocks": {"first": 1, "last": 8},
                        "skipped": false,
                        "from_copy": false,
                    }],
                    "archived_logs": [],
                    "includes_control_file": false,
                    "includes_standby_control_file": false,
                    "includes_spfile": false,
                    "tag": "T",
                    "pieces": [{
                        "number": 1,
                        "handle": "/m/a_1_1",
                        "started": "2026-11-24 05:00:02",
                        "finished": "2026-11-24 05:00:03",
                        "fate": "kept",
                        "place": 1,
                    }],
                    "state": "complete",
                    "is_autobackup": false,
                },
                {
                    "channel": "c1",
                    "kind": "archived_logs",
                    "compressed": false,
                    "datafiles": [],
                    "archived_logs": [{"thread": 1, "sequence": 7, "recid": 8, "stamp": 9}],
                    "includes_control_file": false,
                    "includes_standby_control_file": false,
                    "includes_spfile": false,
                    "tag": null,
                    "pieces": [],
                    "state": "failed",
                    "is_autobackup": false,
                },
            ],
            "copies": [{
                "of": {"kind": "datafile", "number": 2, "name": "/oradata/sysaux01.dbf"},
                "path": "/m/data_D-PRD_I-4711_TS-SYSAUX_FNO-2_01",
                "tag": "T",
                "merged": false,
                "name_says": {
                    "database": "PRD",
                    "dbid": 4711,
                    "tablespace": "SYSAUX",
                    "number": 2,
                },
                "fate": "kept",
                "place": 2,
            }],
        }],
        "failures": ["RMAN-03009: failure of backup command on c1 channel at 11/24/2026 05:00:04"],
        "notes": {
            "lines": 21,
            "lines_cut": 0,
            "foreign_lines": 0,
            "ambiguous_lines": 0,
            "errors_outside_stacks": 0,
            "without_copy": [],
        },
    });
    assert_eq!(serde_json::to_value(&account).expect("JSON"), expected);
    let time = |second| crate::time::OracleTime::from_civil(2026, 11, 24, 5, 0, second);
    assert_eq!(account.began_at(), time(1));
    assert_eq!(account.finished_at(), time(9));
}

#[test]
fn the_json_of_a_map_is_what_it_was() {
    let account = read_log(LOG.as_bytes()).expect("a slice gives no errors");
    let map = account.in_directory("/m", &files(&["a_1_1"]));
    let expected = json!({
        "outcome": {"kind": "partial", "because": ["channel_failed"]},
        "databases": [{
            "name": "PRD",
            "dbid": 4711,
            "datafiles": [{
                "number": 1,
                "name": "/oradata/system01.dbf",
                "tablespace": null,
                "files": ["a_1_1"],
            }],
            "archived_logs": [],
            "control_files": [],
            "standby_control_files": [],
            "spfiles": [],
            "pieces": [{
                "file": "a_1_1",
                "kind": {"incremental": {"level": 1}},
                "number": 1,
                "tag": "T",
                "is_autobackup": false,
                "set": 0,
            }],
            "copies": [],
            "unusable": [],
        }],
        "missing": [{
            "path": "/m/data_D-PRD_I-4711_TS-SYSAUX_FNO-2_01",
            "database": "PRD",
            "is_ambiguous": false,
        }],
        "elsewhere": [],
        "found_by_tail": [],
        "is_cut": false,
    });
    assert_eq!(serde_json::to_value(&map).expect("JSON"), expected);
}
