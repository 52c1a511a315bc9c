#!/bin/sh
# Writes a file with dd and copies it with cp while the server may be killed and restarted at any moment: a hard mount
# waits, no command may see an error, and what is there in the end is what was written.
#
# Settings: EXPORT, PORT; SIZE_MIB of each of the two files, "written" and "copied" (default 128).
# shellcheck shell=dash
set -eu
SCRIPT=endure
. ./mount.sh
: "${SIZE_MIB:=128}"

# The source is smaller than the files: the guest keeps it in memory. A number before each turn makes every turn differ.
turn_mib=16
source_of_all() {
    local turn=0
    while [ "$turn" -lt $((SIZE_MIB / turn_mib)) ]; do
        printf '%016d' "$turn"
        cat /tmp/source
        turn=$((turn + 1))
    done
}

[ "$SIZE_MIB" -ge "$turn_mib" ] || fail "SIZE_MIB must be $turn_mib at least"
dd if=/dev/urandom of=/tmp/source bs=1M count="$turn_mib" 2>/dev/null
wanted=$(source_of_all | sha256sum)
attach
cd "$mountpoint"
say 'writing'
source_of_all | dd of=written bs=64k conv=fsync 2>/tmp/words || fail "dd: $(cat /tmp/words)"
say 'copying'
cp written copied || fail 'cp'
say 'reading'
forget
for file in written copied; do
    [ "$(sha256sum <$file)" = "$wanted" ] || fail "$file is not what was written"
done
detach
say 'both files are what was written'
