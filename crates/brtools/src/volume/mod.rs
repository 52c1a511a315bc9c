//! Tapes: labels, drives, which volume is taken, and what stands at which position of it.
//! What lives here: everything between a stream of bytes and a cartridge. What does not: which files are saved.
//!
//! Layout, file by file, counted from 1: `.tape.hdr0` (the label), `init_ora`, `init_sap`, then from 4 on the files that
//! were saved, last `space_log`, `det_log` and `sum_log`. Header and trailer are archives of cpio in any case.

pub mod command;
pub mod drive;
pub mod expiry;
pub mod handover;
pub mod initialize;
pub mod label;
pub mod pool;
pub mod settings;
pub mod station;
pub mod virtual_drive;

/// Position of the first file that was saved.
pub const FIRST_POSITION: u32 = 4;
