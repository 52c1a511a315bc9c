//! The buffer cache: fewer frames than the database has blocks, clean ones given up by a clock hand.
//! What lives here: frames, which of them are dirty and since when. What does not: reading, writing, redo.
//!
//! Order is kept with *tickets*: every redo record gets the next number. A frame knows the ticket of its first change
//! that is not on disk and of its last change; the writer may write it only when the redo up to the last one is durable.

use std::collections::HashMap;

use crate::content::BLOCK_BYTES;

/// One block in memory.
#[derive(Debug)]
pub struct Frame {
    /// FILE# and block; None for a frame never used.
    pub place: Option<(u32, u32)>,
    /// The block.
    pub bytes: Box<[u8]>,
    /// Ticket of the oldest change that the file does not have.
    pub first_change: Option<u64>,
    /// Ticket of the newest change.
    pub last_change: u64,
    /// The writer has taken a copy and is writing it.
    pub in_flight: bool,
    /// First change since that copy was taken.
    pub changed_in_flight: Option<u64>,
    /// Backup epoch for which the whole block is in the redo already.
    pub imaged_epoch: u64,
    /// Changes being prepared hold the frame.
    pub pins: u32,
    referenced: bool,
}

/// The cache.
#[derive(Debug)]
pub struct Cache {
    frames: Vec<Frame>,
    map: HashMap<(u32, u32), usize>,
    hand: usize,
    dirty: usize,
}

impl Cache {
    /// A cache of this many bytes, at least 256 frames.
    pub fn new(bytes: u64) -> Cache {
        let count = (bytes as usize / BLOCK_BYTES).max(256);
        let frames = (0..count)
            .map(|_| Frame {
                place: None,
                bytes: vec![0; BLOCK_BYTES].into_boxed_slice(),
                first_change: None,
                last_change: 0,
                in_flight: false,
                changed_in_flight: None,
                imaged_epoch: 0,
                pins: 0,
                referenced: false,
            })
            .collect();
        Cache {
            frames,
            map: HashMap::with_capacity(count),
            hand: 0,
            dirty: 0,
        }
    }

    /// Number of frames.
    pub fn size(&self) -> usize {
        self.frames.len()
    }

    /// Number of frames with changes that the files do not have.
    pub fn dirty(&self) -> usize {
        self.dirty
    }

    /// The frame that holds a block, if one does.
    pub fn find(&mut self, place: (u32, u32)) -> Option<usize> {
        let index = *self.map.get(&place)?;
        self.frames[index].referenced = true;
        Some(index)
    }

    /// Takes a clean, unpinned frame for a block, forgetting what it held. None when there is none.
    pub fn claim(&mut self, place: (u32, u32)) -> Option<usize> {
        for _ in 0..self.frames.len() * 2 {
            let index = self.hand;
            self.hand = (self.hand + 1) % self.frames.len();
            let frame = &mut self.frames[index];
            if frame.pins > 0 || frame.in_flight || frame.first_change.is_some() {
                continue;
            }
            if frame.referenced {
                frame.referenced = false;
                continue;
            }
            if let Some(old) = frame.place.take() {
                self.map.remove(&old);
            }
            frame.place = Some(place);
            frame.imaged_epoch = 0;
            frame.referenced = true;
            self.map.insert(place, index);
            return Some(index);
        }
        None
    }

    /// Gives a claimed frame back when its block could not be read.
    pub fn forget(&mut self, index: usize) {
        if let Some(place) = self.frames[index].place.take() {
            self.map.remove(&place);
        }
    }

    /// Whether a block of a file is being written.
    pub fn is_in_flight(&self, file: u32) -> bool {
        self.frames
            .iter()
            .any(|frame| frame.in_flight && frame.place.is_some_and(|(number, _)| number == file))
    }

    /// Forgets all blocks of a file, changed ones as well: their changes are in the redo. None may be in flight.
    pub fn forget_file(&mut self, file: u32) {
        for frame in &mut self.frames {
            if frame.place.is_some_and(|(number, _)| number == file) {
                self.dirty -= usize::from(frame.first_change.take().is_some());
                frame.place = None;
            }
        }
        self.map.retain(|(number, _), _| *number != file);
    }

    /// A frame.
    pub fn frame(&self, index: usize) -> &Frame {
        &self.frames[index]
    }

    /// A frame, to be changed.
    pub fn frame_mut(&mut self, index: usize) -> &mut Frame {
        &mut self.frames[index]
    }

    /// Notes that the redo record `ticket` changed the frame.
    pub fn mark_changed(&mut self, index: usize, ticket: u64) {
        let frame = &mut self.frames[index];
        frame.last_change = ticket;
        if frame.in_flight {
            frame.changed_in_flight.get_or_insert(ticket);
        }
        if frame.first_change.is_none() {
            frame.first_change = Some(ticket);
            self.dirty += 1;
        }
    }

    /// Notes that the copy taken by the writer is on disk.
    pub fn mark_written(&mut self, index: usize) {
        let frame = &mut self.frames[index];
        frame.in_flight = false;
        frame.first_change = frame.changed_in_flight.take();
        if frame.first_change.is_none() {
            self.dirty -= 1;
        }
    }

    /// Frames to be written: dirty and not in flight, those with the oldest change first.
    pub fn writable(&self, limit: usize) -> Vec<usize> {
        let mut found: Vec<(u64, usize)> = self
            .frames
            .iter()
            .enumerate()
            .filter(|(_, frame)| !frame.in_flight)
            .filter_map(|(index, frame)| frame.first_change.map(|first| (first, index)))
            .collect();
        if found.len() > limit {
            found.select_nth_unstable(limit - 1);
            found.truncate(limit);
        }
        found.into_iter().map(|(_, index)| index).collect()
    }

    /// Whether a change up to `ticket`, of the files that `concerns` selects, is missing on disk.
    pub fn has_unwritten(&self, ticket: u64, concerns: impl Fn(u32) -> bool) -> bool {
        self.frames.iter().any(|frame| {
            frame.first_change.is_some_and(|first| first <= ticket)
                && frame.place.is_some_and(|(file, _)| concerns(file))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_changed_while_it_is_written_stays_dirty() {
        let mut cache = Cache::new(0);
        let index = cache.claim((1, 9)).unwrap();
        cache.mark_changed(index, 5);
        cache.frame_mut(index).in_flight = true;
        cache.mark_changed(index, 8);
        cache.mark_written(index);
        assert_eq!(
            (cache.dirty(), cache.frame(index).first_change),
            (1, Some(8))
        );
        assert_eq!(cache.writable(10), vec![index]);
        assert!(!cache.has_unwritten(7, |_| true) && cache.has_unwritten(8, |_| true));
    }

    #[test]
    fn dirty_and_pinned_frames_are_never_given_up() {
        let mut cache = Cache::new(0);
        for block in 0..cache.size() as u32 {
            let index = cache.claim((1, block)).unwrap();
            if block % 2 == 0 {
                cache.mark_changed(index, 1);
            } else {
                cache.frame_mut(index).pins = 1;
            }
        }
        assert_eq!(cache.claim((2, 1)), None);
    }
}
