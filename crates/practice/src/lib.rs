//! The practice database.
