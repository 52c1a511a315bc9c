#!/bin/sh
# Plays sqlplus for tests/sqlplus.rs. ORACLE_SID chooses the misbehaviour; with NOTES, what was heard goes to $ORACLE_HOME/notes.
NOTES=; [ "$ORACLE_SID" != NOTES ] || NOTES="$ORACLE_HOME/notes"
case "$ORACLE_SID" in
NOISY)
    printf 'motd: welcome to host\nORA-99999: from a login script\n|stray|row|\n'
    ;;
esac
[ "$1 $2 $3" = "-S -L /nolog" ] || { echo "wrong options: $*"; exit 9; }
while IFS= read -r line; do
    [ -z "$NOTES" ] || printf '%s\n' "$line" >>"$NOTES"
    case "$line" in
    "PROMPT ##"*)
        [ "$ORACLE_SID" != ECHO ] || printf 'SQL> %s\nSQL> ' "$line"
        printf '%s\n' "${line#PROMPT }"
        ;;
    "connect / as sysdba")
        case "$ORACLE_SID" in
        REFUSED) printf 'ERROR:\nORA-01031: insufficient privileges\n' ;;
        IDLE) echo 'Connected to an idle instance.' ;;
        esac
        ;;
    "SET "* | "WHENEVER "*) ;;
    "hang;")
        sleep 600 &
        [ -z "$NOTES" ] || echo "$!" >>"$NOTES"
        wait
        ;;
    "die;")
        echo 'half an ans'
        echo 'a complaint' >&2
        exit 7
        ;;
    "die by signal;") kill -9 $$ ;;
    "flood;") yes '|x|' ;;
    "flood without line ends;") yes x | tr -d '\n' ;;
    "latin1;") printf 'caf\351\n' ;;
    "fail;") printf 'fail\n*\nERROR at line 1:\nORA-01123: cannot start online backup; media recovery not enabled\n' ;;
    "unknown;") echo 'SP2-0734: unknown command beginning "unknown" - rest of line ignored.' ;;
    "environment;") printf '%s %s %s %s\n' "$ORACLE_HOME" "$ORACLE_SID" "$NLS_LANG" "$NLS_DATE_FORMAT" ;;
    "FROM v\$tablespace;") printf '|0|SYSTEM|\n|1|a\\pb\\nc\\\\|\n|2|\\z|\n' ;;
    "FROM noise;") printf '|0|\nno row\n' ;;
    "FROM broken;") printf '|0|\nORA-01555: snapshot too old\n' ;;
    "EXIT") exit 0 ;;
    esac
done
