#!/bin/sh
# Stamps two files in turn with a growing number, each stamp on the server's disk before the next begins, until a file
# "end" appears on the export. Whatever froze the export at one instant holds n in "left" and n or n-1 in "right".
#
# Settings: EXPORT, PORT.
# shellcheck shell=dash
set -eu
SCRIPT=stamp
. ./mount.sh

# stamp FILE NUMBER: over the start of the file, which is never empty meanwhile.
stamp() { printf '%012d\n' "$2" 1<>"$1" || fail "stamping $1 with $2"; }

# Without caches: a write returns when the server has it on disk, and "end" is seen at once.
MOUNT_OPTIONS=noac
attach
cd "$mountpoint"
number=0
stamp left 0
stamp right 0
say 'stamping'
while [ ! -e end ]; do
    number=$((number + 1))
    stamp left "$number"
    stamp right "$number"
done
[ "$(cat left) $(cat right)" = "$(printf '%012d %012d' "$number" "$number")" ] || fail 'the last stamps are not there'
detach
say "stamped to $number"
