#!/bin/sh
# Backs up an Oracle database's archived logs with RMAN onto a mount of the store, and has the store seal the mount.
# What lives here: the way to oracle_rman_data_backup.sh. What does not: all the rest; it lives there.
#
# An entry for the crontab of its own, without a second copy of a thousand lines that would have to be kept like the first:
# copy both files into one directory. This is the same as oracle_rman_data_backup.sh --archived-logs.

set -u
LC_ALL=C
export LC_ALL

PROGRAM=oracle_rman_archivelog_backup.sh
RUNS=oracle_rman_data_backup.sh

# directory_of FILE, as an absolute path
directory_of() {
    case $1 in
    */*) cd -P -- "${1%/*}" 2>/dev/null && pwd -P ;;
    *) pwd -P ;;
    esac
}

# Beside this file, or beside the file that this one is a link to.
script=$(directory_of "$0")/$RUNS
[ -r "$script" ] || script=$(directory_of "$(readlink -f -- "$0" 2>/dev/null)")/$RUNS
if [ ! -r "$script" ]; then
    now=$(date '+%Y-%m-%d %H:%M:%S')
    printf '%s\n' "$now RDB316E $RUNS, which does the work, is not beside $0, or cannot be read" \
        "$now HINT: copy it from scripts/ of Backstay into $(directory_of "$0")" >&2
    exit 3
fi
case ${1:-} in
-h | --help) printf '%s [OPTIONS] ARGUMENTS is %s --archived-logs [OPTIONS] ARGUMENTS:\n\n' "$PROGRAM" "$RUNS" ;;
esac
exec sh "$script" --archived-logs "$@"
