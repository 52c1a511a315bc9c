//! Memory for packs, which come and go by the dozen and are 16 MiB each.
//! What lives here: buffers that the system has back as soon as they are dropped. What does not: how many there are.

/// glibc takes what is longer than 32 MiB from the system and gives it back; what is shorter it keeps, after the first of
/// its length, in an arena of the thread, and there may be as many of these as threads. A store that holds seven packs
/// would have the memory of fifteen. What is not written to takes none.
const BY_ITSELF: usize = 33 << 20;
/// What is shorter may well be kept.
const LARGE: usize = 1 << 20;

/// An empty buffer for so many bytes.
pub(crate) fn room(bytes: usize) -> Vec<u8> {
    Vec::with_capacity(if bytes < LARGE {
        bytes
    } else {
        bytes.max(BY_ITSELF)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_what_was_asked_and_large_ones_stand_by_themselves() {
        for bytes in [0, 100, LARGE - 1] {
            assert!((bytes..LARGE).contains(&room(bytes).capacity()));
        }
        for bytes in [LARGE, BY_ITSELF, BY_ITSELF + 1] {
            assert!(room(bytes).capacity() >= bytes.max(BY_ITSELF));
        }
    }
}
