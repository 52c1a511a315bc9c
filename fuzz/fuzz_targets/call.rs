//! One record: the head of a call, its credential, and the arguments of the procedure that it asks for.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    nfs::fuzzing::call(bytes);
});
