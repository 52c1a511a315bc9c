//! The tools on the database host.
