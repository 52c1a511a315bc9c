//! The log of an RMAN run, as a host uploads it, read and mapped to files.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    oracle::rman::fuzzing::log(bytes);
});
