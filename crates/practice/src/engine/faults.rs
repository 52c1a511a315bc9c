//! Planted bugs: each switch breaks one promise of the engine, so that a test can prove it would notice.
//! What lives here: the switches and their names. What does not: the code that they break.

/// Environment variable of the server process that names the planted bugs, separated by commas.
pub const VARIABLE: &str = "BACKSTAY_PRACTICE_FAULT";

/// Which promises this instance breaks. All off unless [`VARIABLE`] names them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// `no-block-images`: the first change of a block in backup mode logs only its vector, not the whole block.
    pub no_block_images: bool,
    /// `no-end-marker`: END BACKUP writes no redo record 17.1.
    pub no_end_marker: bool,
    /// `ack-before-fsync`: a commit is acknowledged while its redo is still in memory.
    pub ack_before_fsync: bool,
    /// `header-not-frozen`: a checkpoint moves the SCN in the header of a file in backup mode.
    pub header_not_frozen: bool,
    /// `backup-takes-torn-blocks`: RMAN's backups take a block as it was read first, whole or not.
    pub backup_takes_torn_blocks: bool,
    /// `backup-header-last`: RMAN's backups read the header of a data file after its blocks.
    pub backup_header_last: bool,
    /// `backup-hides-fuzziness`: RMAN's backups do not say how new their newest block is.
    pub backup_hides_fuzziness: bool,
    /// `level-1-begins-late`: an incremental backup leaves out the changes of the first [`LATE_SCNS`] SCNs.
    pub level_1_begins_late: bool,
}

/// How many SCNs late an incremental backup begins under `level-1-begins-late`.
pub const LATE_SCNS: u64 = 200;

impl Faults {
    /// Parses a comma-separated list. Errors name the first unknown switch.
    pub fn parse(list: &str) -> Result<Faults, String> {
        let mut faults = Faults::default();
        for name in list
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            match name {
                "no-block-images" => faults.no_block_images = true,
                "no-end-marker" => faults.no_end_marker = true,
                "ack-before-fsync" => faults.ack_before_fsync = true,
                "header-not-frozen" => faults.header_not_frozen = true,
                "backup-takes-torn-blocks" => faults.backup_takes_torn_blocks = true,
                "backup-header-last" => faults.backup_header_last = true,
                "backup-hides-fuzziness" => faults.backup_hides_fuzziness = true,
                "level-1-begins-late" => faults.level_1_begins_late = true,
                unknown => return Err(unknown.to_string()),
            }
        }
        Ok(faults)
    }

    /// What [`VARIABLE`] says; an unknown name is an error, so that a misspelt fault cannot pass for a clean run.
    pub fn from_environment() -> Result<Faults, String> {
        Faults::parse(&std::env::var(VARIABLE).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_and_misspelt_ones_refused() {
        let faults = Faults::parse("no-end-marker, header-not-frozen").unwrap();
        assert!(faults.no_end_marker && faults.header_not_frozen && !faults.no_block_images);
        assert_eq!(
            Faults::parse("no-end-maker"),
            Err("no-end-maker".to_string())
        );
    }
}
