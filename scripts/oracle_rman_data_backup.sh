#!/bin/sh
# Backs up an Oracle database with RMAN onto a mount of the store and has the store seal it, by the store's REST API.
# What lives here: one run, from the checks to the seal. What does not: mounting, scheduling, restoring.
#
# --archived-logs makes it a backup of archived logs only; oracle_rman_archivelog_backup.sh beside it is that, by name.
#
# Runs on the database host as the owner of the Oracle software; needs curl, and nothing that Linux does not have.
# Options, examples and exit statuses: --help. Each message explained: docs/RMAN-SCRIPT.md of Backstay.
#
# A message's number begins with the exit status. No PUT is ever sent unless RMAN ended with 0, its log shows a whole
# backup without an error, and every file that the log names lies on the mount.

# "A && B || fail" is meant as it reads: fail unless both hold, and fail does not return. What traps call is reachable.
# shellcheck disable=SC2015,SC2317

set -u
umask 027
LC_ALL=C
export LC_ALL
IFS=' 	
'

PROGRAM=oracle_rman_data_backup.sh
DEFAULT_PORT=9090
CONNECT_SECONDS_MAX=10
# How long the store may take for an answer that changes little; uploadlog and PUT may take --timeout.
QUICK_ANSWER_SECONDS_MAX=300
ANSWER_SECONDS_MAX=3600
# A dead NFS server holds whoever touches its mount; the checks wait no longer than this.
PROBE_SECONDS_MAX=60
# What RMAN gets to end after a signal, before it is killed.
RMAN_END_SECONDS_MAX=30
ATTEMPTS_MAX=3
# Of 512 bytes each: an answer of more than 64 KiB is none of the store's.
ANSWER_BLOCKS_MAX=128
NAME_LENGTH_MAX=64
# RMAN's tags end at 30 characters; four are for "_LOG" and the like.
TAG_LENGTH_MAX=26
CHANNELS_MAX=64
# Runs for other mounts may have the same directory of logs, and begin in the same second.
LOGS_IN_A_SECOND_MAX=100

usage() {
    cat <<END
$PROGRAM [OPTIONS] <log-dir> <store-ip[:port]> <mount>

Backs up a database with RMAN onto a mount of the store, then lets the store seal it:
GET (stops if too many snapshots are pending), POST, RMAN, uploadlog, PUT.

  <log-dir>             directory for rman_full_backup_<stamp>.log, or rman_archivelog_backup_<stamp>.log
  <store-ip[:port]>     the store's REST API, port $DEFAULT_PORT unless given; [ADDRESS]:PORT for IPv6
  <mount>               name of the backup mount, upper and lower case as on the store

  --database SID        the database; default: ORACLE_SID
  --oracle-home DIR     its software; default: ORACLE_HOME, or the SID's line in /etc/oratab
  --local-mount DIR     where the mount is mounted here; default: found in /proc/mounts by the store's address and
                        the export /Phoenix/<mount>/oracle_data, or else /local/<mount>. Of a store on this very host
                        its own directory will do: <store's directory>/mounts/<mount>/oracle_data
  --full                full backup sets, instead of image copies that are brought up to date
  --archived-logs       no data: only the archived logs that are in no backup yet, and the control file
  --channels N          so many RMAN channels, 1 to $CHANNELS_MAX; default 1, all that Standard Edition allows
  --tag TAG             RMAN's tag, at most $TAG_LENGTH_MAX letters, digits and _; default: made from the mount's name
  --keep-days N         after the backup, delete this tag's archived-log pieces, and with --full its backup sets, that
                        are older than N days; default: nothing is deleted
  --delete-input-days N after the seal, delete archived logs on the database's own disk that are older than N days and
                        are in a backup on disk; default: none is deleted
  --timeout SECONDS     how long the store may take for uploadlog and PUT; default $ANSWER_SECONDS_MAX
  -h, --help            this text

Examples:
  $PROGRAM /home/oracle/log 192.0.2.1 testmount
  $PROGRAM --database PRD --channels 4 --local-mount /backup/prd /home/oracle/log 192.0.2.1:9090 prd
  $PROGRAM --full --keep-days 8 /home/oracle/log 192.0.2.1 testmount
  $PROGRAM --archived-logs --delete-input-days 2 /home/oracle/log 192.0.2.1 testmount

Exit status:
    0  the backup is made and sealed
    2  the command line is wrong; nothing was begun
    3  a check failed; nothing was begun
    4  another run holds this mount; nothing was begun
    5  the store cannot be reached, its answer is none, or its export is another; RMAN was not started
    6  the store refused; RMAN was not started
    7  too many snapshots are pending on the mount; RMAN was not started
    8  RMAN failed or could not be started, or its log does not show a whole backup; nothing was sealed
    9  the backup lies on the mount, but it is not known to be sealed: the message says what to do
   10  the backup is made and sealed; old archived logs could not be deleted from the database's disk
  129, 130, 143  ended by HUP, INT or TERM; RMAN was stopped
END
}

# ---- What is said ---------------------------------------------------------------------------------------------------

log=
work=
child=
child_is_group=
step='the checks'

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
    say "RDB${1}W $2"
}

# complain NUMBER TEXT [HINT]
complain() {
    note "RDB${1}E $2"
    printf '%s\n' "$noted" >&2
    [ -z "${3:-}" ] || { note "HINT: $3" && printf '%s\n' "$noted" >&2; }
    [ -z "$log" ] || [ ! -f "$log" ] || printf 'The log of this run: %s\n' "$log" >&2
}

# fail NUMBER TEXT [HINT]: the end; the exit status is the number without its last two digits.
fail() {
    complain "$@"
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
    sid=${ORACLE_SID:-} home=${ORACLE_HOME:-} local_mount='' mode=copies channels=1 tag='' keep_days='' input_days=''
    sid_is_given=''
    while [ $# -gt 0 ]; do
        case $1 in
        -h | --help) usage && exit 0 ;;
        --full | --archived-logs)
            [ "$mode" = copies ] || [ "$mode" = "${1#--}" ] || wrong_usage 212 '--full and --archived-logs exclude each other'
            mode=${1#--}
            ;;
        --database | --oracle-home | --local-mount | --channels | --tag | --keep-days | --delete-input-days | --timeout)
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
    [ $# -eq 3 ] || wrong_usage 203 "three arguments are wanted, a log directory, a store and a mount, and $# are given"
    log_directory=$1
    take_store "$2"
    take_mount "$3"
}

take_option() {
    case $1 in
    --database) sid=$2 sid_is_given=yes ;;
    --oracle-home) home=$2 home_is_given=yes ;;
    --local-mount) local_mount=$2 ;;
    --channels)
        is_number_within 1 "$CHANNELS_MAX" "$2" || wrong_usage 204 "--channels is a number from 1 to $CHANNELS_MAX"
        channels=$2
        ;;
    --tag)
        is_made_of A-Za-z0-9_ "$2" && [ "${#2}" -le "$TAG_LENGTH_MAX" ] ||
            wrong_usage 205 "--tag is made of at most $TAG_LENGTH_MAX letters, digits and _"
        tag=$(printf '%s' "$2" | tr '[:lower:]' '[:upper:]')
        ;;
    --keep-days)
        is_number_within 1 36500 "$2" || wrong_usage 206 '--keep-days is a number of days from 1 on'
        keep_days=$2
        ;;
    --delete-input-days)
        is_number_within 1 36500 "$2" || wrong_usage 213 '--delete-input-days is a number of days from 1 on'
        input_days=$2
        ;;
    --timeout)
        is_number_within 1 604800 "$2" || wrong_usage 207 '--timeout is a number of seconds from 1 to 604800'
        ANSWER_SECONDS_MAX=$2
        ;;
    esac
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

# Two mounts must not share a tag: RMAN would bring the copies on the one up to date in a run for the other.
choose_tag() {
    [ -z "$tag" ] || return 0
    tag=BS_$(printf '%s' "$mount" | tr '[:lower:].-' '[:upper:]__')
    if ! is_made_of a-z0-9_ "$mount" || [ "${#tag}" -gt "$TAG_LENGTH_MAX" ]; then
        sum=$(printf '%s' "$mount" | cksum)
        tag=$(printf '%.15s' "$tag")_${sum%% *}
    fi
}

# ---- Checks before anything begins ----------------------------------------------------------------------------------

check_programs() {
    for program in curl awk sed tr cksum date mkdir rm wc tail sort cat flock setsid timeout; do
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
    [ -w "$log_directory" ] || fail 302 "the log directory $log_directory cannot be written" 'give this user the right to write there'
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
    rman=$home/bin/rman
    [ -f "$rman" ] && [ -x "$rman" ] ||
        fail 305 "$(printable "$rman") is not a program that this user can run" "give the right --oracle-home; run this as the owner of the Oracle software"
}

# Each line of /proc/mounts that is this export of this store: its directory. The store may be given by name and mounted
# by address, or the other way round; NFS notes the address in the options.
exported_here() {
    addresses="${host#\[}"
    addresses="${addresses%\]}"
    resolved=$(timeout "$CONNECT_SECONDS_MAX" getent ahosts "$addresses" 2>/dev/null | awk '{ print $1 }')
    printf '%s\n' "$addresses" "$resolved" | awk -v export="/Phoenix/$mount/oracle_data" '
        NR == FNR { if ($1 != "") known[$1] = 1; next }
        {
            at = length($1) - length(export)
            if (at < 2 || substr($1, at) != ":" export) next
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

find_local_mount() {
    [ -z "$local_mount" ] || return 0
    local_mount=$(exported_here)
    case $local_mount in
    '') local_mount=/local/$mount ;;
    *'
'*) fail 306 "the mount $mount is mounted here more than once: $(printf '%s' "$local_mount" | tr '\n' ' ')" 'say which by --local-mount DIR' ;;
    esac
}

# RMAN's formats have meanings for ' % & and the like, curl's -F for ; and ,: a path has to do without them.
check_local_path() {
    case $local_mount in
    /*[!A-Za-z0-9._/+:@-]* | [!/]*)
        fail 307 "the path of the local mount, $(printable "$local_mount"), is not absolute, or has other characters than A-Z a-z 0-9 . _ / + : @ -" 'mount it elsewhere'
        ;;
    esac
}

# Enters the mount and writes a file, as a child that can be given up. Says the physical path.
probe_local_mount() {
    # shellcheck disable=SC2016 # the child expands these
    timeout -s KILL "$PROBE_SECONDS_MAX" sh -c '
        cd -P -- "$1" || exit 11
        pwd -P
        name=.backstay_probe_$$
        trap "rm -f -- \"\$name\"" EXIT
        # cat says what is wrong, the shell itself often only "I/O error"
        echo probe | cat >"$name" || exit 12
    ' sh "$local_mount" 2>&1
}

check_local_mount() {
    check_local_path
    probed=$(probe_local_mount)
    probe_status=$?
    case $probe_status in
    0 | 12) ;;
    11) fail 308 "the local mount $local_mount cannot be entered" "mount it (see /proc/mounts), or give --local-mount DIR" ;;
    *) fail 309 "the local mount $local_mount did not answer within $PROBE_SECONDS_MAX s (status $probe_status)" 'the NFS server of the store may be down' ;;
    esac
    local_mount=$(printf '%s\n' "$probed" | sed -n 1p)
    check_local_path
    mounted=$(awk -v directory="$local_mount" '$2 == directory { found = $1 " " $3 " " $4 } END { print found }' /proc/mounts)
    { [ "$local_mount" != / ] && [ -n "$mounted" ]; } || is_directory_of_store ||
        fail 310 "$local_mount is a directory of this host, and nothing is mounted there" "mount the store's export first, or give --local-mount DIR: a backup would fill this host's own disk"
    [ "$probe_status" -eq 0 ] ||
        fail 311 "the local mount $local_mount cannot be written: $(printable "$(printf '%s\n' "$probed" | sed -n '2s/^.*: //p')")" 'is it full, read-only, or is this user not allowed to write?'
    check_mount_options
}

# A store on this very host needs no mount of itself: what it exports as this mount is written here as well.
is_directory_of_store() {
    case $local_mount in
    */mounts/"$mount"/oracle_data) [ -f "${local_mount%/mounts/"$mount"/oracle_data}/catalogue.sqlite" ] ;;
    *) return 1 ;;
    esac
}

check_mount_options() {
    device=${mounted%% *}
    options=${mounted##* }
    case ${mounted#* } in
    nfs*) ;;
    *) return 0 ;;
    esac
    case ,$options, in
    *,soft,*) warn 312 "$local_mount is mounted soft: a short outage of the store makes a damaged backup; mount it hard" ;;
    *,noac,*) warn 313 "$local_mount is mounted noac, which makes RMAN many times slower" ;;
    esac
    for size in rsize wsize; do
        bytes=$(printf '%s' "$options" | sed -n "s/.*$size=\\([0-9]*\\).*/\\1/p")
        [ -z "$bytes" ] || [ "$bytes" -ge 32768 ] ||
            warn 314 "$local_mount is mounted with $size=$bytes; Oracle wants 32768 and refuses less with ORA-27054"
    done
}

# One lock for runs of either kind: the POST of one would begin anew what the other is at.
#
# The kernel keeps the lock for this process and for RMAN, which inherits it: it ends with the last of them, however they
# end, and is never stale. The file itself stays; removing it would let two runs hold two files of one name.
take_lock() {
    sum=$(printf '%s' "$local_mount" | cksum)
    lock=/tmp/.$PROGRAM.${mount}.${sum%% *}.lock
    [ -e "$lock" ] || (umask 022 && set -C && : >"$lock") 2>/dev/null
    [ -f "$lock" ] && [ ! -h "$lock" ] && [ -r "$lock" ] ||
        fail 402 "the lock file $lock cannot be used" 'remove it if no run is going on'
    exec 9<"$lock"
    if ! flock -n 9; then
        holder=$(sed -n '1s/[^0-9]//gp; 1q' "$lock")
        fail 401 "another run for $local_mount is going on, or RMAN of one that was killed${holder:+ (process $holder)}" 'wait for its end'
    fi
    printf '%s\n' "$$ " 2>/dev/null >"$lock"
}

open_log() {
    stamp=$(date +%Y%m%d_%H%M%S) number=1
    while [ -z "$log" ] && [ "$number" -le "$LOGS_IN_A_SECOND_MAX" ]; do
        stem=rman_full_backup_$stamp
        [ "$mode" != archived-logs ] || stem=rman_archivelog_backup_$stamp
        [ "$number" -eq 1 ] || stem=${stem}_$number
        if (set -C && : >"$log_directory/$stem.log") 2>/dev/null; then
            log=$log_directory/$stem.log
            work=$log_directory/.$stem
        fi
        number=$((number + 1))
    done
    [ -n "$log" ] || fail 315 "no log can be written in $log_directory" 'is the disk full?'
    cd -P -- "$log_directory" || fail 302 "the log directory $log_directory cannot be entered"
    say "RDB001I backup of $([ "$mode" != archived-logs ] || echo 'the archived logs of ')database $sid onto mount $mount of store $host:$port, mounted at $local_mount; process $$"
    { [ -s "$log" ] && : >"$work.answer"; } || fail 315 "the log $log cannot be written" 'is the disk full?'
}

# ---- Talking to the store -------------------------------------------------------------------------------------------

# call VERB CALL SECONDS RETRY [CURL'S ARGUMENTS]: one call of the API. Returns 0 with the store's own answer, good or
# bad, in error_code, error_msg and $work.fields; 1 with what is wrong in trouble, and in sent whether the store may have
# got the request. RETRY is always for calls that change nothing; unsent for those that may be repeated only if the
# connection never came about.
call() {
    verb=$1 url=http://$host:$port/druva-phoenix/v1/mounts/$mount/$2 seconds=$3 retry=$4
    shift 4
    attempt=1
    while :; do
        curl_once "$@"
        read_answer && return 0
        [ "$attempt" -lt "$ATTEMPTS_MAX" ] || return 1
        [ "$retry" = always ] || [ -z "$sent" ] || return 1
        say "RDB002I $verb: $trouble; once more"
        sleep "$attempt" 9<&-
        attempt=$((attempt + 1))
    done
}

# In the background, because the shell answers signals while it waits, and not while a foreground child runs.
curl_once() {
    : >"$work.answer"
    (
        ulimit -f "$ANSWER_BLOCKS_MAX"
        exec curl -q -g -s -S --noproxy '*' --connect-timeout "$CONNECT_SECONDS_MAX" --max-time "$seconds" \
            -o "$work.answer" -w '%{http_code} %{time_connect}\n' -X "$verb" "$@" "$url"
    ) >"$work.facts" 2>"$work.complaint" 9<&- &
    child=$! child_is_group=
    wait "$child" 2>/dev/null
    curl_status=$?
    child=
    http_status=000 connected=0
    read -r http_status connected <"$work.facts"
    sent=yes
    case $curl_status in
    5 | 6 | 7) sent= ;;
    28) case $connected in *[1-9]*) ;; *) sent= ;; esac ;;
    esac
}

read_answer() {
    trouble=
    case $curl_status in
    0) ;;
    6) trouble="the name $host is not known" ;;
    7) trouble="nothing accepts connections at $host:$port" ;;
    18) trouble='the answer is cut off' ;;
    23 | 63 | 153) trouble="the answer is longer than $((ANSWER_BLOCKS_MAX / 2)) KiB" ;;
    26) trouble='the log cannot be read' ;;
    28) trouble="no answer within ${seconds} s" && [ "$sent" ] || trouble="no connection within $CONNECT_SECONDS_MAX s" ;;
    52) trouble='the connection was closed without an answer' ;;
    55 | 56) trouble='the connection broke' ;;
    *) trouble="curl failed with status $curl_status" ;;
    esac
    if [ "$trouble" ]; then
        trouble="$trouble ($(printable "$(sed -n 1p "$work.complaint" | cut -c1-200)"))"
        return 1
    fi
    read_envelope
}

# The envelope is believed only as a whole: one JSON object with an integer error_code, a string and nothing twice.
read_envelope() {
    if [ ! -s "$work.answer" ]; then
        trouble="the answer is empty (HTTP $http_status)"
    elif [ "$(tr -d '\011\012\015\040-\176\200-\377' <"$work.answer" | wc -c)" -ne 0 ]; then
        trouble="the answer is not text (HTTP $http_status)"
    elif ! flatten_json <"$work.answer" >"$work.fields"; then
        trouble="the answer is not JSON (HTTP $http_status): $(printable "$(sed -n 1p "$work.answer" | cut -c1-80)")"
        case $(tr -d ' \t\r\n' <"$work.answer" | cut -c1) in
        '<') trouble="the answer is a web page, not JSON (HTTP $http_status)" ;;
        esac
    else
        read_error_code
    fi
    [ -z "$trouble" ]
}

# The codes are beyond 32 bits, and shells differ in what they can count: they are compared as text.
read_error_code() {
    error_code=$(field number /error_code)
    error_msg=$(field string /error_msg)
    if ! is_made_of 0-9 "${error_code#-}" || [ "${#error_code}" -gt 20 ]; then
        trouble="the answer has no error_code that is an integer (HTTP $http_status)"
    elif [ "$(field string /error_msg kind)" != string ]; then
        trouble="the answer has no error_msg (HTTP $http_status)"
    elif [ "$error_code" = 0 ] && [ "$http_status" -ge 300 ]; then
        trouble="the answer contradicts itself: HTTP $http_status and error_code 0"
    elif [ "$error_code" = 0 ] && [ "$(field string /result/mount_name)" != "$mount" ]; then
        trouble="the answer is not about the mount $mount"
    fi
}

# field KIND PATH: the value at a path of the answer, if it is of this kind; with a third argument its kind.
field() {
    awk -F '\t' -v kind="$1" -v path="$2" -v what="${3:-value}" \
        '$1 == path && $2 == kind { print what == "value" ? $3 : $2 }' "$work.fields"
}

# Reads one JSON value and prints a line for each string, number, true, false and null in it: path, kind, value, with
# tabs between. Ends with 1 if it is not JSON, or names a thing twice. A comma before a closing bracket is let pass: the
# vendor's samples have it. Values are cut at 500 characters and are printable.
flatten_json() {
    awk '
        function give_up() { bad = 1; at = size + 1 }
        function space() { while (substr(text, at, 1) ~ /^[ \t\r\n]$/) at++ }
        function string(   kept, c, code) {
            at++
            while (at <= size) {
                c = substr(text, at++, 1)
                if (c == "\"") return kept
                if (c ~ /^[\t\r\n]$/) break
                if (c == "\\") {
                    c = substr(text, at++, 1)
                    if (c == "u") {
                        code = tolower(substr(text, at, 4))
                        if (code !~ /^[0-9a-f][0-9a-f][0-9a-f][0-9a-f]$/) break
                        at += 4
                        c = substr(code, 1, 2) == "00" ? letter(code) : "?"
                    } else if (c ~ /^[bfnrt]$/) c = " "
                    else if (c !~ /^["\\\/]$/) break
                } else if (c !~ /^[ -~]$/) c = "?"
                if (length(kept) < 500) kept = kept c
            }
            give_up()
        }
        function letter(code,   n) {
            n = (index(hex, substr(code, 3, 1)) - 1) * 16 + index(hex, substr(code, 4, 1)) - 1
            return n >= 32 && n <= 126 ? sprintf("%c", n) : "?"
        }
        function scalar(path, kind, value) {
            if (++count > 1000) give_up()
            found = found path "\t" kind "\t" value "\n"
        }
        function literal(path,   rest) {
            rest = substr(text, at, 64)
            if (match(rest, /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/)) scalar(path, "number", substr(rest, 1, RLENGTH))
            else if (match(rest, /^(true|false)/)) scalar(path, "boolean", substr(rest, 1, RLENGTH))
            else if (match(rest, /^null/)) scalar(path, "null", "null")
            else { give_up(); return }
            at += RLENGTH
            if (substr(text, at, 1) !~ /^[] \t\r\n,}]?$/) give_up()
        }
        function members(path, depth, last,   key, place) {
            at++
            while (!bad) {
                space()
                if (substr(text, at, 1) == last) { at++; return }
                key = place++
                if (last == "}") {
                    if (substr(text, at, 1) != "\"") { give_up(); return }
                    key = string()
                    gsub(/[^A-Za-z0-9_]/, "?", key)
                    space()
                    if (substr(text, at++, 1) != ":" || (path "/" key) in seen) { give_up(); return }
                    seen[path "/" key] = 1
                }
                value(path "/" key, depth + 1)
                space()
                if (substr(text, at, 1) == ",") { at++; continue }
                if (substr(text, at, 1) != last) give_up()
            }
        }
        function value(path, depth,   c) {
            space()
            c = substr(text, at, 1)
            if (depth > 16) give_up()
            else if (c == "{") members(path, depth, "}")
            else if (c == "[") members(path, depth, "]")
            else if (c == "\"") scalar(path, "string", string())
            else literal(path)
        }
        { text = text $0 "\n" }
        END {
            hex = "0123456789abcdef"
            at = 1
            size = length(text)
            value("", 0)
            space()
            if (bad || at <= size) exit 1
            printf "%s", found
        }'
}

# What a refusal means for who reads it; the nine codes are those of the API, the rest are the store's own.
hint_of() {
    case $1 in
    4295622675) echo 'the store is being decommissioned: wait until that has ended, then ask its administrator' ;;
    4295622676) echo 'the store is decommissioned: it has to be registered again and its service restarted' ;;
    4295622665) echo 'check the name of the mount, upper and lower case, and the address of the store' ;;
    4295622669) echo "the administrator of the store has to mend the mount: its directory, its export or a snapshot is missing" ;;
    4295622667) echo 'the mount is being deleted on the store: use another one, or have it created anew' ;;
    4295622670) echo 'the administrator of the store has to look at its NFS exports, /etc/exports may name paths that are gone' ;;
    4295622659) echo 'the store knows of no open backup on this mount: somebody else ended it, or the store lost it; run this again' ;;
    4295622664) echo 'wait until the store has uploaded or deleted snapshots, or have its limit raised' ;;
    4295622663) echo 'check the path of the restore' ;;
    *) echo 'see the log of the store' ;;
    esac
}

refusal() {
    printf 'the store refused %s: error %s, %s (HTTP %s)' "$1" "$error_code" "${error_msg:-without a message}" "$http_status"
}

unsealed_hint="the backup lies on the mount and may be sealed by hand while nobody else uses the mount:"

# ---- The steps ------------------------------------------------------------------------------------------------------

quick_seconds() {
    [ "$ANSWER_SECONDS_MAX" -lt "$QUICK_ANSWER_SECONDS_MAX" ] && echo "$ANSWER_SECONDS_MAX" || echo "$QUICK_ANSWER_SECONDS_MAX"
}

ask_whether_to_begin() {
    step='the GET'
    call GET backup "$(quick_seconds)" always ||
        fail 501 "the store does not answer GET: $trouble" "check the address $host:$port, the store's service and the network"
    [ "$error_code" = 0 ] || refused_before_rman 601 GET
    case $(field boolean /result/is_reached_max_snapshots) in
    false) say "RDB003I the store is ready for a backup of $mount" ;;
    true) fail 701 "the mount $mount has as many pending snapshots as the store allows" "$(hint_of 4295622664)" ;;
    *) fail 501 'the answer to GET does not say whether too many snapshots are pending' "is $host:$port the store?" ;;
    esac
}

refused_before_rman() {
    [ "$error_code" != 4295622664 ] || fail 702 "$(refusal "$2")" "$(hint_of "$error_code")"
    fail "$1" "$(refusal "$2")" "$(hint_of "$error_code")"
}

begin_backup() {
    step='the POST'
    call POST backup "$(quick_seconds)" unsent ||
        fail 502 "the store does not answer POST: $trouble" "no backup was made; run this again when the store answers"
    [ "$error_code" = 0 ] || refused_before_rman 602 POST
    mount_path=$(field string /result/mount_path)
    is_made_of A-Za-z0-9._/- "$mount_path" && [ "${mount_path#/}" != "$mount_path" ] ||
        fail 503 'the answer to POST names no path of an export' "is $host:$port the store?"
    case $device in
    /*) ;;
    *:/*) [ "${device#*:/}" = "${mount_path#/}" ] || [ "${device##*:}" = "$mount_path" ] ||
        fail 504 "$local_mount is $(printable "$device"), and the store exports $mount as $mount_path" 'mount the right export, or give the right --local-mount' ;;
    esac
    timeo=$(field number /result/mount_params/timeo) retrans=$(field number /result/mount_params/retrans)
    say "RDB004I the store has opened the backup; export $mount_path, NFS options timeo=${timeo:-?},retrans=${retrans:-?}"
}

# One file of commands; RMAN stops at the first that fails. Merging comes after the new increment, so that the copies are
# of today; the logs come after the data, so that they reach to its end; the control file comes last and knows it all.
rman_commands() {
    echo 'report schema;'
    echo 'run {'
    echo "set controlfile autobackup format for device type disk to '$local_mount/%F';"
    number=1
    while [ "$number" -le "$channels" ]; do
        echo "allocate channel c$number device type disk format '$local_mount/%U';"
        number=$((number + 1))
    done
    case $mode in
    full) echo "backup as backupset full filesperset 1 tag '$tag' database force;" ;;
    copies)
        echo "crosscheck copy of database tag '$tag';"
        echo "delete noprompt expired copy of database tag '$tag';"
        echo "backup incremental level 1 for recover of copy with tag '$tag' database;"
        echo "recover copy of database with tag '$tag';"
        echo "delete noprompt backupset tag '$tag';"
        ;;
    esac
    echo "sql 'alter system archive log current';"
    echo "backup as backupset filesperset 4 tag '${tag}_LOG' archivelog all not backed up 1 times;"
    [ -z "$keep_days" ] || echo "delete noprompt backupset tag '${tag}_LOG' completed before 'sysdate-$keep_days';"
    [ -z "$keep_days" ] || [ "$mode" != full ] ||
        echo "delete noprompt backupset tag '$tag' completed before 'sysdate-$keep_days';"
    [ "$mode" = archived-logs ] || echo "backup as backupset tag '${tag}_SPF' spfile;"
    echo "backup as copy tag '${tag}_CTL' current controlfile format '$local_mount/control_D-%d_I-%I.ctl' reuse;"
    echo '}'
    echo 'exit;'
}

kind_of_backup() {
    case $mode in
    full) echo 'full backup sets' ;;
    copies) echo 'image copies, brought up to date' ;;
    archived-logs) echo 'archived logs only' ;;
    esac
}

back_up() {
    step=RMAN
    rman_commands >"$stem.rman" || fail 808 "RMAN's commands cannot be written in $log_directory" 'is the disk full?'
    say "RDB005I RMAN begins: $(kind_of_backup), channels $channels, tag $tag"
    run_rman ||
        fail 803 "the log $log is gone or cannot be read: whether RMAN made a backup is not known (it ended with status $rman_status)" 'nothing was sealed; run this again'
    judge_backup
}

# Runs the commands in $stem.rman. Leaves RMAN's status in rman_status and what it said in $work.rman, and on top of the log
# of this run; returns 1 if that is not to be had.
run_rman() {
    lines_before=$(wc -l <"$log")
    ORACLE_SID=$sid ORACLE_HOME=$home PATH=$home/bin:$PATH
    NLS_LANG=AMERICAN_AMERICA NLS_DATE_FORMAT='YYYY-MM-DD HH24:MI:SS'
    export ORACLE_SID ORACLE_HOME PATH NLS_LANG NLS_DATE_FORMAT
    unset TWO_TASK LOCAL NLS_LANGUAGE NLS_DATE_LANGUAGE NLS_TERRITORY
    setsid "$rman" target / nocatalog msgno cmdfile="$stem.rman" </dev/null >>"$log" 2>&1 &
    child=$! child_is_group=yes
    wait "$child"
    rman_status=$?
    child=
    [ -f "$log" ] && [ -r "$log" ] && tail -n "+$((lines_before + 1))" "$log" >"$work.rman"
}

# judge_rman_log WANTED: first line: ok, or why this is not the log of a good run. Then the warnings, a line each. WANTED is
# backup, or nothing for commands that RMAN announces no beginning and end of.
#
# With msgno every line of RMAN's carries a number, so numbers alone say nothing. An error is an error stack, a failed
# command, or a line of the server's. It is none in two cases: behind a line with WARNING, and when RMAN says that another
# channel took over.
judge_rman_log() {
    awk -v wanted="$1" '
        function reason(line) { if (reasons++ < 3) why = why (why == "" ? "" : "; ") substr(line, 1, 200) }
        { line = $0; sub(/\r$/, "", line); while (sub(/^(RMAN> ?|[0-9]+> ?)/, "", line)); sub(/^[ \t]+/, "", line); text = line; sub(/^RMAN-[0-9]+: /, "", text) }
        line == "" { next }
        text ~ /^=+ *ERROR MESSAGE STACK FOLLOWS/ { stack = 1; next }
        text ~ /^=+$/ { next }
        stack { if (line ~ /^[A-Z][A-Z][A-Z]+-[0-9][0-9]+:/) reason(line); if (text ~ /^Recovery Manager complete/) complete = 1; next }
        text ~ /will be run on another channel/ { if (failed != "") { warnings = warnings "\n" failed; failed = "" } next }
        line ~ /^RMAN-(03002|03009|03010|03014|03015|00601|06429|12001)/ { if (failed != "") reason(failed); failed = line; next }
        line ~ /^(ORA|PLS|LRM|DIA)-[0-9][0-9]+:/ {
            if (failed != "") failed = failed "; " line
            else if (excused > 0) warnings = warnings "\n" line
            else reason(line)
            next
        }
        failed != "" { reason(failed); failed = "" }
        text ~ /^WARNING/ || line ~ /^RMAN-[0-9]+: WARNING/ { warnings = warnings "\n" line; excused = 3; next }
        { excused-- }
        text ~ /^connected to target database: / { connected = 1; if (text ~ /not mounted/) reason(text) }
        text ~ /^connected to target database \(not started\)/ { reason(text) }
        text ~ /^Starting [A-Za-z ]+ at / { begun++ }
        text ~ /^Finished [A-Za-z ]+ at / { ended++; if (text ~ /^Finished backup at /) backups++ }
        text ~ /^Recovery Manager complete/ { complete = 1 }
        END {
            if (failed != "") reason(failed)
            if (why == "") {
                if (stack) reason("an error stack")
                else if (!connected) reason("RMAN was not connected to a database")
                else if (wanted == "backup" && !begun) reason("no backup was begun")
                else if (ended < begun || (wanted == "backup" && !backups)) reason("a step was begun and not finished")
                else if (!complete) reason("the log is cut off, its last line is missing")
            }
            print why == "" ? "ok" : why
            if (warnings != "") print substr(warnings, 2)
        }' "$work.rman"
}

# The files that the log says were written and not deleted again, a line each.
files_in_log() {
    awk '
        function name(text) {
            sub(/ RECID=[0-9]+ STAMP=[0-9]+ *$/, "", text)
            sub(/ comment=[^=]*$/, "", text)
            sub(/ tag=[^\/]*$/, "", text)
            return text
        }
        { text = $0; sub(/\r$/, "", text); sub(/^RMAN-[0-9]+: /, "", text); sub(/^[ \t]+/, "", text) }
        text ~ /^deleted / { gone = 1; next }
        sub(/^(backup piece handle|datafile copy file name|control file copy file name)=/, "", text) { if (gone) delete there[name(text)]; next }
        { gone = 0 }
        sub(/^(piece handle|output file name)=/, "", text) { there[name(text)] = 1; next }
        sub(/^recovering datafile copy file number=[0-9]+ name=/, "", text) { there[name(text)] = 1 }
        END { for (file in there) print file }' "$work.rman" | sort
}

judge_backup() {
    judge_rman_log backup >"$work.verdict"
    verdict=$(printable "$(sed -n 1p "$work.verdict")")
    nothing_sealed="nothing was sealed; the log names the cause: $log"
    [ "$rman_status" -eq 0 ] ||
        fail 801 "RMAN failed with status $rman_status$([ "$verdict" = ok ] || printf ': %s' "$verdict")" "$nothing_sealed"
    [ "$verdict" = ok ] || fail 802 "RMAN ended with status 0, but its log shows no good backup: ${verdict:-it cannot be read}" "$nothing_sealed"
    sed 1d "$work.verdict" >"$work.warnings"
    while IFS= read -r line; do
        warn 804 "RMAN warned: $(printable "$line")"
    done <"$work.warnings"
    check_files
}

# The store seals what is on the mount: a file that is not there, or elsewhere, would not be in the recovery point.
check_files() {
    files_in_log >"$work.files"
    [ -s "$work.files" ] || fail 805 'the log of RMAN names no file that was written' "$nothing_sealed"
    while IFS= read -r file; do
        case $file in
        "$local_mount"/*) [ -s "$file" ] || fail 806 "RMAN says that it wrote $(printable "$file"), and it is not there, or empty" "$nothing_sealed" ;;
        *) fail 807 "RMAN wrote $(printable "$file"), which is not on the mount $local_mount and would not be sealed" 'copies of the same tag may lie there from earlier: use another --tag' ;;
        esac
    done <"$work.files"
    say "RDB006I RMAN has ended well; $(($(wc -l <"$work.files"))) files are on the mount"
}

# By its bare name, in the directory of logs: curl's -F gives a meaning to ; , and " in a path.
upload_log() {
    step='the uploadlog'
    [ -r "$stem.log" ] || fail 901 "the log $log is gone or cannot be read and cannot be uploaded; the backup is not sealed" "$(seal_hint)"
    call POST uploadlog "$ANSWER_SECONDS_MAX" unsent -F "file=@$stem.log" -F "mountpoint=$local_mount" -F platform=linux ||
        fail 901 "the log could not be uploaded: $trouble; the backup is on the mount, but not sealed" "$(seal_hint)"
    [ "$error_code" = 0 ] ||
        fail 902 "$(refusal uploadlog); the backup is on the mount, but not sealed" "$(hint_of "$error_code"); $(seal_hint)"
    say 'RDB007I the store has the log'
}

seal_hint() {
    echo "$unsealed_hint curl -X PUT http://$host:$port/druva-phoenix/v1/mounts/$mount/backup"
}

seal() {
    step='the PUT'
    if ! call PUT backup "$ANSWER_SECONDS_MAX" unsent; then
        [ "$sent" ] || fail 904 "the store cannot be reached for PUT: $trouble; the backup is on the mount, but not sealed" "$(seal_hint)"
        fail 905 "the answer to PUT was lost: $trouble; the backup is on the mount, and whether it is sealed is not known" \
            "look on the store for a snapshot of $mount from now; if there is none, $(seal_hint)"
    fi
    [ "$error_code" = 0 ] ||
        fail 903 "$(refusal PUT); the backup is on the mount, but not sealed" "$(hint_of "$error_code")$(
            [ "$error_code" = 4295622659 ] || printf '; %s' "$(seal_hint)")"
    snapshot=$(field string /result/snap_name)
    [ -n "$snapshot" ] || fail 905 'the answer to PUT names no snapshot; the backup is on the mount, and whether it is sealed is not known' \
        "look on the store for a snapshot of $mount from now"
    say "RDB008I the store has sealed the backup as snapshot $snapshot"
}

# After the seal, because what is deleted here is nowhere else but in the backup; and only what is in a backup that RMAN
# still finds, hence the crosscheck.
delete_input() {
    [ -n "$input_days" ] || return 0
    step='the deletion of old archived logs'
    {
        echo 'crosscheck backup of archivelog all;'
        echo "delete noprompt archivelog all completed before 'sysdate-$input_days' backed up 1 times to device type disk;"
        echo 'exit;'
    } >"$stem.rman" && run_rman && judge_rman_log nothing >"$work.verdict" || : >"$work.verdict"
    verdict=$(printable "$(sed -n 1p "$work.verdict")")
    [ "${rman_status:-1}" -eq 0 ] && [ "$verdict" = ok ] ||
        fail 1001 "the backup is sealed, but archived logs older than $input_days days were not all deleted: ${verdict:-the log of RMAN cannot be read}" \
            "the disk of the archived logs may fill up; the log names the cause: $log"
    say "RDB009I $(sed -n 's/^RMAN-[0-9]*: *//; /^deleted archived log/p' "$work.rman" | wc -l) archived logs older than $input_days days are deleted from the database's disk"
}

# ---- The end, wanted or not -----------------------------------------------------------------------------------------

clean_up() {
    [ -z "$work" ] || rm -f "$work.answer" "$work.facts" "$work.complaint" "$work.fields" "$work.rman" \
        "$work.verdict" "$work.warnings" "$work.files" "$log_directory/$stem.rman"
}

# The child and, if it leads a group, the group: whether anything of it lives.
child_lives() {
    state=$(sed 's/^.*) \(.\).*$/\1/' "/proc/$child/stat" 2>/dev/null)
    case $state in
    '' | Z | X) [ "$child_is_group" ] && wait "$child" 2>/dev/null && : ;;
    *) return 0 ;;
    esac
    [ "$child_is_group" ] && kill -s 0 -- "-$child" 2>/dev/null
}

# RMAN first, so that it can tell the server; then whatever it left in its group; then without asking.
stop_child() {
    [ -n "$child" ] || return 0
    kill -s TERM "$child" 2>/dev/null
    waited=0
    while child_lives; do
        [ "$waited" -lt "$((RMAN_END_SECONDS_MAX + 10))" ] || return 1
        [ "$waited" -ne 5 ] || [ -z "$child_is_group" ] || kill -s TERM -- "-$child" 2>/dev/null
        [ "$waited" -lt "$RMAN_END_SECONDS_MAX" ] || kill -s KILL -- "${child_is_group:+-}$child" 2>/dev/null
        sleep 1 9<&-
        waited=$((waited + 1))
    done
}

# interrupted NAME NUMBER
interrupted() {
    trap '' HUP INT TERM
    case $step in
    'the PUT') what='whether the backup is sealed is not known: look on the store for a snapshot from now' ;;
    'the uploadlog') what="the backup is on the mount, but not sealed" ;;
    RMAN) what='RMAN is being stopped, nothing is sealed' ;;
    'the deletion of old archived logs') what='the backup is made and sealed' ;;
    *) what='no backup was made' ;;
    esac
    complain 101 "ended by signal $1 during $step; $what" 'run this again'
    stop_child || complain 102 "process $child does not end, perhaps it hangs on $local_mount; the mount stays locked until it does"
    exit $((128 + $2))
}

trap clean_up EXIT
trap 'interrupted HUP 1' HUP
trap 'interrupted INT 2' INT
trap 'interrupted TERM 15' TERM
# Whoever reads what is said may go; that is no reason to leave RMAN alone. RMAN itself gets the signal as ever.
trap : PIPE

parse_arguments "$@"
choose_tag
check_programs
check_log_directory
check_database
find_local_mount
check_local_mount
take_lock
open_log
ask_whether_to_begin
begin_backup
back_up
upload_log
seal
delete_input
exit 0
