#!/bin/sh
# Writes files on the export, or writes over blocks of 8 KiB of files that are there, in place and nothing else; then says
# what the files must hold.
#
# Settings: EXPORT, PORT; FILES, "NAME:BLOCKS …", makes files of so many random blocks; BLOCKS, "NAME:NUMBER …", writes
# random bytes over these blocks, numbered from 0.
#
# Prints between "sums" and "end of the sums", for each file, its SHA-256, two blanks and its name.
# shellcheck shell=dash
set -eu
SCRIPT=blocks
. ./mount.sh
: "${FILES:=}" "${BLOCKS:=}"

attach
cd "$mountpoint"
for wanted in $FILES; do
    dd if=/dev/urandom of="${wanted%:*}" bs=8k count="${wanted##*:}" conv=fsync 2>/dev/null || fail "making $wanted"
done
for wanted in $BLOCKS; do
    [ -f "${wanted%:*}" ] || fail "there is no file ${wanted%:*}"
    dd if=/dev/urandom of="${wanted%:*}" bs=8k count=1 seek="${wanted##*:}" conv=notrunc 2>/dev/null ||
        fail "writing $wanted"
done
sha256sum ./* >/tmp/before
forget
sha256sum ./* >/tmp/after
cmp -s /tmp/before /tmp/after || fail "after mounting anew: $(diff /tmp/before /tmp/after | head -n 10)"
echo sums
sed 's|  \./|  |' /tmp/after
echo 'end of the sums'
detach
