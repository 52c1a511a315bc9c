//! The system calls that `rustix` does not have: kernel file handles, and the identity of one thread.
//! What lives here: all unsafe code of the crate, each call with its proof. What does not: any decision.
#![expect(
    unsafe_code,
    reason = "file handles, per-thread identity and the inode's generation have no safe wrapper in rustix"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::fs::{Access, OFlags};
use rustix::io::Errno;

/// Bytes of the longest kernel handle that is passed on. ext4, xfs, btrfs, tmpfs and ZFS need 8 to 22.
pub(crate) const HANDLE_BYTES_MAX: usize = 32;

/// A file as the kernel names it: it outlives renames and restarts, and never names another file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct KernelHandle {
    kind: i32,
    length: u8,
    bytes: [u8; HANDLE_BYTES_MAX],
}

impl KernelHandle {
    /// None: longer than any that [`handle_of`] gives.
    pub(crate) fn new(kind: i32, handle: &[u8]) -> Option<KernelHandle> {
        let mut bytes = [0; HANDLE_BYTES_MAX];
        bytes.get_mut(..handle.len())?.copy_from_slice(handle);
        let length = u8::try_from(handle.len()).ok()?;
        Some(KernelHandle {
            kind,
            length,
            bytes,
        })
    }

    pub(crate) fn kind(&self) -> i32 {
        self.kind
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

/// `struct file_handle` with room for its bytes.
#[repr(C)]
struct FileHandle {
    length: u32,
    kind: i32,
    bytes: [u8; HANDLE_BYTES_MAX],
}

/// The handle of an open file or directory. `EOVERFLOW`: longer than this crate passes on; `EOPNOTSUPP`: the file system
/// has none.
pub(crate) fn handle_of(file: impl AsFd) -> io::Result<KernelHandle> {
    let mut handle = FileHandle {
        length: HANDLE_BYTES_MAX as u32,
        kind: 0,
        bytes: [0; HANDLE_BYTES_MAX],
    };
    let mut mount_id: libc::c_int = 0;
    // SAFETY: the path is an empty string that ends with NUL; the kernel writes at most `length` bytes behind the two
    // numbers, which is the room there is, and one int into `mount_id`. All three outlive the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            file.as_fd().as_raw_fd(),
            c"".as_ptr(),
            &raw mut handle,
            &raw mut mount_id,
            libc::AT_EMPTY_PATH,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    usize::try_from(handle.length)
        .ok()
        .and_then(|length| handle.bytes.get(..length))
        .and_then(|bytes| KernelHandle::new(handle.kind, bytes))
        .ok_or_else(|| io::Error::from_raw_os_error(libc::EOVERFLOW))
}

/// Opens the file that the handle names, in the file system of `mount`. Needs CAP_DAC_READ_SEARCH. `ESTALE`: it is gone.
pub(crate) fn open_handle(
    mount: impl AsFd,
    handle: &KernelHandle,
    flags: OFlags,
) -> io::Result<OwnedFd> {
    let mut named = FileHandle {
        length: u32::from(handle.length),
        kind: handle.kind,
        bytes: handle.bytes,
    };
    let flags = flags.union(OFlags::CLOEXEC).bits() as libc::c_int;
    // SAFETY: the kernel reads `length` bytes behind the two numbers, which are there: KernelHandle::new saw to it.
    let opened = unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            mount.as_fd().as_raw_fd(),
            &raw mut named,
            flags,
        )
    };
    match libc::c_int::try_from(opened) {
        // SAFETY: the kernel has just made this descriptor, and nobody else knows of it.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The generation of the inode: it tells a file from a later one with the same inode number. None: the file system does
/// not say.
pub(crate) fn generation(file: impl AsFd) -> Option<u32> {
    let mut generation: libc::c_long = 0;
    // SAFETY: the request writes an int (or, where documented so, a long) to the address, and there is room for a long.
    let done = unsafe {
        libc::ioctl(
            file.as_fd().as_raw_fd(),
            libc::FS_IOC_GETVERSION as _,
            &raw mut generation,
        )
    };
    // The int lies in the first four bytes, in the order of the machine.
    let bytes = generation.to_ne_bytes();
    (done == 0).then(|| u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// Sets user, group and further groups that the file system sees in what this thread does, and reads them back.
///
/// Other threads keep theirs. With a user other than 0 the kernel takes the file system capabilities from this thread,
/// with user 0 it gives them back.
pub(crate) fn set_thread_identity(user: u32, group: u32, groups: &[u32]) -> io::Result<()> {
    // With the number of nobody the calls below would change nothing and leave the thread root.
    if user == u32::MAX || group == u32::MAX {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: setfsuid takes and gives numbers. It is the first to go to 0, because the other two need that power.
    unsafe { libc::setfsuid(0) };
    // SAFETY: the kernel reads `len` numbers, and the slice has as many. This is the bare system call, which is for this
    // thread alone; the function of the C library would change all threads.
    let set = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    if set != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: numbers in, numbers out. A call with -1 changes nothing and says what is set.
    let (now_user, now_group) = unsafe {
        libc::setfsgid(group);
        libc::setfsuid(user);
        (libc::setfsuid(u32::MAX), libc::setfsgid(u32::MAX))
    };
    if now_user as u32 == user && now_group as u32 == group {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EPERM))
    }
}

/// The user that the file system sees in what this thread does.
pub(crate) fn thread_user() -> u32 {
    // SAFETY: a number in, a number out. With -1 the call changes nothing and says what is set.
    let user = unsafe { libc::setfsuid(u32::MAX) };
    user as u32
}

/// Whether the user that this thread acts as may do this with an open file; access lists count. `rustix` has the call
/// without the flags that make it mean this.
pub(crate) fn access(file: impl AsFd, right: Access) -> Result<(), Errno> {
    // SAFETY: the path is an empty string that ends with NUL, and the kernel writes nothing.
    let granted = unsafe {
        libc::syscall(
            libc::SYS_faccessat2,
            file.as_fd().as_raw_fd(),
            c"".as_ptr(),
            right.bits() as libc::c_int,
            libc::AT_EMPTY_PATH | libc::AT_EACCESS,
        )
    };
    if granted == 0 {
        return Ok(());
    }
    Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO))
}

/// Gives this thread a file creation mask of its own, and sets it to 0: modes are the clients' business.
pub(crate) fn clear_thread_creation_mask() -> io::Result<()> {
    // SAFETY: unsharing the file system attributes concerns this thread alone: root directory, working directory, mask.
    // The crate uses no path relative to the working directory.
    if unsafe { libc::unshare(libc::CLONE_FS) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a number in, a number out.
    unsafe { libc::umask(0) };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_leads_back_to_its_file_and_nowhere_after_it_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let mount = std::fs::File::open(directory.path()).unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, "content").unwrap();
        let handle = handle_of(std::fs::File::open(&path).unwrap()).unwrap();
        std::fs::rename(&path, directory.path().join("b")).unwrap();
        let opened = open_handle(&mount, &handle, OFlags::RDONLY).unwrap();
        assert_eq!(
            std::io::read_to_string(std::fs::File::from(opened)).unwrap(),
            "content"
        );
        std::fs::remove_file(directory.path().join("b")).unwrap();
        let gone = open_handle(&mount, &handle, OFlags::RDONLY).unwrap_err();
        assert_eq!(gone.raw_os_error(), Some(libc::ESTALE));
    }

    #[test]
    fn the_identity_of_a_thread_is_its_own_and_nobody_is_refused() {
        std::thread::spawn(|| {
            set_thread_identity(4711, 4712, &[4713]).unwrap();
            let made = tempfile::tempfile_in("/dev/shm").unwrap();
            let stat = rustix::fs::fstat(&made).unwrap();
            assert_eq!((stat.st_uid, stat.st_gid), (4711, 4712));
            assert!(set_thread_identity(u32::MAX, 1, &[]).is_err());
            set_thread_identity(0, 0, &[]).unwrap();
        })
        .join()
        .unwrap();
        let made = tempfile::tempfile_in("/dev/shm").unwrap();
        assert_eq!(rustix::fs::fstat(&made).unwrap().st_uid, 0);
    }
}
