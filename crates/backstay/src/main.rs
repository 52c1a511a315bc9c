//! The one executable of Backstay.
fn main() {}
