#!/bin/sh
# Stands in for Oracle's rman at a restore: moves an instance from state to state, writes the files of its database, and
# the log of `rman ... msgno` in its grammar.
#
# STAND_IN is a directory for notes: state (none, started, mounted, open), datafiles (a path a line), commands (of all runs,
# one after the other), pid. The database is in ORACLE_HOME/../database. STAND_IN_RMAN says how it behaves: good (or
# nothing), or one of the names in the `case`s below.
set -u
behaviour=${STAND_IN_RMAN:-good}
database=${ORACLE_HOME%/*}/database
for argument in "$@"; do
    case $argument in
    cmdfile=*) commands=${argument#cmdfile=} ;;
    esac
done
cat "$commands" >>"$STAND_IN/commands"
printf '%s\n' "$*" >"$STAND_IN/arguments"
now=$(date '+%Y-%m-%d %H:%M:%S')
until=''

say() {
    printf 'RMAN-%s: %s\n' "$1" "$2"
}

# stack COMMAND LINE...: the end of the run.
stack() {
    printf 'RMAN-%s\n' '00571: ===========================================================' \
        '00569: =============== ERROR MESSAGE STACK FOLLOWS ===============' \
        '00571: ===========================================================' "03002: failure of $1 command at $now"
    shift
    printf '%s\n' "$@" '' 'Recovery Manager complete.'
    exit "${status:-1}"
}

state() {
    cat "$STAND_IN/state"
}

enter() {
    printf '%s\n' "$1" >"$STAND_IN/state"
}

must_be() {
    case " $1 " in
    *" $(state) "*) ;;
    *) stack "$2" 'RMAN-03002: failure' "ORA-01507: database is $(state), not $1" ;;
    esac
}

connected() {
    case $(state) in
    none) say 06193 'connected to target database (not started)' ;;
    started) say 06006 "connected to target database: ${STAND_IN_NAME:-SND} (not mounted)" ;;
    mounted) say 06005 "connected to target database: SND (DBID=${STAND_IN_DBID:-4711}, not open)" ;;
    open) say 06005 "connected to target database: SND (DBID=${STAND_IN_DBID:-4711})" ;;
    esac
}

# An instance outlives the rman that starts it, and keeps every descriptor that it inherits.
start() {
    if [ ! -e "$ORACLE_HOME/dbs/initSND.ora" ] && [ ! -e "$ORACLE_HOME/dbs/spfileSND.ora" ]; then
        say 04014 'startup failed: ORA-01078: failure in processing system parameters'
        printf "LRM-00109: could not open parameter file '%s'\n\n" "$ORACLE_HOME/dbs/initSND.ora"
        say 04035 'starting Oracle instance without parameter file for retrieval of spfile'
    fi
    [ "$behaviour" != startup-fails ] || stack startup 'RMAN-04014: startup failed: ORA-27102: out of memory'
    sleep "${STAND_IN_INSTANCE_SECONDS:-0}" &
    enter started
    say 04017 'Oracle instance started'
}

mount_database() {
    must_be started 'alter db'
    [ -e "$database/control01.ctl" ] || stack 'alter db' 'ORA-00205: error in identifying control file, check alert log for more info'
    [ "$behaviour" != mount-fails ] || stack 'alter db' "ORA-01103: database name 'PRD' in control file is not 'SND'"
    enter mounted
    [ "$behaviour" = mount-is-forgotten ] && enter started
    say 06199 'database mounted'
}

restore_control_file() {
    must_be started restore
    say 03090 "Starting restore at $now"
    [ -s "$1" ] || stack restore "ORA-19505: failed to identify file \"$1\"" 'ORA-27037: unable to obtain file status'
    [ "$behaviour" != control-file-fails ] || stack restore 'ORA-19870: error while restoring backup piece x'
    for file in control01.ctl control02.ctl; do
        printf 'restored from %s\n' "$1" >"$database/$file"
        say 08505 "output file name=$database/$file"
    done
    say 03091 "Finished restore at $now"
}

catalogue() {
    must_be 'mounted open' catalog
    [ "$behaviour" != catalog-fails ] || stack catalog 'ORA-19625: error identifying file x'
    say 07518 'List of Files Unknown to the Database'
    say 07519 '====================================='
    found=$(find "${1%/*}" -type f -path "$1*" | sed 's/^/RMAN-07522: File Name: /')
    printf '%s\n' "$found"
    say 07525 'List of Cataloged Files'
    say 07526 '======================='
    printf '%s\n' "$found" | grep -v -e '/catalog.rman$' -e '\.bad$'
    say 07527 'List of Files Which Were Not Cataloged'
    say 07528 '======================================='
    printf '%s\n' "$found" | grep -e '/catalog.rman$' -e '\.bad$' |
        sed 's/$/\nRMAN-07517: Reason: The file header is corrupted/'
}

# restore_to FILE...
restore_to() {
    say 03090 "Starting restore at $now"
    [ "$behaviour" != no-backup ] || stack restore 'RMAN-06026: some targets not found - aborting restore' \
        'RMAN-06023: no backup or copy of datafile 2 found to restore'
    for file in "$@"; do
        say 08610 "channel c1: restoring datafile to $file"
        printf 'restored%s\n' "$until" >"$file"
        case $behaviour in
        endless | stubborn) go_on_for_ever ;;
        disk-full) stack restore "ORA-19504: failed to create file \"$file\"" 'Linux-x86_64 Error: 28: No space left on device' ;;
        piece-is-damaged) printf 'channel c1: ORA-19870: error while restoring backup piece x\nORA-19501: read error on file "x"\n' ;;
        fails-over)
            printf 'channel c1: ORA-19870: error while restoring backup piece x\nORA-19501: read error on file "x"\n'
            say 05016 'failover to previous backup'
            ;;
        esac
    done
    [ "$behaviour" = unfinished ] || say 03091 "Finished restore at $now"
    [ "$behaviour" != restore-with-status-0 ] || { status=0 && stack restore 'ORA-19870: error while restoring backup piece x'; }
}

go_on_for_ever() {
    [ "$behaviour" != stubborn ] || trap '' TERM
    echo $$ >"$STAND_IN/pid.new" && mv "$STAND_IN/pid.new" "$STAND_IN/pid"
    while :; do
        sleep 0.05
    done
}

validate() {
    say 03090 "Starting restore at $now"
    [ "$behaviour" != endless-check ] || go_on_for_ever
    [ "$behaviour" != validation-fails ] || stack restore "ORA-19587: error occurred reading 8192 bytes at block number 3" \
        'RMAN-06023: no backup or copy of datafile 2 found to restore'
    say 08180 'channel c1: validation complete, elapsed time: 00:00:01'
    say 03091 "Finished restore at $now"
}

recover() {
    must_be 'mounted open' recover
    say 03090 "Starting recover at $now"
    say 08054 'starting media recovery'
    case $behaviour in
    recover-fails) stack recover 'ORA-00283: recovery session canceled due to errors' 'ORA-00600: internal error code' ;;
    redo-ends-badly) stack recover 'RMAN-06054: media recovery requesting unknown archived log for thread 1 with sequence 8 and starting SCN of 1200' 'ORA-01110: data file 1: x' ;;
    redo-ends-always) until='' ;;
    redo-ends-earlier-and-earlier)
        [ -z "$until" ] || stack recover 'RMAN-06054: media recovery requesting unknown archived log for thread 1 with sequence 7 and starting SCN of 900' ;;
    redo-ends-as-in-release-10)
        [ "$until" ] || stack recover 'RMAN-06054: media recovery requesting unknown log: thread 1 seq 8 lowscn 1200' ;;
    online-logs-are-there) until=all ;;
    esac
    [ "$until" ] || [ "$1" ] ||
        stack recover 'RMAN-06054: media recovery requesting unknown archived log for thread 1 with sequence 8 and starting SCN of 1200'
    say 08181 'media recovery complete, elapsed time: 00:00:01'
    say 03091 "Finished recover at $now"
}

open_database() {
    must_be mounted 'alter db'
    while IFS= read -r file; do
        [ -s "$file" ] || stack 'alter db' 'ORA-01157: cannot identify/lock data file 1 - see DBWR trace file' "ORA-01110: data file 1: '$file'"
    done <"$STAND_IN/datafiles"
    case $behaviour in
    open-fails) stack 'alter db' "ORA-01152: file 1 was not restored from a sufficiently old backup" "ORA-01110: data file 1: 'x'" ;;
    open-is-forgotten) return ;;
    esac
    echo new >"$database/redo01.log"
    enter open
    say 06400 'database opened'
}

# run COMMAND: one line of the command file.
run() {
    quoted=$(printf '%s' "$1" | sed -n "s/[^']*'\\([^']*\\)'.*/\\1/p")
    case $1 in
    '' | '#'* | 'run {' | '}' | 'exit;' | 'allocate channel '*) ;;
    'set dbid '*) echo 'executing command: SET DBID' ;;
    'set until scn '*) until=" until ${1#set until scn }" ;;
    'set until time '*) until=" until $quoted" ;;
    'startup nomount;') start ;;
    'startup force nomount;') enter none && start ;;
    'startup mount;') start && mount_database ;;
    'alter database mount;') mount_database ;;
    'alter database open resetlogs;' | 'alter database open;') open_database ;;
    'shutdown immediate;') [ "$behaviour" = shutdown-fails ] || enter none ;;
    'restore spfile from '*) cp "$quoted" "$ORACLE_HOME/dbs/spfileSND.ora" ;;
    'restore controlfile from '*) restore_control_file "$quoted" ;;
    'crosscheck '*) say 08158 "crosschecked backup piece: found to be 'EXPIRED'" ;;
    'catalog start with '*) catalogue "$quoted" ;;
    'restore database;') must_be mounted restore && restore_to "$database/system.dbf" "$database/users.dbf" ;;
    'restore database preview;') say 06401 'List of Datafile Copies' ;;
    'restore database validate;') must_be mounted restore && validate ;;
    'restore datafile '*) must_be 'mounted open' restore && restore_to "$database/users.dbf" ;;
    'recover database;') recover '' ;;
    'recover datafile '*) recover datafile ;;
    'switch database to copy;')
        must_be mounted switch
        [ "$behaviour" != no-copies ] || stack switch 'RMAN-06571: datafile 1 does not have recoverable copy'
        find "${STAND_IN_COPIES:?}" -name 'data_*' | sort >"$STAND_IN/datafiles"
        say 06404 'datafile 1 switched to datafile copy "x"'
        ;;
    'change copy of database like '*) [ "$behaviour" != uncatalog-fails ] || stack change 'RMAN-06429: TARGET database is not compatible' ;;
    "sql 'alter database datafile "*) say 06162 "sql statement: $quoted" ;;
    *) stack unknown "RMAN-01009: syntax error: $1" ;;
    esac
}

printf '\nRecovery Manager: Release 19.0.0.0.0 - Production on Mon Nov 23 15:00:00 2026\n\n'
[ "$behaviour" != no-connection ] || stack connect 'ORA-01031: insufficient privileges'
[ "$behaviour" = says-nothing ] || connected
while IFS= read -r line; do
    run "$line"
done <"$commands"
[ "$behaviour" != warn ] || say 06820 'WARNING: something is odd'
if grep -q '^restore database;' "$commands"; then
    case $behaviour in
    cut-off) exit 0 ;;
    log-is-lost) rm -- "${commands%.rman}.log" ;;
    status-1) printf '\nRecovery Manager complete.\n' && exit 1 ;;
    esac
fi
printf '\nRecovery Manager complete.\n'
