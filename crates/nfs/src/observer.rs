//! Telling the owner of the server what changes.
//! What lives here: the interface. What does not: what is done with it.

/// A file, for as long as it exists and never again: inode numbers are given to new files, generations are not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileKey {
    /// Number of the inode.
    pub inode: u64,
    /// Its generation; 0 where the file system does not say.
    pub generation: u32,
}

/// Is told of every change that comes through the server.
///
/// It is called on the path of the data, before the change is made and inside what [`Exports::quiesce`] holds back: what is
/// in a snapshot was told before. A change that was told may still fail. Whoever implements it must be quick, and must not
/// call [`Exports`], which could wait for the very call it is in.
///
/// [`Exports`]: crate::Exports
/// [`Exports::quiesce`]: crate::Exports::quiesce
pub trait ChangeObserver: Send + Sync {
    /// So many bytes from `offset` on get another content; truncating counts as well, with the bytes cut off.
    fn written(&self, export: u64, file: FileKey, offset: u64, bytes: u64);

    /// Names, attributes or sizes change.
    fn changed(&self, export: u64);
}
