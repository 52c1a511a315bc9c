//! The body of uploadlog with the boundary `b`, in small pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    store::fuzzing::multipart(bytes, &std::env::temp_dir());
});
