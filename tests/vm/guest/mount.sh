# The mount of an export, as a database host does it: NFSv3 over TCP, hard, so that no command ever sees a server's pause
# as an error. For the scripts beside it, which tests/vm/run runs in the guest with this file beside them.
# shellcheck shell=dash

# The export's path and the port where this machine's server answers NFS and MOUNT.
: "${EXPORT:?is the path of the export}" "${PORT:?is the port of the server}"
# The other server that the scripts were tried with has a port of its own for MOUNT.
: "${MOUNT_PORT:=$PORT}"
mountpoint=/mnt
script=${SCRIPT:-guest}
modprobe nfsv3

# say TEXT: a line with the seconds since the guest was switched on.
say() { echo "$script: $(cut -d ' ' -f 1 /proc/uptime) s: $*"; }

# fail TEXT: the end.
fail() {
    say "FAILED: $*"
    exit 1
}

# attach: mounts the export, with MOUNT_OPTIONS more; no locks, for these need one program more on the server.
attach() {
    mount -t nfs -o "vers=3,tcp,hard,nolock,port=$PORT,mountport=$MOUNT_PORT,mountproto=tcp,addr=10.0.2.2,mountaddr=10.0.2.2,rsize=1048576,wsize=1048576${MOUNT_OPTIONS:+,$MOUNT_OPTIONS}" \
        "10.0.2.2:$EXPORT" "$mountpoint" || fail "cannot mount $EXPORT from port $PORT"
}

detach() {
    cd /given || fail 'no directory /given'
    umount "$mountpoint" || fail 'cannot unmount'
}

# forget: unmounts and mounts again and goes there: nothing of the export is cached in the guest any more.
forget() {
    detach
    echo 3 >/proc/sys/vm/drop_caches
    attach
    cd "$mountpoint" || fail "no directory $mountpoint"
}
