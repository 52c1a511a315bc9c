#!/bin/sh
# Makes a tree on the export with everything that a database host and its tools do to files, and checks it: what was
# written is what is read, also after the export was mounted anew. Then prints what the exported directory must hold.
#
# Settings: EXPORT, PORT; SIZE_MIB, about what is written altogether (default 96); SMALL_FILES (default 3000).
#
# The manifest is what stands between "manifest" and "end of the manifest", fields divided by tabs:
#   file    SHA-256    bytes    mode    links    path below the export
#   link    target    path
#   directory    mode    path
# shellcheck shell=dash
set -eu
SCRIPT=tree
. ./mount.sh
: "${SIZE_MIB:=96}" "${SMALL_FILES:=3000}"
part=$((SIZE_MIB / 8))
[ "$part" -ge 4 ] || fail 'SIZE_MIB must be 32 at least'

# sum FILE: its SHA-256.
sum() { sha256sum "$1" | cut -d ' ' -f 1; }

# equal FILE FILE WHAT
equal() { [ "$(sum "$1")" = "$(sum "$2")" ] || fail "$3: $1 and $2 differ"; }

# bytes FILE NUMBER: it has so many.
bytes() { [ "$(stat -c %s "$1")" = "$2" ] || fail "$1 has $(stat -c %s "$1") bytes, not $2"; }

# refused COMMAND…: it must fail.
refused() {
    if "$@" 2>/dev/null; then fail "succeeded, and must not: $*"; fi
}

# Half of it by dd and cp, in whole and in odd blocks, a quarter past the cache.
large_files() {
    mkdir -p data/copies
    dd if=/dev/urandom of=/tmp/source bs=1M count="$part" 2>/dev/null
    dd if=/tmp/source of=data/first bs=1M conv=fsync 2>/dev/null
    dd if=/tmp/source of=data/odd bs=7777 2>/dev/null
    dd if=/tmp/source of=data/direct bs=1M oflag=direct 2>/dev/null
    dd if=data/first of=data/small_direct bs=64k iflag=direct oflag=direct 2>/dev/null
    cp data/first data/copies/second
    cp -p data/odd data/copies/third
    cp -R data/copies data/moved
    for file in data/first data/odd data/direct data/small_direct data/copies/second data/copies/third; do
        equal /tmp/source "$file" 'written and read'
    done
    rm /tmp/source
}

# Names: moved within a directory, across, over another file; hard and symbolic links; what must be refused.
names() {
    mkdir -p names/a names/b
    echo one >names/a/one
    echo two >names/b/two
    mv names/a/one names/a/uno
    mv names/a/uno names/b/one
    mv names/b/one names/b/two
    [ "$(cat names/b/two)" = one ] || fail 'a file moved over another is not that file'
    [ ! -e names/b/one ] || fail 'a moved file is still where it was'
    mkdir names/c
    mv names/c names/b/c
    ln data/first names/hard
    [ "$(stat -c '%h %i' data/first)" = "$(stat -c '%h %i' names/hard)" ] || fail 'a hard link is another file'
    [ "$(stat -c %h names/hard)" = 2 ] || fail 'a hard link is not counted'
    ln -s ../data/first names/soft
    equal data/first names/soft 'through a symbolic link'
    ln -s 'no where' names/dangling
    [ "$(readlink names/dangling)" = 'no where' ] || fail 'a symbolic link leads elsewhere'
    mkdir 'names/two words' names/…
    echo x >"names/$(head -c 240 /dev/zero | tr '\0' n)"
    refused mkdir names/a
    refused rmdir names/b
    refused ln names/hard names/soft
    refused dd if=/dev/zero of="names/$(head -c 256 /dev/zero | tr '\0' n)" count=1
    refused mv names/b names/b/c/b
}

# Lengths: shorter, longer, a hole, over the start, at the end, far beyond what 32 bits count.
lengths() {
    mkdir lengths
    dd if=/dev/urandom of=lengths/shorter bs=1M count=1 2>/dev/null
    head -c 300001 lengths/shorter >/tmp/shorter
    truncate -s 300001 lengths/shorter
    equal /tmp/shorter lengths/shorter 'made shorter'
    truncate -s 1000003 lengths/shorter
    truncate -s 1000003 /tmp/shorter
    equal /tmp/shorter lengths/shorter 'made longer'
    printf 'over the start' | dd of=lengths/shorter conv=notrunc 2>/dev/null
    echo 'at the end' >>lengths/shorter
    bytes lengths/shorter 1000014
    [ "$(head -c 14 lengths/shorter)" = 'over the start' ] || fail 'written over the start, and not there'
    dd if=/dev/urandom of=lengths/hole bs=4k count=3 seek=100 2>/dev/null
    bytes lengths/hole $((103 * 4096))
    : >lengths/empty
    echo far | dd of=lengths/far bs=1M seek=307200 2>/dev/null
    bytes lengths/far $((307200 * 1048576 + 4))
    forget
    [ "$(dd if=lengths/far bs=1M skip=307200 2>/dev/null)" = far ] || fail 'written at 300 GiB, and not there'
    truncate -s 65536 lengths/far
}

# A file without a name stays as long as it is open.
removed_while_open() {
    echo 'still here' >open
    exec 3<>open
    rm open
    [ "$(cat <&3)" = 'still here' ] || fail 'a removed file that is open is gone'
    exec 3<&-
    [ -z "$(find . -name '.nfs*')" ] || fail 'what replaced the removed file is still there'
}

attributes() {
    mkdir attributes
    echo x >attributes/file
    chmod 4750 attributes/file
    chown 1234:5678 attributes/file
    chmod 4750 attributes/file
    touch -d '2001-02-03 04:05:06' attributes/file
    forget
    [ "$(stat -c '%a %u %g %Y' attributes/file)" = '4750 1234 5678 981173106' ] ||
        fail "mode, owner, group and time are $(stat -c '%a %u %g %Y' attributes/file)"
}

# Many in one directory: listing them takes many calls. A tenth is moved, a tenth removed.
small_files() {
    mkdir small moved
    local number=0
    while [ "$number" -lt "$SMALL_FILES" ]; do
        printf '%0*d\n' "$((number % 4000 + 1))" "$number" >"small/$number"
        number=$((number + 1))
    done
    [ "$(find small -type f | wc -l)" = "$SMALL_FILES" ] || fail "small holds $(find small -type f | wc -l) files"
    mv small/*7 moved/
    rm small/*3
    [ "$(find small moved -type f | wc -l)" = "$((SMALL_FILES - SMALL_FILES / 10))" ] ||
        fail "$(find small moved -type f | wc -l) files are left"
}

# sums: of all files, by name.
sums() { find . -type f -exec sha256sum {} + | sort -k 2; }

manifest() {
    echo manifest
    # shellcheck disable=SC2016 # awk's own variables
    find . -type f -exec stat -c '%s %a %h %n' {} + |
        awk -v sums=/tmp/after '
            BEGIN { while ((getline line < sums) > 0) sum[substr(line, 67)] = substr(line, 1, 64) }
            { path = $0; sub(/^[0-9]+ [0-7]+ [0-9]+ /, "", path)
              printf "file\t%s\t%s\t%s\t%s\t%s\n", sum[path], $1, $2, $3, substr(path, 3) }'
    find . -type l | while read -r path; do
        printf 'link\t%s\t%s\n' "$(readlink "$path")" "${path#./}"
    done
    find . -mindepth 1 -type d | while read -r path; do
        printf 'directory\t%s\t%s\n' "$(stat -c %a "$path")" "${path#./}"
    done
    echo 'end of the manifest'
}

attach
cd "$mountpoint"
[ -z "$(ls -A)" ] || fail 'the export is not empty'
for step in large_files names lengths removed_while_open attributes small_files; do
    say "$step"
    "$step"
done
say 'checksums before'
sums >/tmp/before
forget
say 'checksums after'
sums >/tmp/after
cmp -s /tmp/before /tmp/after || fail "after mounting anew: $(diff /tmp/before /tmp/after | head -n 10)"
manifest
detach
say "$(wc -l </tmp/after) files are what was written"
