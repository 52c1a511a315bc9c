//! The parser of uploadlog's body, driven by bytes that nobody meant.
//! What lives here: what fuzz/ and the tests call. What does not: the parser.

use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::Frame;

use super::upload::parts;

/// Bytes of each piece in which a body arrives.
const PIECE_BYTES: usize = 7;

/// Takes a body apart whose boundary is `b`; what it holds of a log lies in `logs` meanwhile. Whether it was whole.
///
/// # Panics
/// When no threads can be started.
pub fn multipart(bytes: &[u8], logs: &Path) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let mut body = Body::new(Pieces(bytes.to_vec().into())).into_data_stream();
    runtime
        .block_on(parts(logs.to_owned(), &mut body, "b".to_owned()))
        .is_ok()
}

/// A body that arrives in pieces.
struct Pieces(Bytes);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = PIECE_BYTES.min(self.0.len());
        let piece = self.0.split_to(bytes);
        Poll::Ready((bytes > 0).then_some(Ok(Frame::data(piece))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WHOLE: &str = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"rman.log\"\r\n\r\nRecovery Manager\r\n\
                         --b\r\nContent-Disposition: form-data; name=\"mountpoint\"\r\n\r\n/local/m\r\n\
                         --b\r\nContent-Disposition: form-data; name=\"platform\"\r\n\r\nlinux\r\n--b--\r\n";

    #[test]
    fn a_whole_body_is_understood_in_pieces_too() {
        let logs = tempfile::tempdir().unwrap();
        assert!(multipart(WHOLE.as_bytes(), logs.path()));
        assert!(!multipart(
            &WHOLE.as_bytes()[..WHOLE.len() - 60],
            logs.path()
        ));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fall_over_or_leave_anything(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let logs = tempfile::tempdir().unwrap();
            let _ = multipart(&bytes, logs.path());
            prop_assert_eq!(std::fs::read_dir(logs.path()).unwrap().count(), 0);
        }

        #[test]
        fn no_fault_in_a_body_makes_it_fall_over(at in 0..WHOLE.len(), byte in any::<u8>(), cut in 0..WHOLE.len(), twice in any::<bool>()) {
            let logs = tempfile::tempdir().unwrap();
            let mut bytes = WHOLE.as_bytes().to_vec();
            bytes[at] = byte;
            if twice {
                let tail = bytes[cut..].to_vec();
                bytes.extend(tail);
            } else {
                bytes.truncate(cut);
            }
            let _ = multipart(&bytes, logs.path());
            prop_assert_eq!(std::fs::read_dir(logs.path()).unwrap().count(), 0);
        }
    }
}
