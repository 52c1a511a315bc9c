//! Bytes of a connection, taken apart into records (RFC 5531, section 11) and calls.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    nfs::fuzzing::record(bytes);
});
