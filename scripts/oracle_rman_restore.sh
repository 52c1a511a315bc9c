#!/bin/sh
# Brings an Oracle database back with RMAN, from a restore that the store has laid ready on a mount.
# What lives here: one run, from the checks to the open database. What does not: making the restore, mounting, new places.
#
# Runs on the database host as the owner of the Oracle software; needs curl, and nothing that Linux does not have.
# Options, examples and exit statuses: --help. Each message explained: docs/RMAN-RESTORE-SCRIPT.md of Backstay.
#
# A message's number begins with the exit status. Nothing of a database that lives, or whose files are still there, is
# overwritten unless --force says so; until the first data file is written, a run that gives up puts back what it found.
#
# What says, checks and talks here is much as in oracle_rman_data_backup.sh, and on purpose in both: who has lost a host
# copies one file to another one, and it must not fail for want of a second.

# "A && B || fail" is meant as it reads: fail unless both hold, and fail does not return. What traps call is reachable.
# shellcheck disable=SC2015,SC2317

set -u
umask 027
LC_ALL=C
export LC_ALL
IFS=' 	
'

PROGRAM=oracle_rman_restore.sh
DEFAULT_PORT=9090
CONNECT_SECONDS_MAX=10
ANSWER_SECONDS_MAX=3600
# A dead NFS server holds whoever touches its mount; the checks wait no longer than this.
PROBE_SECONDS_MAX=60
# For a few rows of a V$ view.
SQL_SECONDS_MAX=300
# What RMAN gets to end after a signal, before it is killed.
RMAN_END_SECONDS_MAX=30
# Of 512 bytes each: an answer of more than 64 KiB is none of the store's.
ANSWER_BLOCKS_MAX=128
# Of catalog.rman: a few lines for each database.
CATALOG_BYTES_MAX=1048576
NAME_LENGTH_MAX=64
CHANNELS_MAX=64
# Runs for other databases may have the same directory of logs, and begin in the same second.
LOGS_IN_A_SECOND_MAX=100

usage() {
    cat <<END
$PROGRAM [OPTIONS] <log-dir> <store-ip[:port]> <mount> <restore-job>

Brings a database back with RMAN from a restore of the store, which is mounted here: starts the instance, restores the
control file, catalogues what was restored, restores the data files, recovers and opens with RESETLOGS.

  <log-dir>             directory for rman_restore_<stamp>.log
  <store-ip[:port]>     the store's REST API, port $DEFAULT_PORT unless given; [ADDRESS]:PORT for IPv6
  <mount>               name of the backup mount, upper and lower case as on the store
  <restore-job>         number of the restore

  --database SID        the database; default: ORACLE_SID
  --oracle-home DIR     its software; default: ORACLE_HOME, or the SID's line in /etc/oratab
  --local-mount DIR     where the restore is mounted, or was copied to; default: found in /proc/mounts by the store's
                        address and the export /Phoenix/<mount>/restores/<restore-job>
  --until-time TIME     recover to this time, 'YYYY-MM-DD HH:MM:SS'; default: to the end of the redo that is there
  --until-scn N         recover to this SCN; what it changed is not in the database any more
  --datafile N[,N...]   only these data files, into a database whose other files are intact; recovered completely
  --use-copies          open the database on the image copies where they are: nothing is copied back, and the restore
                        becomes the database's disk
  --control-file PATH   the control file, relative to the restore; default: what catalog.rman names
  --spfile              restore the server parameter file too, for a host that has no parameter file
  --channels N          so many RMAN channels, 1 to $CHANNELS_MAX; default 1, all that Standard Edition allows
  --check               only tell whether it could be restored: RESTORE ... PREVIEW and VALIDATE, then all as it was
  --force               although the instance is open or mounted, or files of the database are there: overwrite them
  --delete-restore      have the store delete the restore when the database is open
  --timeout SECONDS     how long the store may take for that; default $ANSWER_SECONDS_MAX
  -h, --help            this text

Examples:
  $PROGRAM --check /home/oracle/log 192.0.2.1 testmount 12
  $PROGRAM --database PRD --channels 4 /home/oracle/log 192.0.2.1 testmount 12
  $PROGRAM --until-time '2026-11-23 14:30:00' --force /home/oracle/log 192.0.2.1 testmount 12
  $PROGRAM --datafile 7 --force /home/oracle/log 192.0.2.1 testmount 12

Exit status:
    0  the database is open; with --check: it could be restored
    2  the command line is wrong; nothing was begun
    3  a check failed; nothing was begun
    4  another run is at this database; nothing was begun
    5  the database lives, or files of it are there, and --force is not given; all is as it was
    6  the instance, the control file or the catalogue of backups failed; no data file was touched
    7  --check: it could not be restored; all is as it was
    8  restoring, recovering or opening failed: the database is not usable yet, the message says what to do
    9  the database is open, but the restore was not deleted
  129, 130, 143  ended by HUP, INT or TERM; RMAN was stopped, the message says how far it was
END
}

# ---- What is said ---------------------------------------------------------------------------------------------------

log=
work=
child=
step='the checks'
# How far the database is changed: nothing, instance (started), control (files written), files (data files written), open.
changed=nothing

# Printable text only: what a store or a file name says must not move the cursor of who reads it.
printable() {
    printf '%s' "$1" | tr -c '[:print:]' '?'
}

note() {
    noted="$(date '+%Y-%m-%d %H:%M:%S') $1"
    [ -z "$log" ] || [ ! -f "$log" ] || printf '%s\n' "$noted" 2>/dev/null >>"$log"
}

say() {
    note "$1"
    printf '%s\n' "$noted" 2>/dev/null
}

warn() {
    say "RRS${1}W $2"
}

# complain NUMBER TEXT [HINT]
complain() {
    note "RRS${1}E $2"
    printf '%s\n' "$noted" >&2
    [ -z "${3:-}" ] || { note "HINT: $3" && printf '%s\n' "$noted" >&2; }
    [ -z "$log" ] || [ ! -f "$log" ] || printf 'The log of this run: %s\n' "$log" >&2
}

# fail NUMBER TEXT [HINT]: the end; the first digit of the number is the exit status.
fail() {
    complain "$@"
    exit "${1%??}"
}

# give_up NUMBER TEXT [HINT]: the end before a data file was written; what was found is put back.
give_up() {
    complain "$@"
    put_back
    exit "${1%??}"
}

# ---- The command line -----------------------------------------------------------------------------------------------

wrong_usage() {
    complain "$1" "$2" "$PROGRAM --help shows options and examples"
    exit 2
}

# is_made_of CHARACTERS TEXT: TEXT is not empty and has no other characters; CHARACTERS as between brackets.
is_made_of() {
    case $2 in
    '' | *[!$1]*) return 1 ;;
    esac
}

is_number_within() {
    is_made_of 0-9 "$3" && [ "${#3}" -le 9 ] && [ "$3" -ge "$1" ] && [ "$3" -le "$2" ]
}

parse_arguments() {
    sid=${ORACLE_SID:-} home=${ORACLE_HOME:-} restore='' channels=1 until_time='' until_scn='' datafiles=''
    use_copies='' control_file='' spfile='' check='' force='' delete=''
    sid_is_given=''
    while [ $# -gt 0 ]; do
        case $1 in
        -h | --help) usage && exit 0 ;;
        --use-copies) use_copies=yes ;;
        --spfile) spfile=yes ;;
        --check) check=yes ;;
        --force) force=yes ;;
        --delete-restore) delete=yes ;;
        --database | --oracle-home | --local-mount | --until-time | --until-scn | --datafile | --control-file | \
            --channels | --timeout)
            [ $# -ge 2 ] && [ -n "$2" ] || wrong_usage 201 "$1 needs a value"
            take_option "$1" "$2"
            shift
            ;;
        --) shift && break ;;
        -*) wrong_usage 202 "there is no option $(printable "$1")" ;;
        *) break ;;
        esac
        shift
    done
    [ $# -eq 4 ] ||
        wrong_usage 203 "four arguments are wanted, a log directory, a store, a mount and a restore, and $# are given"
    log_directory=$1
    take_store "$2"
    take_mount "$3"
    is_made_of 0-9 "$4" && [ "${#4}" -le 19 ] && [ "${4#0}" = "$4" ] ||
        wrong_usage 212 "$(printable "$4") is not the number of a restore"
    job=$4
    check_combination
}

take_option() {
    case $1 in
    --database) sid=$2 sid_is_given=yes ;;
    --oracle-home) home=$2 home_is_given=yes ;;
    --local-mount) restore=$2 ;;
    --channels)
        is_number_within 1 "$CHANNELS_MAX" "$2" || wrong_usage 204 "--channels is a number from 1 to $CHANNELS_MAX"
        channels=$2
        ;;
    --until-time)
        case $2 in
        [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]\ [0-9][0-9]:[0-9][0-9]:[0-9][0-9]) ;;
        *) wrong_usage 205 "--until-time is written 'YYYY-MM-DD HH:MM:SS'" ;;
        esac
        [ "$(date -d "$2" '+%Y-%m-%d %H:%M:%S' 2>/dev/null)" = "$2" ] || wrong_usage 205 "there is no time $2"
        until_time=$2
        ;;
    --until-scn)
        is_made_of 0-9 "$2" && [ "${#2}" -le 19 ] || wrong_usage 206 '--until-scn is a number'
        until_scn=$2
        ;;
    --datafile)
        is_made_of 0-9, "$2" || wrong_usage 207 '--datafile is a number, or several with commas between'
        case ,$2, in
        *,,* | *,0* | *,??????,* | *,??????*) wrong_usage 207 '--datafile is a number, or several with commas between' ;;
        esac
        datafiles=$2
        ;;
    --control-file)
        is_inside "$2" || wrong_usage 214 '--control-file is a path relative to the restore, of A-Z a-z 0-9 . _ / + : @ -'
        control_file=$2
        ;;
    --timeout)
        is_number_within 1 604800 "$2" || wrong_usage 215 '--timeout is a number of seconds from 1 to 604800'
        ANSWER_SECONDS_MAX=$2
        ;;
    esac
}

# A path that stays inside the restore, and that RMAN can be given between quotes.
is_inside() {
    case /$1/ in
    //* | */../*) return 1 ;;
    esac
    is_made_of 'A-Za-z0-9._/+:@-' "$1"
}

check_combination() {
    [ -z "$until_time" ] || [ -z "$until_scn" ] || wrong_usage 213 '--until-time and --until-scn exclude each other'
    if [ "$datafiles" ]; then
        [ -z "$until_time$until_scn" ] ||
            wrong_usage 213 'a single data file must be recovered completely: --datafile takes no --until option'
        [ -z "$use_copies$control_file$spfile$check" ] ||
            wrong_usage 213 '--datafile leaves the database as it is: no --use-copies, --control-file, --spfile or --check'
    fi
    [ -z "$check" ] || [ -z "$force$spfile$use_copies$delete" ] ||
        wrong_usage 213 '--check changes nothing: no --force, --spfile, --use-copies or --delete-restore'
    [ -z "$use_copies" ] || [ -z "$delete" ] ||
        wrong_usage 213 'with --use-copies the restore is the disk of the database: no --delete-restore'
}

# ADDRESS, ADDRESS:PORT, [V6ADDRESS] or [V6ADDRESS]:PORT
take_store() {
    port=$DEFAULT_PORT
    case $1 in
    \[*\]) host=$1 ;;
    \[*\]:*) host=${1%:*} port=${1##*:} ;;
    *:*:*) wrong_usage 208 "the store's IPv6 address is given in brackets: [ADDRESS]:PORT" ;;
    *:*) host=${1%:*} port=${1##*:} ;;
    *) host=$1 ;;
    esac
    case $host in
    \[*\])
        host_is_good=${host#\[}
        is_made_of 0-9A-Fa-f:. "${host_is_good%\]}" || host=
        ;;
    [.-]*) host= ;;
    *) is_made_of A-Za-z0-9.- "$host" || host= ;;
    esac
    [ -n "$host" ] || wrong_usage 209 "$(printable "$1") is not the address of a store"
    is_number_within 1 65535 "$port" || wrong_usage 210 "$(printable "$1") has no port from 1 to 65535"
}

take_mount() {
    mount=$1
    case $mount in
    [A-Za-z0-9]*) is_made_of A-Za-z0-9._- "$mount" && [ "${#mount}" -le "$NAME_LENGTH_MAX" ] && return ;;
    esac
    wrong_usage 211 "$(printable "$mount") is not the name of a mount: at most $NAME_LENGTH_MAX letters, digits, '.', '_' and '-', the first a letter or digit"
}

# ---- Checks before anything begins ----------------------------------------------------------------------------------

check_programs() {
    for program in curl awk sed tr cksum date rm cp wc tail head sort cat readlink flock setsid timeout; do
        command -v "$program" >/dev/null 2>&1 ||
            fail 301 "the program $program is not there" "install it, or add its directory to PATH=$PATH"
    done
}

check_log_directory() {
    case $log_directory in
    *[[:cntrl:]]*) fail 302 'the name of the log directory has control characters' ;;
    esac
    [ -d "$log_directory" ] || fail 302 "the log directory $log_directory is not there" "mkdir -p '$log_directory'"
    log_directory=$(cd -P -- "$log_directory" 2>/dev/null && pwd -P) ||
        fail 302 "the log directory cannot be entered" 'give this user the right to read and enter it'
    [ -w "$log_directory" ] ||
        fail 302 "the log directory $log_directory cannot be written" 'give this user the right to write there'
}

check_database() {
    [ -n "$sid" ] || fail 303 'no database is named' 'give --database SID, or set ORACLE_SID'
    is_made_of A-Za-z0-9_ "$sid" && [ "${#sid}" -le 30 ] ||
        fail 303 "$(printable "$sid") is not a SID: letters, digits and _" 'give --database SID'
    # The environment's home belongs to the environment's SID, oratab's to the one that was asked for.
    if [ -z "${home_is_given:-}" ] && { [ -z "$home" ] || [ "${sid_is_given:-}" ]; }; then
        found=$(sed -n "s/^$sid:\\([^:]*\\).*/\\1/p" "${ORATAB:-/etc/oratab}" 2>/dev/null | sed -n 1p)
        [ -z "$found" ] || home=$found
    fi
    case $home in
    /*) ;;
    '') fail 304 "ORACLE_HOME of $sid is not known" "give --oracle-home DIR, or set ORACLE_HOME, or add $sid to /etc/oratab" ;;
    *) fail 304 "ORACLE_HOME $(printable "$home") is not an absolute path" 'give --oracle-home DIR' ;;
    esac
    for program in rman sqlplus; do
        [ -f "$home/bin/$program" ] && [ -x "$home/bin/$program" ] ||
            fail 305 "$(printable "$home/bin/$program") is not a program that this user can run" "give the right --oracle-home; run this as the owner of the Oracle software"
    done
    rman=$home/bin/rman sqlplus=$home/bin/sqlplus
    [ -z "$spfile" ] || check_that_no_parameter_file_is_there
}

# An instance that was started with a parameter file restores over none, and an old one is not ours to throw away.
check_that_no_parameter_file_is_there() {
    for file in "$home/dbs/spfile$sid.ora" "$home/dbs/spfile.ora" "$home/dbs/init$sid.ora"; do
        [ ! -e "$file" ] && [ ! -h "$file" ] ||
            fail 318 "$(printable "$file") is there, and --spfile is for a host without a parameter file" 'leave --spfile out, or move the file away'
    done
}

# Each line of /proc/mounts that is this export of this store: its directory. The store may be given by name and mounted
# by address, or the other way round; NFS notes the address in the options.
exported_here() {
    addresses="${host#\[}"
    addresses="${addresses%\]}"
    resolved=$(timeout "$CONNECT_SECONDS_MAX" getent ahosts "$addresses" 2>/dev/null | awk '{ print $1 }')
    printf '%s\n' "$addresses" "$resolved" | awk -v exported="$exported" '
        NR == FNR { if ($1 != "") known[$1] = 1; next }
        {
            at = length($1) - length(exported)
            if (at < 2 || substr($1, at) != ":" exported) next
            server = substr($1, 1, at - 1)
            gsub(/[][]/, "", server)
            address = ""
            if (match($4, /(^|,)addr=[^,]*/)) {
                address = substr($4, RSTART, RLENGTH)
                sub(/^.*addr=/, "", address)
            }
            if (server in known || address in known) print $2
        }' - /proc/mounts | sort -u
}

find_restore() {
    exported=/Phoenix/$mount/restores/$job
    [ -z "$restore" ] || return 0
    restore=$(exported_here)
    case $restore in
    '') fail 306 "the restore $job of mount $mount is not mounted here" "mount -t nfs -o hard,tcp,vers=3,nolock,rsize=1048576,wsize=1048576 $host:$exported DIRECTORY, or give --local-mount DIR" ;;
    *'
'*) fail 306 "the restore $job is mounted here more than once: $(printf '%s' "$restore" | tr '\n' ' ')" 'say which by --local-mount DIR' ;;
    esac
}

# RMAN gives ' a meaning, LIKE gives one to %: a path has to do without them.
check_restore_path() {
    case $restore in
    /*[!A-Za-z0-9._/+:@-]* | [!/]*)
        fail 307 "the path of the restore, $(printable "$restore"), is not absolute, or has other characters than A-Z a-z 0-9 . _ / + : @ -" 'mount it elsewhere'
        ;;
    esac
}

# Enters the restore and reads its catalog.rman, as a child that can be given up. Says the physical path, then the file.
probe_restore() {
    # shellcheck disable=SC2016 # the child expands these
    timeout -s KILL "$PROBE_SECONDS_MAX" sh -c '
        cd -P -- "$1" || exit 11
        pwd -P
        [ -f catalog.rman ] && [ -r catalog.rman ] || exit 12
        head -c "$2" catalog.rman || exit 12
        [ -z "$3" ] || { name=.backstay_probe_$$ && echo probe | cat >"$name" && rm -f -- "$name"; } || exit 13
    ' sh "$restore" "$CATALOG_BYTES_MAX" "$use_copies" 2>/dev/null
}

check_restore() {
    check_restore_path
    probed=$({ probe_restore && echo 'status 0' || echo "status $?"; } | tr -d '\000\015')
    probe_status=${probed##*status }
    case $probe_status in
    0 | 12 | 13) ;;
    11) fail 308 "the restore $restore cannot be entered" "mount it (see /proc/mounts), or give --local-mount DIR" ;;
    *) fail 309 "the restore $restore did not answer within $PROBE_SECONDS_MAX s (status $probe_status)" 'the NFS server of the store may be down' ;;
    esac
    restore=$(printf '%s\n' "$probed" | sed -n 1p)
    check_restore_path
    [ "$restore" != / ] || fail 308 'the restore cannot be /' 'give --local-mount DIR'
    check_what_is_mounted
    [ "$probe_status" -ne 12 ] ||
        fail 310 "there is no catalog.rman in $restore that can be read" "is that a restore of the store? It may still be under way: see 'backstay job list'"
    [ "$probe_status" -ne 13 ] ||
        fail 317 "$restore cannot be written, and with --use-copies the database would live there" 'mount it read-write, or leave --use-copies out'
    read_catalog
    choose_control_file
    [ -z "$spfile" ] || check_spfile_backup
}

# A copy of the restore may lie anywhere. Where a restore is mounted, it must be the one that is meant.
check_what_is_mounted() {
    mounted=$(awk -v directory="$restore" '$2 == directory { found = $1 " " $3 " " $4 } END { print found }' /proc/mounts)
    device=${mounted%% *} options=${mounted##* }
    case $device in
    *:*"/$mount/restores/$job") ;;
    *:*/restores/*) fail 319 "$restore is $(printable "$device"), which is not restore $job of mount $mount" 'give the right number, or the right --local-mount' ;;
    esac
    case $use_copies,$options, in
    yes,*,soft,*) warn 320 "$restore is mounted soft, and the database is to live there: a short outage of the store would damage it; mount it hard" ;;
    esac
}

# catalog.rman comes from the network. Nothing of it is run as it stands: RMAN's HOST would run anything. What is taken are
# its CATALOG commands in the one form that they have, and the names behind its comments.
#
# Fields of a line: what, and for a fact the database it stands below ("-" before the first), then the value.
read_catalog() {
    facts=$(printf '%s\n' "${probed%status *}" | awk '
        BEGIN { database = "-" }
        /^# database [A-Za-z0-9_$#]+( DBID [0-9]+)?$/ { database = $3; print "database", database, (NF == 5 ? $5 : "-"); next }
        sub(/^# control file: +/, "") { print "control", database, $0; next }
        sub(/^# spfile: +/, "") { print "spfile", database, $0; next }
        toupper($0) ~ /^CATALOG START WITH \047@RESTORE_DIRECTORY@[A-Z0-9._\/+:@-]*\047 NOPROMPT;$/ && !/\/\.\.(\/|\047)/ {
            match($0, /@RESTORE_DIRECTORY@[^\047]*/)
            print "catalog", "-", substr($0, RSTART + 19, RLENGTH - 19) "/"
        }')
    [ -n "$(facts_of catalog)" ] ||
        fail 311 "catalog.rman in $restore has no CATALOG START WITH '@RESTORE_DIRECTORY@' NOPROMPT; in it" 'is that a restore of the store?'
    choose_database
}

# facts_of WHAT [DATABASE]: the values, a line each; of this database only, if one is given.
facts_of() {
    printf '%s\n' "$facts" | awk -v what="$1" -v database="${2:-}" '
        $1 == what && (database == "" || $2 == database) { sub(/^[^ ]+ [^ ]+ /, ""); print }'
}

# fact_of WHAT: the one below our database; or the only one that there is, wherever it stands.
fact_of() {
    fact=$(facts_of "$1" "$database" | tail -n 1)
    [ -n "$fact" ] || fact=$(facts_of "$1" | sort -u)
    case $fact in
    *'
'*) ;;
    *) printf '%s\n' "$fact" ;;
    esac
}

# Which of the databases in the restore is meant: the only one, or the one with the name of the SID.
choose_database() {
    database=$(printf '%s\n' "$facts" | awk '$1 == "database" { print $2 }' | sort -u)
    case $database in
    '') database=- ;;
    *'
'*)
        named=$(printf '%s' "$sid" | tr '[:lower:]' '[:upper:]')
        case "
$database
" in
        *"
$named
"*) database=$named ;;
        *) [ "$control_file$datafiles" ] && database=- ||
            fail 312 "the restore has several databases, and none with the name of $sid: $(printf '%s' "$database" | tr '\n' ' ')" 'say which by --control-file PATH' ;;
        esac
        ;;
    esac
    expected_dbid=$(printf '%s\n' "$facts" | awk -v database="$database" '$1 == "database" && $2 == database && $3 != "-" { print $3; exit }')
}

choose_control_file() {
    [ -z "$datafiles" ] || return 0
    if [ -z "$control_file" ]; then
        control_file=$(fact_of control)
        [ -n "$control_file" ] ||
            fail 312 "catalog.rman in $restore names no control file$([ "$database" = - ] || printf ' of %s' "$database")" "say which by --control-file PATH; oracle_rman_data_backup.sh writes control_D-<database>_I-<DBID>.ctl"
        is_inside "$control_file" ||
            fail 312 "catalog.rman names the control file $(printable "$control_file"), which is not a path inside the restore" 'give --control-file PATH'
    fi
    is_file_of_restore "$control_file" ||
        fail 313 "the control file $restore/$control_file is not there, or empty" 'was it restored? Give --control-file PATH'
}

check_spfile_backup() {
    spfile_backup=$(fact_of spfile)
    is_inside "$spfile_backup" && is_file_of_restore "$spfile_backup" ||
        fail 314 "catalog.rman in $restore names no backup of the server parameter file that is there" "make a parameter file by hand, or in RMAN: RESTORE SPFILE FROM 'PIECE'"
}

is_file_of_restore() {
    # shellcheck disable=SC2016 # the child expands these
    timeout -s KILL "$PROBE_SECONDS_MAX" sh -c '[ -f "$1" ] && [ -r "$1" ] && [ -s "$1" ]' sh "$restore/$1"
}

# The kernel keeps the lock for this process and for what waits for RMAN, and ends it with the last of them. RMAN itself
# does not inherit it: an instance that it starts would hold it for as long as it lives.
take_lock() {
    sum=$(printf '%s' "$home" | cksum)
    lock=/tmp/.$PROGRAM.$sid.${sum%% *}.lock
    [ -e "$lock" ] || (umask 022 && set -C && : >"$lock") 2>/dev/null
    [ -f "$lock" ] && [ ! -h "$lock" ] && [ -r "$lock" ] ||
        fail 402 "the lock file $lock cannot be used" 'remove it if no run is going on'
    exec 9<"$lock"
    if ! flock -n 9; then
        holder=$(sed -n '1s/[^0-9]//gp; 1q' "$lock")
        fail 401 "another run for $sid is going on, or RMAN of one that was killed${holder:+ (process $holder)}" 'wait for its end'
    fi
    printf '%s\n' "$$ " 2>/dev/null >"$lock"
}

open_log() {
    stamp=$(date +%Y%m%d_%H%M%S) number=1
    while [ -z "$log" ] && [ "$number" -le "$LOGS_IN_A_SECOND_MAX" ]; do
        stem=rman_restore_$stamp
        [ "$number" -eq 1 ] || stem=${stem}_$number
        if (set -C && : >"$log_directory/$stem.log") 2>/dev/null; then
            log=$log_directory/$stem.log
            work=$log_directory/.$stem
        fi
        number=$((number + 1))
    done
    [ -n "$log" ] || fail 315 "no log can be written in $log_directory" 'is the disk full?'
    cd -P -- "$log_directory" || fail 302 "the log directory $log_directory cannot be entered"
    say "RRS001I $([ "$check" ] && echo check || echo restore) of database $sid from restore $job of mount $mount, store $host:$port, here $restore; process $$"
    { [ -s "$log" ] && : >"$work.rman"; } || fail 315 "the log $log cannot be written" 'is the disk full?'
}

# ---- Talking to the database ----------------------------------------------------------------------------------------

set_environment() {
    ORACLE_SID=$sid ORACLE_HOME=$home PATH=$home/bin:$PATH
    NLS_LANG=AMERICAN_AMERICA NLS_DATE_FORMAT='YYYY-MM-DD HH24:MI:SS'
    export ORACLE_SID ORACLE_HOME PATH NLS_LANG NLS_DATE_FORMAT
    unset TWO_TASK LOCAL NLS_LANGUAGE NLS_DATE_LANGUAGE NLS_TERRITORY SQLPATH ORACLE_PATH
}

# ask_rman WANTED COMMAND [ARGUMENTS]: gives RMAN what COMMAND writes. Returns 0 if all went well; otherwise 1, and why in
# verdict. WANTED names what RMAN must have begun and ended: restore, recover; or says what it need not: see judge_rman_log.
ask_rman() {
    wanted=$1 state=''
    shift
    if ! { "$@" && echo 'exit;'; } >"$stem.rman"; then
        verdict="RMAN's commands cannot be written in $log_directory"
        return 1
    fi
    lines_before=$(wc -l <"$log")
    # What waits for RMAN has the lock, which RMAN has not, and passes TERM on. A wait that TERM broke off is begun again.
    # shellcheck disable=SC2016 # the child expands these
    setsid sh -c '
        trap : HUP INT
        "$@" 9<&- &
        rman=$!
        trap "kill -s TERM $rman 2>/dev/null" TERM
        while :; do
            wait "$rman"
            status=$?
            kill -s 0 "$rman" 2>/dev/null || exit "$status"
        done
    ' sh "$rman" target / nocatalog msgno cmdfile="$stem.rman" </dev/null >>"$log" 2>&1 &
    child=$!
    wait "$child"
    rman_status=$?
    child=
    if ! { [ -f "$log" ] && tail -n "+$((lines_before + 1))" "$log" >"$work.rman"; } 2>/dev/null; then
        verdict="the log $log is gone or cannot be read (RMAN ended with status $rman_status)"
        return 1
    fi
    judge_rman
}

judge_rman() {
    judge_rman_log "$wanted" >"$work.verdict"
    verdict=$(printable "$(sed -n 1p "$work.verdict")")
    unknown_log=$(sed -n 2p "$work.verdict")
    if [ "$rman_status" -ne 0 ]; then
        verdict="RMAN failed with status $rman_status$([ "$verdict" = ok ] || printf ': %s' "$verdict")"
    fi
    sed 1,2d "$work.verdict" >"$work.warnings"
    while IFS= read -r line; do
        warn 804 "RMAN warned: $(printable "$line")"
    done <"$work.warnings"
    read_state
    [ "$verdict" = ok ]
}

# First line: ok, or why this is not the log of a good run. Second line: thread, sequence and first SCN of the log that a
# recovery asked for and nobody knows, if nothing else is wrong. Then the warnings, a line each.
#
# With msgno every line of RMAN's carries a number, so numbers alone say nothing. An error is an error stack, a failed
# command, or a line of the server's. It is none behind a line with WARNING, when RMAN says that another channel or another
# backup took over, and, if WANTED is "no parameter file", when the instance starts without one.
judge_rman_log() {
    awk -v wanted="$1" '
        function reason(line) { if (reasons++ < 4) why = why (why == "" ? "" : "; ") substr(line, 1, 200) }
        function settle() { if (failed != "") reason(failed); failed = "" }
        function of_system() { return text ~ /^[A-Za-z0-9_-]+ Error: [0-9]+: / }
        function of_server() {
            return line ~ /^(ORA|PLS|LRM|DIA)-[0-9][0-9]+:/ || of_system() ||
                text ~ /^(channel [^ ]+|startup failed): (ORA|LRM)-[0-9]+:/
        }
        function in_stack() {
            if (text ~ /^Recovery Manager complete/) complete = 1
            else if (line ~ /^RMAN-030(02|15):/) command = line
            else if (line ~ /^RMAN-06054:/ && text ~ /thread [0-9]+ .*seq.* [0-9]+/) unknown = line
            else if (line ~ /^[A-Z][A-Z][A-Z]+-[0-9][0-9]+:/ || of_system()) {
                if (!reasons && command != "") reason(command)
                reason(line)
            }
        }
        {
            line = $0
            sub(/\r$/, "", line)
            while (sub(/^(RMAN> ?|[0-9]+> ?)/, "", line));
            sub(/^[ \t]+/, "", line)
            text = line
            sub(/^RMAN-[0-9]+: /, "", text)
        }
        line == "" { next }
        text ~ /^=+ *ERROR MESSAGE STACK FOLLOWS/ { stack = 1; next }
        text ~ /^=+$/ { next }
        stack { in_stack(); next }
        text ~ /will be run on another channel|^failover to / {
            if (failed != "") warnings = warnings "\n" failed
            failed = ""
            next
        }
        text ~ /^starting Oracle instance without parameter file/ {
            if (wanted != "no parameter file") reason("the instance has no parameter file")
            failed = ""
            next
        }
        line ~ /^RMAN-(03002|03009|03010|03014|03015|00601|06429|12001)/ { settle(); failed = line; next }
        line ~ /^ORA-3200[46]:/ { warnings = warnings "\n" line; next }
        of_server() {
            if (failed != "") failed = failed "; " line
            else if (excused > 0) warnings = warnings "\n" line
            else failed = line
            next
        }
        text ~ /^WARNING/ { warnings = warnings "\n" line; excused = 3; next }
        { excused-- }
        text ~ /^connected to target database/ { connected = 1 }
        text ~ /^(Starting|Finished) [A-Za-z ]+ at / {
            settle()
            name = text
            sub(/ at .*/, "", name)
            if (sub(/^Starting /, "", name)) { begun++; last = name }
            else { ended++; sub(/^Finished /, "", name); done[name] = 1 }
        }
        text ~ /^Recovery Manager complete/ { complete = 1 }
        END {
            settle()
            alone = why == "" && unknown != ""
            if (unknown != "") reason(unknown)
            else if (why != "") ;
            else if (stack) reason(command == "" ? "an error stack" : command)
            else if (!connected) reason("RMAN was not connected to the instance")
            else if (ended < begun) reason("a step was begun and not finished: " last)
            else if ((wanted == "restore" || wanted == "recover") && !(wanted in done)) reason("RMAN does not say that " wanted " is finished")
            else if (!complete) reason("the log is cut off, its last line is missing")
            print why == "" ? "ok" : why
            sub(/^RMAN-06054:/, "", unknown)
            gsub(/[^0-9]+/, " ", unknown)
            print alone ? unknown : ""
            if (warnings != "") print substr(warnings, 2)
        }' "$work.rman"
}

# What RMAN was connected to when it began: state is none, started, mounted or open, or nothing if it did not say.
read_state() {
    connected=$(sed -n 's/^RMAN-[0-9]*: *//; /^connected to target database/{p;q;}' "$work.rman")
    state='' database_name='' dbid=''
    case $connected in
    *'(not started)'*) state=none ;;
    *'(not mounted)'*) state=started ;;
    *'(DBID='*'not open)'*) state=mounted ;;
    *'(DBID='*) state=open ;;
    esac
    case $connected in
    *'(DBID='*)
        dbid=$(printf '%s' "$connected" | sed 's/.*(DBID=\([0-9]*\).*/\1/')
        database_name=$(printable "$(printf '%s' "$connected" | sed 's/^connected to target database: *\([^ ]*\) .*/\1/')")
        ;;
    esac
}

# ask_sqlplus QUERY...: each query selects one text in < and >. The texts, a line each, are in $work.rows. Returns 1 if it
# failed, with the reason in verdict.
ask_sqlplus() {
    {
        echo 'set echo off feedback off heading off verify off pagesize 0 linesize 32767 trimout on tab off define off'
        echo 'whenever sqlerror exit failure'
        printf '%s;\n' "$@"
        echo "select 'that is all' from dual;"
        echo 'exit'
    } >"$stem.sql"
    timeout -s KILL "$SQL_SECONDS_MAX" "$sqlplus" -S -L '/ as sysdba' <"$stem.sql" >"$work.sql" 2>&1 9<&- &
    child=$!
    wait "$child"
    sql_status=$?
    child=
    sed -n 's/^<\(.*\)> *$/\1/p' "$work.sql" >"$work.rows"
    [ "$sql_status" -eq 0 ] && grep -q '^that is all *$' "$work.sql" && return
    verdict="sqlplus ended with status $sql_status: $(printable "$(grep -E '^(ORA|SP2)-' "$work.sql" | head -n 3 | tr '\n' ' ')")"
    return 1
}

# Of the names in $work.rows, those that are there, or that cannot be looked for: another disk than a file system, or
# letters that did not come through.
files_that_are_there() {
    while IFS= read -r file; do
        case $file in
        '') ;;
        /*[!\ -~]* | *\?* | [!/]*) printf '%s\n' "$file" ;;
        *) [ ! -e "$file" ] && [ ! -h "$file" ] || printf '%s\n' "$file" ;;
        esac
    done <"$work.rows"
}

# RMAN makes no directories, and would say so when it comes to the file, hours later perhaps. $1 is what the files are.
refuse_missing_directories() {
    missing=$(while IFS= read -r file; do
        case $file in
        /*) [ -d "${file%/*}/" ] && [ -w "${file%/*}/" ] || printf '%s\n' "${file%/*}/" ;;
        esac
    done <"$work.rows" | sort -u)
    [ -z "$missing" ] ||
        give_up 610 "directories of the $1 of $sid are missing, or this user cannot write there: $(some_of "$missing")" "mount the disks, or mkdir -p $(some_of "$missing")"
}

# Names for a message: the first three.
some_of() {
    printable "$(printf '%s\n' "$1" | sed -n '1,3p' | tr '\n' ' ')"
    [ "$(printf '%s\n' "$1" | wc -l)" -le 3 ] || printf 'and more'
}

# What a failure of RMAN most likely means for who reads it.
hint_of() {
    case $1 in
    *RMAN-06023* | *RMAN-06100* | *RMAN-06026* | *RMAN-06556*)
        echo 'the restore has no backup of a data file from before the wanted time: take an earlier recovery point, or a later time' ;;
    *RMAN-06054* | *RMAN-06025* | *RMAN-06053*)
        echo 'archived logs are missing: take a recovery point that has them, or an earlier --until-time or --until-scn' ;;
    *ORA-01113* | *ORA-01194* | *ORA-01195* | *ORA-01152* | *ORA-01547*)
        echo 'the redo ends before the backup of the data does: take a recovery point with the logs that follow, or an earlier one' ;;
    *ORA-01103*) echo "the control file is that of another database than the parameter file's db_name" ;;
    *ORA-01078* | *LRM-00109* | *'no parameter file'*)
        echo "the instance has no parameter file in $home/dbs: write one, or have it restored by --spfile" ;;
    *ORA-01031* | *ORA-01017*) echo 'run this as the owner of the Oracle software, who is in its group dba' ;;
    *ORA-19809* | *'Error: 28:'*) echo 'the disk is full: make room' ;;
    *ORA-27040* | *ORA-19504*) echo "is a directory of the database's files missing, or not this user's? Make it" ;;
    *ORA-27054*) echo "mount $restore hard and with rsize and wsize of 32768 or more" ;;
    *ORA-19870* | *ORA-19505* | *ORA-19587* | *ORA-27072*)
        echo "a file of the restore cannot be read: is $restore still mounted? If so, verify the recovery point on the store" ;;
    *) echo "the log names the cause: $log" ;;
    esac
}

# ---- The steps ------------------------------------------------------------------------------------------------------

look_at_instance() {
    step='the look at the instance'
    ask_rman nothing : && [ "$state" ] ||
        fail 601 "RMAN does not tell the state of $sid: $verdict" "$(hint_of "$verdict")"
    found=$state
    case $found in
    none) say "RRS002I the instance $sid is not started" ;;
    started)
        case $connected in
        *': DUMMY '*) [ "$spfile" ] ||
            fail 601 "the instance $sid runs without its parameters: RMAN started it so to restore a parameter file" "shut it down (SHUTDOWN ABORT), then run this again" ;;
        esac
        say "RRS002I the instance $sid is started, no database is mounted"
        ;;
    *) say "RRS002I the instance $sid has database $database_name (DBID $dbid) $found" ;;
    esac
}

# A whole database is restored into an instance that has none.
refuse_living_database() {
    case $found in
    none | started) return 0 ;;
    esac
    [ -z "$check" ] ||
        fail 504 "database $database_name is $found, and a check would have to write into its control file" 'check on another host, or when the instance is down and its control files are moved away'
    [ "$force" ] ||
        fail 501 "database $database_name is $found: it would be overwritten" 'if that is meant, run this again with --force; for one lost data file there is --datafile'
}

commands_to_start() {
    if [ "$found" = none ]; then
        echo 'startup nomount;'
    else
        echo 'startup force nomount;'
    fi
}

# RMAN starts an instance without any parameter file just to restore one.
commands_to_restore_spfile() {
    [ -z "$expected_dbid" ] || echo "set dbid $expected_dbid;"
    commands_to_start
    echo "restore spfile from '$restore/$spfile_backup';"
    echo 'startup force nomount;'
}

start_instance() {
    step='the start of the instance'
    [ "$found$spfile" != started ] || return 0
    changed=instance
    if [ "$spfile" ]; then
        ask_rman 'no parameter file' commands_to_restore_spfile
    else
        ask_rman nothing commands_to_start
    fi || give_up 602 "the instance $sid was not started: $verdict" "$(hint_of "$verdict")"
    say "RRS003I the instance $sid is started$([ -z "$spfile" ] || printf ' with the parameters of %s' "$spfile_backup")"
}

# Once more before the first byte is overwritten: a database that is only shut down has its control files.
refuse_living_control_files() {
    ask_sqlplus "select '<' || value || '>' from v\$parameter where name = 'control_files'" ||
        give_up 603 "the control files of $sid are not known: $verdict" "$(hint_of "$verdict")"
    sed 's/, */\
/g' "$work.rows" | tr -d "'" >"$work.control" && cp "$work.control" "$work.rows"
    refuse_missing_directories 'control files'
    there=$(files_that_are_there)
    if [ -z "$there" ]; then
        control_is_new=yes
    elif [ "$check" ]; then
        give_up 504 "control files of $sid are there, and a check would overwrite them: $(some_of "$there")" 'check on another host, or move them away first'
    elif [ -z "$force" ]; then
        give_up 502 "control files of $sid are there: $(some_of "$there")" 'if the database is lost and they are meant to be overwritten, run this again with --force'
    else
        keep_old_control_file
    fi
}

# The one thing that --force overwrites and that is small: a later mind may want it.
keep_old_control_file() {
    old=$log_directory/$stem.old.ctl
    first=$(printf '%s\n' "$there" | sed -n '/^\//{p;q;}')
    if [ -f "$first" ] && cp -- "$first" "$old" 2>/dev/null; then
        say "RRS014I the control file $(printable "$first") that is overwritten was copied to $old"
    else
        rm -f -- "$old"
        warn 605 "the control file that is overwritten could not be copied to $old"
    fi
}

commands_for_control_file() {
    echo "restore controlfile from '$restore/$control_file';"
    echo 'alter database mount;'
}

restore_control_file() {
    step='the restore of the control file'
    changed=control
    ask_rman restore commands_for_control_file ||
        give_up 604 "the control file was not restored from $control_file, or not mounted: $verdict" "$(hint_of "$verdict")"
}

# What the control file remembers and is gone must not be chosen; what was copied since to the old places must not either.
# Only then is the restore made known, and after it the logs that were archived since the backup.
commands_to_catalog() {
    if [ -z "$datafiles" ]; then
        echo 'crosscheck backup;'
        echo 'crosscheck copy of database;'
        echo 'crosscheck archivelog all;'
    fi
    facts_of catalog | while IFS= read -r below; do
        # With a slash at the end, or restore 1 would take restore 12 along.
        catalog_command "$restore/$below"
    done
    while IFS= read -r place; do
        catalog_command "$place"
    done <"$work.places"
}

catalog_command() {
    printf "catalog start with '%s' noprompt;\\n" "$(printf '%s' "$1" | sed 's://*:/:g')"
}

# Where the database archives its logs: directories, or what the names of the logs begin with. A recovery area is RMAN's to
# look through. The current control file, with --datafile, knows its logs.
find_archived_logs() {
    : >"$work.places"
    [ -z "$datafiles" ] || return 0
    ask_sqlplus "select '<' || destination || '>' from v\$archive_dest where destination is not null" ||
        give_up 603 "where $sid archives its logs is not known: $verdict" "$(hint_of "$verdict")"
    while IFS= read -r place; do
        case $place in
        /*[!A-Za-z0-9._/+:@-]*) warn 609 "archived logs in $(printable "$place") are left out: RMAN would misread the name" ;;
        /*)
            [ ! -d "$place" ] || place=$place/
            set -- "$place"*
            [ ! -e "$1" ] || printf '%s\n' "$place" >>"$work.places"
            ;;
        esac
    done <"$work.rows"
}

catalog_restore() {
    step='the catalogue of backups'
    find_archived_logs
    ask_rman nothing commands_to_catalog ||
        give_up 606 "the files in $restore were not made known to RMAN: $verdict" "$(hint_of "$verdict")"
    if [ -z "$datafiles" ] && [ "$expected_dbid" ] && [ "$dbid" != "$expected_dbid" ]; then
        give_up 607 "the control file $control_file is of database $database_name with DBID $dbid, and the restore is of DBID $expected_dbid" 'give the right --control-file PATH'
    fi
    [ "$datafiles" ] || say "RRS004I the control file of database $database_name (DBID $dbid) is restored and mounted"
    left_out=$(files_under 'Which Were Not Cataloged' | grep -v '/catalog\.rman$')
    [ -z "$left_out" ] || warn 608 "RMAN does not know these files as backups: $(some_of "$left_out")"
    say "RRS005I $(files_under Cataloged | wc -l) files of the restore are new to RMAN"
}

# files_under HEADING: the files of the restore that RMAN lists below "List of [...] HEADING".
files_under() {
    sed 's/^RMAN-[0-9]*: *//; s/\r$//' "$work.rman" | awk -v heading="$1" -v restore="$restore/" '
        /^List of / { listed = index($0, heading) > 0 && (heading != "Cataloged" || !/Not Cataloged/) }
        listed && sub(/^ *File Name: /, "") && index($0, restore) == 1 { print }'
}

refuse_living_files() {
    ask_sqlplus "select '<' || name || '>' from v\$datafile" "select '<' || member || '>' from v\$logfile" ||
        give_up 603 "the files of $sid are not known: $verdict" "$(hint_of "$verdict")"
    there=$(files_that_are_there)
    [ -z "$check" ] || return 0
    [ "$use_copies" ] || refuse_missing_directories 'data files and online logs'
    [ -n "$there" ] && [ -z "$force" ] || return 0
    give_up 503 "files of database $database_name are there: $(some_of "$there")" 'online redo logs may hold the last changes: save them. If the files are meant to be overwritten, run this again with --force'
}

begin_block() {
    echo 'run {'
    number=1
    while [ "$number" -le "$channels" ]; do
        echo "allocate channel c$number device type disk;"
        number=$((number + 1))
    done
    if [ "${1:-}" ]; then
        echo "set until scn $1;"
    elif [ "$until_scn" ]; then
        echo "set until scn $until_scn;"
    elif [ "$until_time" ]; then
        echo "set until time \"to_date('$until_time','YYYY-MM-DD HH24:MI:SS')\";"
    fi
}

commands_to_check() {
    begin_block
    echo 'restore database preview;'
    echo 'restore database validate;'
    echo '}'
}

check_only() {
    step='the check'
    say "RRS006I RMAN reads the backups of every data file, channels $channels"
    ask_rman restore commands_to_check ||
        give_up 701 "database $database_name could not be restored: $verdict" "$(hint_of "$verdict")"
    say "RRS012I every data file of database $database_name could be restored; the archived logs that it needs are listed in the log"
    put_back
}

commands_to_restore() {
    begin_block
    echo 'restore database;'
    echo '}'
}

commands_to_switch() {
    echo 'switch database to copy;'
}

restore_files() {
    changed=files
    if [ "$use_copies" ]; then
        step='the switch to the copies'
        ask_rman nothing commands_to_switch ||
            fail 801 "the database was not switched to the image copies: $verdict" "are there image copies of every data file in $restore, which no database was opened on yet? If not, leave --use-copies out; run this again with --force"
        check_switched
        say "RRS007I the data files of $database_name are the image copies in $restore"
        return
    fi
    step='the restore of the data files'
    say "RRS006I RMAN restores the data files of database $database_name, channels $channels"
    ask_rman restore commands_to_restore ||
        fail 801 "the data files were not all restored: $verdict" "$(hint_of "$verdict"); then run this again with --force"
    say "RRS007I the data files of $database_name are restored"
}

# The control file also knows the copies on the backup mount. Recovering those would spoil the next backup.
check_switched() {
    ask_sqlplus "select '<' || name || '>' from v\$datafile" ||
        fail 806 "which copies RMAN chose is not known: $verdict" "$(hint_of "$verdict")"
    outside=$(while IFS= read -r file; do
        case $file in
        "$restore"/*) ;;
        *) printf '%s\n' "$file" ;;
        esac
    done <"$work.rows")
    [ -z "$outside" ] ||
        fail 806 "RMAN chose copies outside the restore, nothing was written to them yet: $(some_of "$outside")" "unmount the backup mount on this host, then run this again with --force; or leave --use-copies out"
}

commands_to_recover() {
    begin_block "${1:-}"
    echo 'recover database;'
    echo '}'
}

# Without a target, RMAN recovers as far as there is redo and then fails, because it cannot know that this was all: its
# RMAN-06054 names the first log that nobody knows. That log's first SCN is the target then, as documented.
recover_database() {
    step='the recovery'
    reached=$(target_in_words)
    say "RRS006I RMAN recovers database $database_name to $reached"
    if ! ask_rman recover commands_to_recover; then
        [ "$unknown_log" ] || recovery_failed
        recover_to_the_end_of_redo
    fi
    say "RRS008I database $database_name is recovered to $reached"
}

target_in_words() {
    if [ "$until_time" ]; then
        echo "$until_time"
    elif [ "$until_scn" ]; then
        echo "SCN $until_scn"
    else
        echo 'the end of the redo that is there'
    fi
}

recovery_failed() {
    fail 802 "database $database_name was not recovered: $verdict" "$(hint_of "$verdict"); then run this again with --force"
}

recover_to_the_end_of_redo() {
    # shellcheck disable=SC2086 # three numbers
    set -- $unknown_log
    thread=$1 sequence=$2 scn=$3
    [ -z "$until_time$until_scn" ] ||
        fail 805 "the redo that is there ends before $reached: log thread $thread sequence $sequence with first SCN $scn is missing" 'take a later recovery point, or recover without an --until option; run this again with --force'
    say "RRS009I redo ends before log thread $thread sequence $sequence; recovery goes to its first SCN $scn"
    asked=$unknown_log
    refuse_gap
    # What stands exactly at its target may ask for the log behind it once more. It is there all the same; and whether the
    # data files are consistent there is for OPEN RESETLOGS to say.
    ask_rman recover commands_to_recover "$scn" || [ "$unknown_log" = "$asked" ] || recovery_failed
    reached="SCN $scn, the end of the redo that is there"
}

# A log that is missing between others is not the end: whether to give up what follows is not for a script to decide.
#
# The control file knows the logs of earlier incarnations too. Where the database was once opened with RESETLOGS at an
# earlier point, those that were given up then may have higher SCNs, so only logs of the current incarnation count.
refuse_gap() {
    later_log "v\$archived_log redo where redo.status = 'A'"
    [ "$beyond" ] ||
        later_log "v\$backup_redolog redo, v\$backup_piece piece
            where piece.set_stamp = redo.set_stamp and piece.set_count = redo.set_count and piece.status = 'A'"
    [ -z "$beyond" ] ||
        fail 803 "log thread $thread sequence $sequence is missing, and sequence $beyond is there: there is a gap in the redo" "take a recovery point without it; or, to give up all changes from SCN $scn on, run this again with --until-scn $scn --force"
}

# later_log FROM_AND_WHERE: sets `beyond` to the first log behind the one that is missing, nothing if there is none.
later_log() {
    ask_sqlplus "select '<' || min(redo.sequence#) || '>' from $1
        and redo.thread# = $thread and redo.first_change# > $scn
        and redo.resetlogs_change# = (select resetlogs_change# from v\$database)" ||
        fail 803 "whether redo after SCN $scn is there is not known: $verdict" "if nothing is, run this again with --until-scn $scn --force"
    beyond=$(sed -n 1p "$work.rows")
}

commands_to_open() {
    echo 'alter database open resetlogs;'
}

open_database() {
    step='the opening of the database'
    ask_rman nothing commands_to_open ||
        fail 807 "database $database_name was recovered, but not opened: $verdict" "$(hint_of "$verdict"); then run this again with --force"
    check_that_it_is_open
    say "RRS010I database $database_name is open, with new online logs and log sequence 1"
}

check_that_it_is_open() {
    ask_rman nothing : && [ "$state" = open ] ||
        fail 808 "database $database_name is not open, though RMAN reported no error: ${state:-$verdict}" "the log names the cause: $log"
    changed=open
}

# ---- Single data files ----------------------------------------------------------------------------------------------

commands_to_mount() {
    case $found in
    none) echo 'startup mount;' ;;
    started) echo 'alter database mount;' ;;
    esac
}

commands_for_datafiles() {
    [ "$found" != open ] || for file in $(printf '%s' "$datafiles" | tr , ' '); do
        echo "sql 'alter database datafile $file offline';"
    done
    begin_block
    echo "restore datafile $datafiles;"
    echo "recover datafile $datafiles;"
    echo '}'
    [ "$found" = open ] || echo 'alter database open;'
    [ "$found" != open ] || for file in $(printf '%s' "$datafiles" | tr , ' '); do
        echo "sql 'alter database datafile $file online';"
    done
}

# The database's own control file, logs and other files stay: it is recovered to where they are.
restore_datafiles() {
    [ "$found" != open ] || [ "$force" ] ||
        fail 501 "database $database_name is open" "run this again with --force: the data files $datafiles are taken offline, the rest stays open"
    case $found in
    none | started)
        step='the start of the instance'
        changed=instance
        ask_rman nothing commands_to_mount ||
            give_up 602 "the instance $sid was not mounted with its own control file: $verdict" "$(hint_of "$verdict")"
        say "RRS003I the instance $sid is mounted"
        ;;
    esac
    refuse_living_datafiles
    catalog_restore
    step='the restore of the data files'
    changed=files
    say "RRS006I RMAN restores and recovers data file $datafiles, channels $channels"
    ask_rman recover commands_for_datafiles ||
        fail 809 "data file $datafiles was not restored, recovered and taken into use: $verdict" "$(hint_of "$verdict"); then run this again with --force"
    say "RRS007I data file $datafiles is restored and recovered"
    check_that_it_is_open
    say "RRS010I database $database_name is open"
}

refuse_living_datafiles() {
    ask_sqlplus "select '<' || name || '>' from v\$datafile where file# in ($datafiles)" ||
        give_up 603 "the data files of $sid are not known: $verdict" "$(hint_of "$verdict")"
    [ "$(wc -l <"$work.rows")" -eq "$(printf '%s\n' "$datafiles" | tr , '\n' | sort -u | wc -l)" ] ||
        give_up 505 "the database has not all of the data files $datafiles" "their numbers are FILE# of V\$DATAFILE"
    refuse_missing_directories "data file $datafiles"
    there=$(files_that_are_there)
    [ -z "$there" ] || [ "$force" ] ||
        give_up 503 "the data file is there: $(some_of "$there")" 'if it is damaged and meant to be overwritten, run this again with --force'
}

# ---- Afterwards -----------------------------------------------------------------------------------------------------

commands_to_forget() {
    echo "change copy of database like '$restore/%' uncatalog;"
}

# The image copies in the restore carry the tag of the backup they were: the next backup would bring them up to date in
# place of those on its mount.
forget_restore() {
    [ -z "$use_copies" ] || return 0
    step='the end'
    ask_rman nothing commands_to_forget ||
        warn 904 "RMAN may still know the image copies in $restore: $verdict; before the next backup, unmount the restore, or delete it on the store"
}

# The envelope of the store's answer, {"error_code": 0, ...}, is not parsed as strictly as in the backup script: nothing
# hangs on it any more, the database is open.
delete_restore() {
    [ "$delete" ] || return 0
    step='the deletion of the restore'
    by_hand="curl -X DELETE http://$host:$port/druva-phoenix/v1/mounts/$mount/restores/$job"
    refuse_restore_in_use
    : >"$work.answer"
    (
        ulimit -f "$ANSWER_BLOCKS_MAX"
        exec curl -q -g -s -S --noproxy '*' --connect-timeout "$CONNECT_SECONDS_MAX" --max-time "$ANSWER_SECONDS_MAX" \
            -o "$work.answer" -X DELETE "http://$host:$port/druva-phoenix/v1/mounts/$mount/restores/$job"
    ) >/dev/null 2>"$work.complaint" 9<&- &
    child=$!
    wait "$child"
    curl_status=$?
    child=
    answer=$(tr -d '\000' <"$work.answer" | tr -c '[:print:]' ' ' | cut -c1-500)
    error_code=$(printf '%s' "$answer" | sed -n 's/^ *{.*"error_code" *: *\([0-9]*\) *[,}].*/\1/p')
    [ "$curl_status" -eq 0 ] && [ "$error_code" ] ||
        fail 901 "the database is open, but the store did not answer the DELETE: $(printable "$(sed -n 1p "$work.complaint" | cut -c1-200)")${answer:+ $(printf '%s' "$answer" | cut -c1-80)}" "$by_hand"
    case $error_code in
    0) say "RRS011I the store has deleted restore $job; unmount $restore" ;;
    4295622663) say "RRS011I the store has no restore $job any more; unmount $restore" ;;
    *) fail 902 "the database is open, but the store refused to delete restore $job: $answer" "$by_hand" ;;
    esac
}

# Never the ground under an open database, wherever it is mounted and by whatever name it is reached.
refuse_restore_in_use() {
    ask_sqlplus "select '<' || name || '>' from v\$datafile" "select '<' || member || '>' from v\$logfile" \
        "select '<' || name || '>' from v\$tempfile" ||
        fail 903 "the database is open; restore $job is kept, since the files of $sid are not known: $verdict" "$by_hand"
    grounds="$restore|$(awk -v ending="/$mount/restores/$job" '
        substr($1, length($1) - length(ending) + 1) == ending { printf "%s|", $2 }' /proc/mounts)"
    inside=$(while IFS= read -r file; do
        printf '%s\n' "$file" "$(readlink -f -- "$file" 2>/dev/null)"
    done <"$work.rows" | awk -v grounds="$grounds" '
        BEGIN { count = split(grounds, ground, "|") }
        { for (n = 1; n <= count; n++) if (ground[n] != "" && index($0, ground[n] "/") == 1) { print; next } }')
    [ -z "$inside" ] ||
        fail 903 "the database is open; restore $job is kept, since files of the database lie on it: $(some_of "$inside")" 'move them first'
}

say_what_is_next() {
    if [ "$use_copies" ]; then
        say "RRS013I next: the data files lie in $restore: keep it mounted, keep the restore, and move them to disks of their own (ALTER DATABASE MOVE DATAFILE)"
    elif [ -z "$delete" ]; then
        say "RRS013I next: unmount $restore and have the store delete the restore: curl -X DELETE http://$host:$port/druva-phoenix/v1/mounts/$mount/restores/$job"
    fi
    [ "$datafiles" ] ||
        say "RRS013I next: make a full backup: the log sequence began anew, and nothing backed up before covers what happens now"
}

# ---- The end, wanted or not -----------------------------------------------------------------------------------------

commands_to_put_back() {
    echo 'shutdown immediate;'
    [ "$found" != started ] || echo 'startup nomount;'
}

# Before a data file is written: the instance as it was found, and no control file where none was. A database that --force
# gave away is not put back.
put_back() {
    case $changed/$found in
    nothing/* | */mounted | */open | instance/started) return 0 ;;
    esac
    step='putting back what was found'
    ask_rman nothing commands_to_put_back
    before=$verdict
    ask_rman nothing :
    if [ "$state" != "$found" ]; then
        warn 506 "the instance $sid could not be brought back to where it was, it is ${state:-in an unknown state}: $before"
        return
    fi
    if [ "$changed" = control ]; then
        [ "${control_is_new:-}" ] || {
            warn 507 "the control files of $sid are those of the restore now"
            return
        }
        while IFS= read -r file; do
            case $file in
            /*) rm -f -- "$file" ;;
            esac
        done <"$work.control"
    fi
    changed=nothing
    say "RRS015I the instance $sid is as it was found: $([ "$found" = none ] && echo 'not started' || echo 'started, not mounted')"
}

clean_up() {
    [ -z "$work" ] || rm -f "$work.answer" "$work.complaint" "$work.rman" "$work.verdict" "$work.warnings" "$work.rows" \
        "$work.control" "$work.places" "$work.sql" "$log_directory/$stem.rman" "$log_directory/$stem.sql"
}

# The child or its group: whether anything of it lives.
child_lives() {
    process=$(sed 's/^.*) \(.\).*$/\1/' "/proc/$child/stat" 2>/dev/null)
    case $process in
    '' | Z | X) wait "$child" 2>/dev/null && : ;;
    *) return 0 ;;
    esac
    kill -s 0 -- "-$child" 2>/dev/null
}

# RMAN first, so that it can tell the server; then whatever it left in its group; then without asking.
stop_child() {
    [ -n "$child" ] || return 0
    kill -s TERM "$child" 2>/dev/null
    waited=0
    while child_lives; do
        [ "$waited" -lt "$((RMAN_END_SECONDS_MAX + 10))" ] || return 1
        [ "$waited" -ne 5 ] || kill -s TERM -- "-$child" 2>/dev/null
        [ "$waited" -lt "$RMAN_END_SECONDS_MAX" ] || kill -s KILL -- "-$child" 2>/dev/null || kill -s KILL "$child" 2>/dev/null
        sleep 1 9<&-
        waited=$((waited + 1))
    done
    child=
}

# interrupted NAME NUMBER
interrupted() {
    trap '' HUP INT TERM
    case $changed in
    nothing) what='the database is as it was' again='run this again' ;;
    instance | control) what='no data file was touched' again='run this again' ;;
    files) what="${datafiles:+data file $datafiles of }database $sid is half restored and cannot be used" again='run this again with --force' ;;
    open) what="the database is open; restore $job may or may not be deleted" again="next: make a full backup" ;;
    esac
    complain 101 "ended by signal $1 during $step; $what" "$again"
    stop_child || complain 102 "process $child does not end, perhaps it hangs on $restore; $sid stays locked until it does"
    case $changed in
    instance | control) [ "$child" ] || put_back ;;
    esac
    exit $((128 + $2))
}

trap clean_up EXIT
trap 'interrupted HUP 1' HUP
trap 'interrupted INT 2' INT
trap 'interrupted TERM 15' TERM
# Whoever reads what is said may go; that is no reason to leave RMAN alone. RMAN itself gets the signal as ever.
trap : PIPE

restore_database() {
    refuse_living_database
    start_instance
    refuse_living_control_files
    restore_control_file
    catalog_restore
    refuse_living_files
    if [ "$check" ]; then
        check_only
        exit 0
    fi
    restore_files
    recover_database
    open_database
}

parse_arguments "$@"
check_programs
check_log_directory
check_database
find_restore
check_restore
take_lock
open_log
set_environment
look_at_instance
if [ "$datafiles" ]; then
    restore_datafiles
else
    restore_database
fi
forget_restore
delete_restore
say_what_is_next
exit 0
