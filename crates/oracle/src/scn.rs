//! System change numbers and log sequence numbers.
//! What lives here: the two counters and the SCN's eight bytes on disk. What does not: times and addresses.

use std::fmt;

/// A system change number: Oracle's clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Scn(u64);

impl Scn {
    /// No change yet.
    pub const ZERO: Scn = Scn(0);
    /// All bits set: the end of something that is still going on, such as the current log.
    pub const OPEN_ENDED: Scn = Scn(u64::MAX);

    /// From its number.
    pub const fn new(number: u64) -> Scn {
        Scn(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one after it; the open end stays what it is.
    pub const fn next(self) -> Scn {
        Scn(self.0.saturating_add(1))
    }

    /// The low 32 bits, as block headers carry them.
    pub const fn base(self) -> u32 {
        self.0 as u32
    }

    /// Bits 32 to 47, as block headers carry them.
    pub const fn wrap(self) -> u16 {
        (self.0 >> 32) as u16
    }

    /// The eight bytes of structures with a full SCN.
    ///
    /// Up to 48 bits: base, then wrap with bit 15 clear. Above (12.2 and later): bit 15 of the second word set, bits 48
    /// to 62 below it, bits 32 to 47 in the last two bytes. All ones is the open end.
    pub const fn encode(self) -> [u8; 8] {
        let base = self.base().to_le_bytes();
        let (second, last) = if self.0 == u64::MAX {
            (u16::MAX, u16::MAX)
        } else if self.0 >> 47 == 0 {
            (self.wrap(), 0)
        } else {
            (0x8000 | (self.0 >> 48) as u16, self.wrap())
        };
        let (second, last) = (second.to_le_bytes(), last.to_le_bytes());
        [
            base[0], base[1], base[2], base[3], second[0], second[1], last[0], last[1],
        ]
    }

    /// From the eight bytes that [`Scn::encode`] describes.
    pub const fn decode(bytes: [u8; 8]) -> Scn {
        let base = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as u64;
        let second = u16::from_le_bytes([bytes[4], bytes[5]]) as u64;
        let last = u16::from_le_bytes([bytes[6], bytes[7]]) as u64;
        if base == 0xffff_ffff && second == 0xffff && last == 0xffff {
            return Scn::OPEN_ENDED;
        }
        if second & 0x8000 == 0 {
            return Scn(second << 32 | base);
        }
        Scn((second & 0x7fff) << 48 | last << 32 | base)
    }
}

impl fmt::Display for Scn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a redo log within its incarnation, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct LogSequence(u32);

impl LogSequence {
    /// From its number.
    pub const fn new(number: u32) -> LogSequence {
        LogSequence(number)
    }

    /// Its number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The one after it.
    pub const fn next(self) -> LogSequence {
        LogSequence(self.0.saturating_add(1))
    }
}

impl fmt::Display for LogSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_an_scn_read_back() {
        let mut numbers = vec![
            0,
            1,
            0x229a45,
            0xffff_ffff,
            1 << 32,
            (1 << 47) - 1,
            1 << 47,
            1 << 48,
            (1 << 63) - 2,
        ];
        numbers.push(u64::MAX);
        for number in numbers {
            assert_eq!(
                Scn::decode(Scn::new(number).encode()),
                Scn::new(number),
                "{number:#x}"
            );
        }
        assert_eq!(Scn::OPEN_ENDED.encode(), [0xff; 8]);
        assert_eq!(
            Scn::new(0x0002_1234_5678).encode(),
            [0x78, 0x56, 0x34, 0x12, 2, 0, 0, 0]
        );
    }
}
