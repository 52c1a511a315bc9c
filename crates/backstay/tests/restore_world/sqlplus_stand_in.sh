#!/bin/sh
# Stands in for Oracle's sqlplus: answers the queries of the restore script from the files of rman_stand_in.sh.
set -u
database=${ORACLE_HOME%/*}/database
state=$(cat "$STAND_IN/state")

rows() {
    while IFS= read -r row; do
        printf '<%s>\n' "$row"
    done
}

[ "${STAND_IN_SQLPLUS:-good}" != fails ] || { echo 'ORA-01034: ORACLE not available' && exit 1; }
while IFS= read -r line; do
    case $line in
    *v\$parameter*) printf '%s\n' "${STAND_IN_CONTROL_FILES:-$database/control01.ctl, $database/control02.ctl}" | rows ;;
    *v\$*)
        case $state in
        mounted | open) ;;
        *) echo 'ORA-01507: database not mounted' && exit 1 ;;
        esac
        case $line in
        *v\$datafile*'in (2)'*) sed -n 2p "$STAND_IN/datafiles" | rows ;;
        *v\$datafile*'in ('*) rows </dev/null ;;
        *v\$datafile*) rows <"$STAND_IN/datafiles" ;;
        *v\$logfile*) printf '%s\n' "$database/redo01.log" | rows ;;
        *v\$archived_log*) printf '%s\n' "${STAND_IN_LATER_LOG:-}" | rows ;;
        *v\$backup_redolog*)
            [ "${STAND_IN_RMAN:-good}" != later-log-unknown ] || { echo 'ORA-03113: end-of-file on communication channel' && exit 1; }
            printf '%s\n' "${STAND_IN_LATER_BACKED_UP_LOG:-}" | rows
            ;;
        *v\$archive_dest*) printf '%s\n' "${STAND_IN_ARCHIVE:-$database/archive}" USE_DB_RECOVERY_FILE_DEST standby '' | rows ;;
        *v\$tempfile*) printf '%s\n' "${STAND_IN_TEMPFILE:-$database/temp.dbf}" | rows ;;
        esac
        ;;
    *'that is all'*) [ "${STAND_IN_SQLPLUS:-good}" = cut-off ] || echo 'that is all' ;;
    esac
done
