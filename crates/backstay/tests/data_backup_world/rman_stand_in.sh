#!/bin/sh
# Stands in for Oracle's rman: writes the log of `rman ... msgno` in its grammar, and files where the formats want them.
#
# STAND_IN is a directory for notes: pid, arguments, environment, commands, and deletion, which are the commands of a run
# that only deletes archived logs. STAND_IN_RMAN says how it behaves: good (or nothing), or one of the names in the `case`s
# below.
set -u
behaviour=${STAND_IN_RMAN:-good}
printf '%s\n' "$*" >"$STAND_IN/arguments"
env >"$STAND_IN/environment"
for argument in "$@"; do
    case $argument in
    cmdfile=*) commands=${argument#cmdfile=} ;;
    esac
done
note=commands
! grep -q '^delete noprompt archivelog' "$commands" || note=deletion
cp "$commands" "$STAND_IN/$note"
mount=$(sed -n "s|.*device type disk format '\(.*\)/%U';|\1|p" "$commands" | sed -n 1p)
now=$(date '+%Y-%m-%d %H:%M:%S')

say() {
    printf 'RMAN-%s: %s\n' "$1" "$2"
}

# write FILE: what a data file is to this test. Says what dd said when the disk is full, as the server would.
write() {
    if ! dd if=/dev/zero of="$1" bs=64k count="${blocks:-2}" 2>"$STAND_IN/dd"; then
        say 03009 "failure of backup command on c1 channel at $now"
        printf 'ORA-19502: write error on file "%s", block number 1 (block size=8192)\n' "$1"
        printf 'ORA-27072: File I/O error\nLinux-x86_64 Error: 28: No space left on device\n'
        stack 'ORA-19502: write error on file'
        exit 1
    fi
}

stack() {
    echo 'RMAN-00571: ==========================================================='
    echo 'RMAN-00569: =============== ERROR MESSAGE STACK FOLLOWS ==============='
    echo 'RMAN-00571: ==========================================================='
    echo "RMAN-03002: failure of backup command at $now"
    printf '%s\n' "$1"
    echo
    echo 'Recovery Manager complete.'
}

# set_piece NAME TAG WHAT: one backup set of one piece.
set_piece() {
    write "$mount/$1"
    say 08038 "channel c1: starting piece 1 at $now"
    say 08044 "channel c1: finished piece 1 at $now"
    say 08530 "piece handle=$mount/$1 tag=$2 comment=NONE"
    say 08540 'channel c1: backup set complete, elapsed time: 00:00:01'
}

image_copy() {
    copy=$mount/data_D-SND_I-4711_TS-$2_FNO-$1_0${1}abcd
    say 08580 'channel c1: starting datafile copy'
    say 08522 "input datafile file number=0000$1 name=/oracle/SND/sapdata1/$2.data1"
    write "$copy"
    say 08501 "output file name=$copy tag=$tag RECID=$1 STAMP=1099"
    say 08581 'channel c1: datafile copy complete, elapsed time: 00:00:01'
}

back_up_data() {
    say 03090 "Starting backup at $now"
    if grep -q '^backup as backupset full' "$commands"; then
        for file in 1 2; do
            say 08008 'channel c1: starting full datafile backup set'
            say 08010 'channel c1: specifying datafile(s) in backup set'
            say 08522 "input datafile file number=0000$file name=/oracle/SND/sapdata1/file$file"
            set_piece "0${file}full_1_1" "$tag"
        done
    else
        image_copy 1 SYSTEM
        image_copy 2 PSAP40BD
    fi
    say 03091 "Finished backup at $now"
}

back_up_logs() {
    say 03090 "Starting backup at $now"
    say 08017 'channel c1: starting archived log backup set'
    say 08014 'channel c1: specifying archived log(s) in backup set'
    say 08504 'input archived log thread=1 sequence=7 RECID=7 STAMP=1099'
    set_piece 07arch_1_1 "${tag}_LOG"
    say 03091 "Finished backup at $now"
}

back_up_parameters() {
    say 03090 "Starting backup at $now"
    say 08008 'channel c1: starting full datafile backup set'
    say 08010 'channel c1: specifying datafile(s) in backup set'
    say 08113 'including current SPFILE in backup set'
    set_piece 08spfile_1_1 "${tag}_SPF"
    say 03091 "Finished backup at $now"
}

back_up_control_file() {
    say 03090 "Starting backup at $now"
    say 08580 'channel c1: starting datafile copy'
    say 08000 'copying current control file'
    write "$mount/control_D-SND_I-4711.ctl"
    say 08501 "output file name=$mount/control_D-SND_I-4711.ctl tag=${tag}_CTL RECID=9 STAMP=1099"
    say 03091 "Finished backup at $now"
    say 03090 "Starting Control File and SPFILE Autobackup at $now"
    write "$mount/c-4711-20261123-00"
    say 08503 "piece handle=$mount/c-4711-20261123-00 comment=NONE"
    say 03091 "Finished Control File and SPFILE Autobackup at $now"
}

delete_logs() {
    say 08158 "crosschecked backup piece: found to be 'AVAILABLE'"
    say 08517 'backup piece handle=/local/testmount/07arch_1_1 RECID=7 STAMP=1099'
    case $behaviour in
    deletion-fails) stack 'ORA-27056: could not delete file' && exit 1 ;;
    deletion-fails-with-status-0) stack 'ORA-27056: could not delete file' && exit 0 ;;
    deletion-is-cut-off) exit 0 ;;
    esac
    say 08138 'WARNING: archived log not deleted - must create more backups'
    say 08515 'archived log file name=/oracle/SND/oraarch/SNDarch1_8.dbf thread=1 sequence=8'
    for sequence in 5 6; do
        say 08071 'deleted archived log'
        say 08515 "archived log file name=/oracle/SND/oraarch/SNDarch1_$sequence.dbf RECID=$sequence STAMP=1099"
    done
    say 06064 'Deleted 2 objects'
    echo && echo 'Recovery Manager complete.'
    exit 0
}

tag=$(sed -n "s/.*tag '\([A-Z0-9_]*\)_CTL'.*/\1/p" "$commands" | sed -n 1p)
echo
echo 'Recovery Manager: Release 19.0.0.0.0 - Production on Mon Nov 23 15:00:00 2026'
echo
[ "$behaviour" = not-connected ] || say 06005 'connected to target database: SND (DBID=4711)'
say 06009 'using target database control file instead of recovery catalog'
sed 's/^/RMAN> /' "$commands"
say 08030 'allocated channel: c1'
say 08500 'channel c1: SID=42 device type=DISK'
echo $$ >"$STAND_IN/pid.new" && mv "$STAND_IN/pid.new" "$STAND_IN/pid"
[ "$note" = commands ] || delete_logs

case $behaviour in
fail)
    stack 'ORA-19504: failed to create file'
    exit 1
    ;;
fail-silently) exit 3 ;;
endless | stubborn)
    [ "$behaviour" = endless ] || trap '' TERM
    (
        [ "$behaviour" = endless ] || trap '' TERM
        while :; do
            date >"$mount/still_writing"
            sleep 0.05
        done
    )
    exit 1
    ;;
no-files)
    say 03090 "Starting backup at $now"
    say 03091 "Finished backup at $now"
    echo 'Recovery Manager complete.'
    exit 0
    ;;
disk-full) blocks=1024 ;;
large-log) awk 'BEGIN { for (n = 0; n < 40000; n++) print "RMAN-06005: this line makes the log longer, number " n }' ;;
esac

! grep -q '^backup.* database' "$commands" || back_up_data
case $behaviour in
fail-with-status-0) stack 'ORA-19809: limit exceeded for recovery files' && exit 0 ;;
bare-error) echo 'ORA-19566: exceeded limit of 0 corrupt blocks for file /oracle/SND/sapdata1/x' ;;
failed-command) say 03009 "failure of backup command on c1 channel at $now" && echo 'ORA-19504: failed to create file' ;;
channel-takes-over)
    say 03009 "failure of backup command on c2 channel at $now"
    echo 'ORA-03113: end-of-file on communication channel'
    say 08606 'channel c2 disabled, job failed on it will be run on another channel'
    ;;
warn)
    say 08120 'WARNING: archived log not deleted, not yet applied by standby'
    say 06820 'WARNING: failed to archive current log at primary database'
    echo 'ORA-17629: Cannot connect to the remote database server'
    say 07517 'Reason: The file header is corrupted'
    ;;
unfinished) say 03090 "Starting backup at $now" ;;
missing-file) rm "$mount/data_D-SND_I-4711_TS-SYSTEM_FNO-1_01abcd" ;;
empty-file) : >"$mount/data_D-SND_I-4711_TS-SYSTEM_FNO-1_01abcd" ;;
elsewhere) say 08530 "piece handle=/oracle/SND/dbs/0xyz_1_1 tag=$tag comment=NONE" ;;
copy-elsewhere) echo 'RMAN-08527: recovering datafile copy file number=00001 name=/backup/other/data_D-SND_I-4711_TS-SYSTEM_FNO-1_00' ;;
deletes-pieces)
    set_piece 05incremental_1_1 "$tag"
    say 08073 'deleted backup piece'
    say 08517 "backup piece handle=$mount/05incremental_1_1 RECID=5 STAMP=1099"
    rm "$mount/05incremental_1_1"
    ;;
esac
back_up_logs
! grep -q 'spfile;$' "$commands" || back_up_parameters
back_up_control_file
[ "$behaviour" != missing-piece ] || rm "$mount/07arch_1_1"
[ "$behaviour" = cut-off ] || { echo && echo 'Recovery Manager complete.'; }
case $behaviour in
no-log) rm -- "${commands%.rman}.log" ;;
log-is-a-directory) rm -- "${commands%.rman}.log" && mkdir -- "${commands%.rman}.log" ;;
good-but-status-1) exit 1 ;;
esac
exit 0
