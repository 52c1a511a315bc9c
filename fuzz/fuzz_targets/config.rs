//! A store's configuration file.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = store::config::Config::parse(text);
});
