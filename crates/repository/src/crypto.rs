//! Encryption as the restic format has it: AES-256-CTR with a Poly1305-AES code.
//! What lives here: sealing and opening bytes with the master key. What does not: passwords (keys), and the format of
//! what is sealed.
//!
//! Source: "Keys, Encryption and MAC" in restic's design document: 16 bytes nonce, ciphertext, 16 bytes code.

use aes256ctr_poly1305aes::aead::AeadInPlace;
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Key, Nonce, Tag};

const NONCE_BYTES: usize = 16;
const CODE_BYTES: usize = 16;
/// Bytes that sealing adds.
pub(crate) const OVERHEAD: usize = NONCE_BYTES + CODE_BYTES;

/// The code does not fit: other key, or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its authentication code is wrong: the bytes are not those that were written")]
pub(crate) struct Forged;

/// 64 bytes of key: 32 for AES-256, 16 and 16 for the code (`k` and `r`).
#[derive(Clone)]
pub(crate) struct MasterKey {
    bytes: [u8; 64],
    cipher: Aes256CtrPoly1305Aes,
}

impl MasterKey {
    pub(crate) fn new(bytes: [u8; 64]) -> MasterKey {
        MasterKey {
            cipher: Aes256CtrPoly1305Aes::new(Key::from_slice(&bytes)),
            bytes,
        }
    }

    /// A new one from the system's random numbers.
    pub(crate) fn random() -> std::io::Result<MasterKey> {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(MasterKey::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; 64] {
        &self.bytes
    }

    /// Appends the sealed form of `plain` to `out`.
    ///
    /// # Panics
    /// When the system has no random numbers: a nonce that is used twice would reveal data.
    pub(crate) fn seal_to(&self, plain: &[u8], out: &mut Vec<u8>) {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).expect("the system gives random numbers");
        out.reserve(plain.len() + OVERHEAD);
        out.extend_from_slice(&nonce);
        let begin = out.len();
        out.extend_from_slice(plain);
        let code = self
            .cipher
            .encrypt_in_place_detached(Nonce::from_slice(&nonce), b"", &mut out[begin..])
            .expect("a blob is shorter than the cipher's limit of 2^36 bytes");
        out.extend_from_slice(&code);
    }

    pub(crate) fn seal(&self, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.seal_to(plain, &mut out);
        out
    }

    pub(crate) fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, Forged> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_BYTES).ok_or(Forged)?;
        let length = rest.len().checked_sub(CODE_BYTES).ok_or(Forged)?;
        let (text, code) = rest.split_at(length);
        let mut plain = text.to_vec();
        self.cipher
            .decrypt_in_place_detached(
                Nonce::from_slice(nonce),
                b"",
                &mut plain,
                Tag::from_slice(code),
            )
            .map_err(|_| Forged)?;
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_and_no_bit_of_it_may_change() {
        let key = MasterKey::random().unwrap();
        let sealed = key.seal(b"a block");
        assert_eq!(sealed.len(), 7 + OVERHEAD);
        assert_eq!(key.open(&sealed).unwrap(), b"a block");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open(&changed), Err(Forged), "bit {bit}");
        }
        assert_eq!(key.open(&sealed[..31]), Err(Forged));
        assert_eq!(MasterKey::random().unwrap().open(&sealed), Err(Forged));
    }
}
