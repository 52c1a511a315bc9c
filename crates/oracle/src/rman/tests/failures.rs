//! Logs that are not whole: failures, missing ends, other languages, and logs of no backup.
//! What lives here: expectations for them. What does not: bytes that are no log at all (hostile.rs).

use super::*;

#[test]
fn when_one_channel_fails_the_sets_of_the_others_are_complete() {
    let account = tells_in_part(
        "failed_channel_others_finish",
        &[Shortcoming::CommandFailed, Shortcoming::ChannelFailed],
        &[
            "PRD 4711",
            "c1 full FAILED | 1=/oradata/PRD/system01.dbf",
            "c2 full complete tag 'T' | 2=/oradata/PRD/sysaux01.dbf > 1:/local/testmount/0q_1_1",
        ],
    );
    assert_eq!(
        account.failures,
        [
            "RMAN-03009: failure of backup command on c1 channel at 11/23/2026 07:00:09",
            "ORA-19502: write error on file \"/local/testmount/0p_1_1\", block number 33 (block size=8192)",
            "ORA-27072: File I/O error",
            "Linux-x86_64 Error: 28: No space left on device",
            "Additional information: 4",
            "RMAN-03009: failure of backup command on c1 channel at 11/23/2026 07:00:09",
            "ORA-19502: write error on file \"/local/testmount/0p_1_1\", block number 33 (block size=8192)",
        ]
    );
}

#[test]
fn a_channel_whose_work_another_takes_over_is_told() {
    tells_in_part(
        "channel_takes_over",
        &[Shortcoming::ChannelFailed],
        &[
            "PRD 4711",
            "c1 full complete tag 'T' | 1=/oradata/PRD/system01.dbf > 1:/local/testmount/1b_1_1",
            "c2 full FAILED | 2=/oradata/PRD/sysaux01.dbf",
            "c1 full complete tag 'T' | 2=/oradata/PRD/sysaux01.dbf > 1:/local/testmount/1d_1_1",
        ],
    );
}

#[test]
fn a_failed_set_has_no_file() {
    let account = tells_in_part(
        "failed_set",
        &[Shortcoming::CommandFailed, Shortcoming::ChannelFailed],
        &[
            "PRD 4711",
            "ORA_DISK_1 full FAILED | 1=/oradata/PRD/system01.dbf",
        ],
    );
    assert_eq!(account.files().count(), 0);
}

#[test]
fn pieces_whose_beginning_is_missing_are_there_but_nobody_knows_what_is_in_them() {
    tells_in_part(
        "truncated_head",
        &[Shortcoming::HeadMissing],
        &[
            "? 4711",
            "c1 unknown complete tag 'FULL' > ?:/local/testmount/0r_1_1",
            "c2 unknown complete tag 'FULL' > 1:/local/testmount/0s_1_1",
            "c1 full complete tag 'FULL' | 3=/oradata/PRD/users01.dbf > 1:/local/testmount/0t_1_1",
            "- full complete autobackup | control file | spfile \
             > ?:/local/testmount/c-4711-20261123-03",
        ],
    );
}

#[test]
fn a_set_whose_end_is_missing_is_not_complete() {
    let account = tells_in_part(
        "truncated_tail",
        &[Shortcoming::TailMissing],
        &[
            "PRD 4711",
            "c1 full complete tag 'FULL' | 1=/oradata/PRD/system01.dbf > 1:/local/testmount/0u_1_1",
            "c1 full UNFINISHED tag 'FULL' | 2=/oradata/PRD/sysaux01.dbf \
             > 1:/local/testmount/0v_1_1",
        ],
    );
    let usable: Vec<(&str, bool)> = account
        .files()
        .map(|file| (file.path, file.is_usable()))
        .collect();
    assert_eq!(
        usable,
        [
            ("/local/testmount/0u_1_1", true),
            ("/local/testmount/0v_1_1", false)
        ]
    );
}

#[test]
fn a_log_in_another_language_is_not_parsed_and_not_empty() {
    for fixture in ["localised_chinese_11g", "localised_german_latin1"] {
        let account = account(fixture);
        assert_eq!(account.outcome, Outcome::Localised, "{fixture}");
        assert_eq!(account.files().count(), 0, "{fixture}");
    }
}

#[test]
fn with_message_numbers_another_language_is_parsed_as_far_as_they_are_known() {
    tells_in_part(
        "localised_msgno",
        &[Shortcoming::AnotherLanguage],
        &[
            "ORCL 1336401710",
            "ORA_DISK_1 full complete compressed tag 'TAG20261123T120001' \
             | 1=/u01/oradata/ORCL/system01.dbf | 2=/u01/oradata/ORCL/sysaux01.dbf \
             > 1:/local/testmount/0x_1_1",
            "ORA_DISK_1 full complete compressed tag 'TAG20261123T120001' | control file \
             > 1:/local/testmount/0y_1_1",
        ],
    );
}

#[test]
fn lists_validations_and_restores_are_no_backups() {
    for fixture in [
        "nothing_but_a_list",
        "validated_only",
        "truncated_in_a_restore",
    ] {
        let account = account(fixture);
        assert_eq!(account.outcome, Outcome::NothingFound, "{fixture}");
        assert_eq!(account.files().count(), 0, "{fixture}");
    }
}

#[test]
fn a_run_that_was_not_connected_made_nothing_and_says_why() {
    let account = account("not_connected");
    assert_eq!(account.outcome, Outcome::NothingFound);
    assert_eq!(
        account.failures,
        [
            "RMAN-00554: initialization of internal recovery manager package failed",
            "RMAN-04005: error from target database:",
            "ORA-01017: invalid username/password; logon denied",
        ]
    );
}

#[test]
fn nothing_is_found_in_nothing() {
    let account = read_log(&b""[..]).expect("a slice gives no errors");
    assert_eq!(account.outcome, Outcome::NothingFound);
    assert_eq!(account.databases, []);
}
