# shellcheck shell=dash
# brbackup and brarchive on a real tape drive with a changer, with stock mt, mtx and cpio.
#
# kit.tar, beside this script, has the programs. The library of the host has the slots 1 to 3 with tapes of 100 MB and slot
# 4 with one of 10 MB; a second target has a drive that refuses to write. PORT is where the library listens.
set -u
# busybox's shell prefers its own cpio, dd and mt to those of the path; dash takes what a database host has.
if [ -z "${KIT:-}" ]; then
    tar xf kit.tar -C / || exit 1
    export KIT=/kit/bin PATH=/kit/bin:$PATH
    exec /kit/bin/sh ./script
fi
work=/tmp/work
mkdir $work && cd $work || exit 1

fail() {
    printf 'FAILED: %s\n' "$*"
    [ ! -e $work/said ] || { grep '^BR[0-9]*[WE]' $work/said; tail -n 60 $work/said; }
    exit 1
}

say() { printf '== %s\n' "$*"; }

# ends_with CODE COMMAND…: what it says is in `said`.
ends_with() {
    code=$1
    shift
    "$@" >$work/said 2>&1
    found=$?
    [ "$found" -eq "$code" ] || fail "$* ended with $found, not with $code"
}

says() { grep -qF -- "$1" $work/said || fail "'$1' is not said"; }

attach() {
    iscsistart -i iqn.2026-11.test:guest -t "$1" -g 1 -a 10.0.2.2 -p "$PORT" >/dev/null 2>&1 || fail "no target $1"
}

# device TYPE: the newest generic SCSI device of a type (1 tape, 8 changer).
device() {
    for generic in /sys/class/scsi_generic/*; do
        [ "$(cat "$generic/device/type")" = "$1" ] && echo "/dev/${generic##*/}"
    done | tail -n 1
}

wait_for() {
    tries=0
    until [ -e "$1" ]; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || fail "$1 does not appear"
        sleep 0.1
    done
}

modprobe -a iscsi_tcp st sg || fail 'modules'
attach iqn.2026-11.test:library
wait_for /dev/nst0
sleep 1
changer=$(device 8)
[ "$changer" ] || fail 'no changer'

load() { mtx -f "$changer" load "$1" 0 >/dev/null 2>&1 || fail "loading slot $1"; }
unload() { mtx -f "$changer" unload "$1" 0 >/dev/null 2>&1 || fail "unloading to slot $1"; }

# go_to POSITION: with the stock mt.
go_to() {
    mt -f /dev/nst0 rewind || fail 'mt rewind'
    [ "$1" -eq 1 ] || mt -f /dev/nst0 fsf $(($1 - 1)) || fail "mt to $1"
}

say 'a practice database that is down'
export ORACLE_SID=SND ORACLE_HOME=/tmp/home SAPDATA_HOME=/tmp/home
backstay practice create --home $ORACLE_HOME --size 64MiB >/dev/null 2>&1 || fail 'create'
backstay install-links $ORACLE_HOME/bin >/dev/null || fail 'links'
export PATH=$ORACLE_HOME/bin:$PATH
grep -vE '^(backup_dev_type|tape_|rewind|volume_|expir|archive_function)' $ORACLE_HOME/dbs/initSND.sap >$ORACLE_HOME/dbs/initBASE.sap
cat >>$ORACLE_HOME/dbs/initBASE.sap <<'P'
tape_copy_cmd = cpio
cpio_flags = -ovB
cpio_in_flags = -iuvB
rewind = "mt -f $ rewind"
rewind_offline = "mt -f $ rewind"
tape_pos_cmd = "mt -f $ fsf $"
tape_address = /dev/nst0
tape_address_rew = /dev/st0
volume_backup = (SNDB01, SNDB02, SNDB03)
volume_archive = (SNDA01)
archive_function = save_delete
P
# profile NAME LINE…: the profile with more lines.
profile() {
    name=$1
    shift
    { cat $ORACLE_HOME/dbs/initBASE.sap && printf '%s\n' "$@"; } >"$ORACLE_HOME/dbs/$name"
}
profile hand.sap 'backup_dev_type = tape'
profile free.sap 'backup_dev_type = tape' 'expir_period = 0'

say 'a tape without a label'
load 1
ends_with 5 brbackup -p hand.sap -t offline -m system -c
says 'BR9050E Volume in device /dev/nst0 has no label'
says BR0236I

say 'SCRATCH becomes what is wanted'
ends_with 1 brbackup -p hand.sap -i force -v SCRATCH -c
ends_with 0 brbackup -p hand.sap -t offline -m system -c
says 'BR0242I Scratch volume in device /dev/nst0 will be renamed to SNDB01'
says '#SAVED.... system.data1 SNDB01/4'
ends_with 0 brbackup -p hand.sap -i show -c
says 'volume          SNDB01'

say 'the wrong volume, a locked one, one whose time is over'
ends_with 5 brbackup -p hand.sap -t offline -m system -c
says 'BR0216E Volume in device /dev/nst0 has name SNDB01, SNDB02 is required'
ends_with 5 brbackup -p hand.sap -t offline -m system -c -v SCRATCH
says 'BR0217E Volume SNDB01'
ends_with 0 brbackup -p free.sap -t offline -m system -c -v SNDB01
unload 1

say 'two more labels, then the database over two volumes with the changer as a box'
slot=1
for volume in SNDB01 SNDB02 SNDB03; do
    load $slot
    ends_with 1 brbackup -p hand.sap -i force -v $volume -c
    unload $slot
    echo "$volume $slot" >>slots
    slot=$((slot + 1))
done
cat >mount <<M
#!/bin/sh
# <SID>-B <changer> <volume>
echo "#INFO mounting \$3"
mtx -f "\$2" load "\$(sed -n "s/^\$3 //p" $work/slots)" 0 >/dev/null 2>&1
M
cat >dismount <<M
#!/bin/sh
# <SID>-B <changer>: back to where it came from
from=\$(mtx -f "\$2" status 2>/dev/null | sed -n 's/.*Transfer Element 0:Full (Storage Element \([0-9]*\) Loaded).*/\1/p')
mtx -f "\$2" unload "\$from" 0 >/dev/null 2>&1
M
chmod +x mount dismount
profile box.sap 'backup_dev_type = tape_box' 'tape_size = 80M' 'expir_period = 0' "tape_address_ctl = $changer" \
    "mount_cmd = \"$work/mount \$ \$ \$\"" "dismount_cmd = \"$work/dismount \$ \$\""
ends_with 0 brbackup -p box.sap -t offline -m all -c -v SNDB01,SNDB02,SNDB03
says 'BR0208I Volume with name SNDB02 required in device /dev/nst0'
cp said backup

say 'every file comes back with mt and cpio, byte for byte'
mkdir restored
files=0
for volume in SNDB01 SNDB02; do
    load "$(sed -n "s/^$volume //p" slots)"
    awk -v volume="$volume" '/^#FILE/ { file = $2 } /^#SAVED/ { split($3, place, "/"); if (place[1] == volume) print file, place[2] }' backup >places
    [ -s places ] || fail "nothing is on $volume"
    while read -r file position; do
        go_to "$position"
        (cd restored && cpio -iuvB </dev/nst0) >said 2>&1 || fail "cpio of $file"
        cmp "$file" "restored/${file##*/}" || fail "$file differs"
        rm "restored/${file##*/}"
        files=$((files + 1))
    done <places
    unload "$(sed -n "s/^$volume //p" slots)"
done
[ "$files" -eq 12 ] || fail "$files files came back"

say 'the end of a tape'
load 4
ends_with 1 brbackup -p hand.sap -i force -v SNDB03 -c
ends_with 5 brbackup -p free.sap -t offline -m all -c -v SNDB03
says 'has come to its end'
unload 4

say 'redo logs to tape, read back from it and deleted'
echo startup | sqlplus -S / as sysdba >/dev/null || fail 'startup'
for _ in 1 2 3; do
    echo 'alter system archive log current;' | sqlplus -S / as sysdba >/dev/null
done
load 3
ends_with 1 brarchive -p hand.sap -i force -v SNDA01 -c
cp -r $ORACLE_HOME/saparch originals
ends_with 0 brarchive -p hand.sap -c
cp said archived
for original in "$ORACLE_HOME"/saparch/*.dbf; do
    [ ! -e "$original" ] || fail "$original is left"
done
awk '/^#ARCHIVE/ { file = $2 } /^#SAVED/ { split($3, place, "/"); print file, place[2] }' archived >places
[ "$(wc -l <places)" -ge 3 ] || fail 'too few logs'
while read -r file position; do
    go_to "$position"
    (cd restored && cpio -iuvB </dev/nst0) >said 2>&1 || fail "cpio of $file"
    cmp "originals/${file##*/}" "restored/${file##*/}" || fail "$file differs"
done <places
unload 3

say 'brbackup and brarchive on one volume'
load 2
ends_with 0 brbackup -p free.sap -t online -m all -c -v SNDB02 -a -sd -c
archived=$(sed -n 's|^#SAVED.... SNDarch1_[0-9]*.dbf SNDB02/||p' said | head -n 1)
[ "$archived" = 13 ] || fail "the first redo log is at position '$archived'"
unload 2

say 'a drive that does not write'
attach iqn.2026-11.test:protected
wait_for /dev/nst1
profile protected.sap 'backup_dev_type = tape' 'tape_address = /dev/nst1' 'tape_address_rew = /dev/st1'
ends_with 5 brbackup -p protected.sap -i force -v SNDB09 -c
says 'BR0220E Volume in device /dev/nst1 is write-protected'
echo 'shutdown immediate' | sqlplus -S / as sysdba >/dev/null
say "done: $files files"
