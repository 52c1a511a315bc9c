//! Backup sets: whose a line is, what is in a set, and which files it lies in.
//! What lives here: expectations for logs that are whole. What does not: failures and missing parts (failures.rs).

use super::*;

#[test]
fn a_line_belongs_to_the_channel_whose_specification_is_open() {
    tells(
        "full_two_channels",
        &[
            "PRD 4711",
            "c3 full complete tag 'FULL' | 1=/oracle/PRD/sapdata1/system_1/system.data1 \
             | 3=/oracle/PRD/sapdata1/sr3_1/sr3.data1 > 1:/local/testmount/PRD_20261123_011a_1_1",
            "c4 full complete tag 'FULL' | 2=/oracle/PRD/sapdata1/undo_1/undo.data1 | control file \
             > 1:/local/testmount/PRD_20261123_021b_1_1",
        ],
    );
    let piece = &account("full_two_channels").databases[0].sets[0].pieces[0];
    assert_eq!(piece.started.as_deref(), Some("2026-11-23 01:00:06"));
    assert_eq!(piece.finished.as_deref(), Some("2026-11-23 01:01:06"));
}

#[test]
fn an_autobackup_has_no_tag_and_no_channel() {
    tells(
        "autobackup",
        &[
            "ORCL 1336401710",
            "ORA_DISK_1 full complete compressed tag 'TAG20241101T220001' \
             | 4=/u01/oradata/ORCL/users01.dbf > 1:/local/testmount/0a3b_1_1",
            "- full complete autobackup | control file | spfile \
             > ?:/local/testmount/c-1336401710-20241101-0a",
        ],
    );
}

#[test]
fn tags_and_handles_have_blanks_and_signs() {
    tells(
        "tag_with_blanks",
        &[
            "SALES 77",
            "d1 level 1 complete tag 'DAILY BACKUP' | 7=/data/my files/sales 01.dbf \
             > 1:/local/testmount/daily backup/<sales>:7_1_1",
        ],
    );
}

#[test]
fn windows_names_are_upper_case() {
    tells(
        "windows",
        &[
            "WINDB 99",
            "ORA_DISK_1 full complete tag 'TAG20261123T020001' | 1=D:\\ORADATA\\WINDB\\SYSTEM01.DBF \
             > 1:Z:\\WINDB\\BACKUP\\0QTESTS_1_1",
            "copy of 4=D:\\ORADATA\\WINDB\\USERS01.DBF tag 'TAG20261123T020001' in USERS \
             > Z:\\WINDB\\BACKUP\\DATA_D-WINDB_I-99_TS-USERS_FNO-4_0RTESTS",
        ],
    );
}

#[test]
fn the_sections_of_a_file_are_sets_of_several_channels() {
    tells(
        "section_size",
        &[
            "BIG 500",
            "c1 full complete tag 'SECT' | 5=/oradata/BIG/big01.dbf blocks 1-131072 \
             > 1:/local/testmount/3a_5_1",
            "c2 full complete tag 'SECT' | 5=/oradata/BIG/big01.dbf blocks 131073-262144 \
             > 2:/local/testmount/3a_5_2",
            "c2 full complete tag 'SECT' | 5=/oradata/BIG/big01.dbf blocks 262145-300000 \
             > 3:/local/testmount/3a_5_3",
        ],
    );
}

#[test]
fn a_set_has_several_pieces() {
    tells(
        "maxpiecesize",
        &[
            "PRD 4711",
            "c1 level 0 complete tag 'TAG20261123T040001' | 1=/oradata/PRD/system01.dbf \
             | 2=/oradata/PRD/sysaux01.dbf > 1:/local/testmount/0m_1_1 > 2:/local/testmount/0m_2_1 \
             > 3:/local/testmount/0m_3_1",
        ],
    );
}

#[test]
fn skipped_files_are_not_in_the_set_and_a_set_of_them_only_is_cancelled() {
    tells(
        "skipped_and_cancelled",
        &[
            "PRD 4711",
            "c1 level 1 complete tag 'L1' | 4=/oradata/PRD/users01.dbf \
             | 6=/oradata/PRD/old01.dbf SKIPPED > 1:/local/testmount/0n_1_1",
            "c2 level 1 CANCELLED | 7=/oradata/PRD/old02.dbf SKIPPED",
            "c3 level 1 CANCELLED | 8=/oradata/PRD/old03.dbf SKIPPED",
        ],
    );
}

#[test]
fn a_reused_name_is_the_last_writers() {
    tells(
        "reused_name",
        &[
            "PRD 4711",
            "c1 full complete tag 'FIRST' | spfile \
             > 1:/local/testmount/after_backup.bks OVERWRITTEN",
            "c1 full complete tag 'SECOND' | control file > 1:/local/testmount/after_backup.bks",
            "copy of control file tag 'TWO' > /local/testmount/after_backup_controlfile.cf",
        ],
    );
    let account = account("reused_name");
    let files: Vec<&str> = account.files().map(|file| file.path).collect();
    assert_eq!(
        files,
        [
            "/local/testmount/after_backup.bks",
            "/local/testmount/after_backup_controlfile.cf"
        ]
    );
}

#[test]
fn the_wording_of_10g_is_understood() {
    tells(
        "ten_g",
        &[
            "TEN 2863970444",
            "ORA_DISK_1 level 1 complete compressed tag 'TAG20090912T130001' \
             | 3=+DG/ten/datafile/sysaux.261.628550067 | control file | spfile \
             > 1:/local/testmount/DB-TEN-2pirfrqi",
            "ORA_DISK_1 logs complete tag 'TAG20090912T130030' | log 1/71 68@632799341 \
             | log 2/9 69@632799342 > 1:/local/testmount/AL-TEN-2qirfrrb",
            "copy of 1=+DG/ten/datafile/system.259.628550039 tag 'TAG20090912T130031' in SYSTEM \
             > /local/testmount/data_D-TEN_I-2863970444_TS-SYSTEM_FNO-1_2r",
        ],
    );
}

#[test]
fn prompts_blank_lines_lists_and_a_scripts_own_lines_do_no_harm() {
    tells(
        "prompts_and_blank_lines",
        &[
            "PRD 4711",
            "c1 full complete tag 'FULL' | 1=/oradata/PRD/system01.dbf > 1:/local/testmount/10_1_1",
        ],
    );
    let account = account("prompts_and_blank_lines");
    assert_eq!(account.began.as_deref(), Some("2026-11-23 13:00:05"));
    let piece = &account.databases[0].sets[0].pieces[0];
    assert_eq!(piece.started.as_deref(), Some("[13:00:06]"));
}

#[test]
fn message_numbers_on_every_line_are_no_failures() {
    tells(
        "msgno_everywhere",
        &[
            "PRD 4711",
            "c1 full complete compressed tag 'FULL' | 1=/oradata/PRD/system=01.dbf | control file \
             > 1:/local/testmount/14_1_1",
        ],
    );
}

#[test]
fn one_log_tells_of_two_databases() {
    tells(
        "two_databases",
        &[
            "PRD 4711",
            "c1 full complete tag 'A' | 1=/oradata/PRD/system01.dbf \
             > 1:/local/testmount/PRD/15_1_1",
            "c1 logs complete tag 'B' | log 1/100 90@1000 > 1:/local/testmount/PRD/16_1_1",
            "QAS 4712",
            "c1 full complete tag 'A' | 1=/oradata/QAS/system01.dbf \
             > 1:/local/testmount/QAS/15_1_1",
        ],
    );
}

#[test]
fn spfile_standby_control_file_and_an_included_copy_are_told() {
    tells(
        "spfile_and_standby_control_file",
        &[
            "PRD 4711",
            "c1 full complete tag 'SPF' | spfile > 1:/local/testmount/18_1_1",
            "c1 full complete tag 'STBY' \
             | 5=/oradata/copies/data_D-PRD_I-4711_TS-HIST_FNO-5_07 from copy \
             | standby control file > 1:/local/testmount/19_1_1",
        ],
    );
}

#[test]
fn a_piece_can_be_written_twice() {
    tells(
        "two_copies_of_each_piece",
        &[
            "PRD 4711",
            "c1 full complete tag 'TWICE' | 1=/oradata/PRD/system01.dbf \
             > 1:/local/testmount/1a_1_1 > 1:/local/testmount/1a_1_2",
        ],
    );
}

#[test]
fn a_spooled_log_has_neither_banner_nor_last_line() {
    tells(
        "spooled",
        &[
            "PRD 4711",
            "ORA_SBT_TAPE_1 full complete tag 'TAG20261124T030001' | control file > 1:1e3f_1_1",
        ],
    );
}
