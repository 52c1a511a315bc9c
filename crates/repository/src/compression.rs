//! zstd, within limits.
//! What lives here: packing and unpacking bytes. What does not: what the bytes are.

/// Level 1: the first ingest is bound by compression, and higher levels cost more time than they save room.
pub(crate) const LEVEL: i32 = 1;

/// Packs with the level of this repository.
pub(crate) fn pack(plain: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(plain, LEVEL).expect("memory takes what zstd writes")
}

/// Packs one thing after the other with the same working memory.
pub(crate) struct Packer(zstd::bulk::Compressor<'static>);

impl Packer {
    pub(crate) fn new() -> Packer {
        Packer(zstd::bulk::Compressor::new(LEVEL).expect("zstd knows its own level"))
    }

    pub(crate) fn pack(&mut self, plain: &[u8]) -> Vec<u8> {
        self.0
            .compress(plain)
            .expect("memory takes what zstd writes")
    }
}

/// Unpacks what may be at most so long; a longer content is refused before it takes the memory.
pub(crate) fn unpack(packed: &[u8], bytes_max: usize) -> Result<Vec<u8>, String> {
    let too_long = || format!("it unpacks to more than {bytes_max} bytes");
    let declared = zstd::zstd_safe::get_frame_content_size(packed)
        .map_err(|_| "it is not packed by zstd".to_owned())?;
    match declared {
        Some(length) if length > bytes_max as u64 => Err(too_long()),
        // Memory for what is declared, which cannot be more than the limit; a lie ends in an error.
        Some(length) => {
            zstd::bulk::decompress(packed, length as usize).map_err(|error| error.to_string())
        }
        None => unpack_stream(packed, bytes_max).map_err(|error| error.unwrap_or_else(too_long)),
    }
}

/// A frame that does not say its length, as streaming writers leave it. `Err(None)`: it is too long.
fn unpack_stream(packed: &[u8], bytes_max: usize) -> Result<Vec<u8>, Option<String>> {
    use std::io::Read;
    let said = |error: std::io::Error| Some(error.to_string());
    let mut plain = Vec::new();
    let decoder = zstd::stream::Decoder::with_buffer(packed).map_err(said)?;
    decoder
        .take(bytes_max as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(said)?;
    if plain.len() > bytes_max {
        Err(None)
    } else {
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_limit_is_refused_in_both_forms() {
        let plain = vec![7; 100_000];
        let packed = pack(&plain);
        assert_eq!(unpack(&packed, 100_000).unwrap(), plain);
        assert!(unpack(&packed, 99_999).unwrap_err().contains("99999"));
        let streamed = zstd::stream::encode_all(&plain[..], 1).unwrap();
        assert_eq!(unpack(&streamed, 100_000).unwrap(), plain);
        assert!(unpack(&streamed, 99_999).unwrap_err().contains("99999"));
        assert!(unpack(b"nonsense", 10).is_err());
    }
}
