//! Image copies: which file each is of, what is merged, and what a log deletes again.
//! What lives here: expectations for logs of copies and deletions. What does not: backup sets (sets.rs).

use super::*;

#[test]
fn of_two_channels_that_copy_the_one_named_next_has_written() {
    tells(
        "as_copy_two_channels",
        &[
            "KIL 2092683371",
            "copy of 46=+DATA/KIL/system.280 tag 'TAG20130903T224244' > /local/testmount/system_copy",
            "copy of 47=+DATA/KIL/sysaux.260 tag 'TAG20130903T224244' > /local/testmount/sysaux_copy",
            "copy of standby control file tag 'TAG20130903T224244' > /local/testmount/standby.ctl",
            "copy of 50=+DATA/KIL/ts.263 tag 'TAG20130903T224244' in TS \
             > /local/testmount/data_D-KIL_I-2092683371_TS-TS_FNO-50_0a",
            "copy of log 1/12 > /local/testmount/arch_D-KIL_id-2092683371_S-12_T-1_A-1_0b",
        ],
    );
}

#[test]
fn a_merge_brings_older_copies_up_to_date_and_its_increment_is_deleted() {
    tells(
        "incremental_merge",
        &[
            "PRD 4711",
            "c1 level 1 complete tag 'MERGE' | 1=/oradata/PRD/system01.dbf \
             | 2=/oradata/PRD/sysaux01.dbf > 1:/local/testmount/12_1_1 DELETED",
            "copy of 3=/oradata/PRD/new01.dbf tag 'MERGE' in NEW \
             > /local/testmount/data_D-PRD_I-4711_TS-NEW_FNO-3_13",
            "copy merged of 1=? in SYSTEM > /local/testmount/data_D-PRD_I-4711_TS-SYSTEM_FNO-1_01",
            "copy merged of 2=? in SYSAUX > /local/testmount/data_D-PRD_I-4711_TS-SYSAUX_FNO-2_02",
            "copy of control file tag 'MERGE' > /local/testmount/after_backup_controlfile.cf",
        ],
    );
    assert_eq!(account("incremental_merge").notes.without_copy, [3]);
}

#[test]
fn what_a_restore_writes_and_reads_is_no_backup() {
    tells(
        "restore_in_the_same_log",
        &[
            "PRD 4711",
            "c1 full complete tag 'FULL' | 1=/oradata/PRD/system01.dbf > 1:/local/testmount/11_1_1",
        ],
    );
}

#[test]
fn only_what_the_log_says_is_deleted_is_deleted() {
    tells(
        "archived_logs_deleted",
        &[
            "PRD 4711",
            "c1 logs complete compressed tag 'LOGS' | log 1/200 192@2002 | log 1/201 193@2003 \
             > 1:/local/testmount/17_1_1",
            "copy of log 1/200 > /local/testmount/arch/1_200.arc DELETED",
            "copy of log 1/201 > /local/testmount/arch/1_201.arc",
        ],
    );
}

#[test]
fn a_deleted_copy_that_is_written_again_is_there() {
    tells(
        "deleted_and_written_again",
        &[
            "PRD 4711",
            "copy of 1=/oradata/PRD/system01.dbf tag 'AGAIN' > /local/testmount/system01.copy",
            "copy of 2=/oradata/PRD/sysaux01.dbf tag 'COPY' > /local/testmount/sysaux01.copy DELETED",
        ],
    );
}

#[test]
fn copies_and_sets_lie_in_each_other_where_some_files_have_no_copy_yet() {
    tells(
        "copies_and_sets_of_the_script",
        &[
            "SND 4713",
            "c1 level 1 complete tag 'BS_SND' | 1=/oracle/SND/sapdata1/system.data1 \
             | 3=/oracle/SND/sapdata1/undo.data1 > 1:/local/testmount/01inc_1_1 DELETED",
            "c1 logs complete tag 'BS_SND_LOG' | log 1/7 7@1099 > 1:/local/testmount/07arch_1_1",
            "- full complete autobackup | control file | spfile \
             > ?:/local/testmount/c-4713-20261124-00",
            "copy of 2=/oracle/SND/sapdata1/new.data1 tag 'BS_SND' in NEW \
             > /local/testmount/data_D-SND_I-4713_TS-NEW_FNO-2_02abcd",
            "copy merged of 1=? in SYSTEM > /local/testmount/data_D-SND_I-4713_TS-SYSTEM_FNO-1_01abcd",
            "copy of control file tag 'BS_SND_CTL' > /local/testmount/control_D-SND_I-4713.ctl",
        ],
    );
}
