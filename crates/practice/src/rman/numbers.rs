//! The numbers of RMAN's messages, which `msgno` shows.
//! What lives here: one name per number. What does not: texts and errors, which stand where they are raised.
//!
//! Numbers below 8900 are Oracle's as far as they are known from published logs and message books; without Oracle
//! software at hand not each could be checked. The ones from 8900 on are ours: for these messages none was found.

#![allow(missing_docs, reason = "the names say what the messages say")]

pub(super) const USING_CONTROL_FILE: u32 = 6009;
pub(super) const CONNECTED: u32 = 6005;
pub(super) const CONNECTED_NOT_MOUNTED: u32 = 6006;
pub(super) const CONNECTED_NOT_STARTED: u32 = 6193;
pub(super) const CONNECTED_NOT_OPEN: u32 = 6568;
pub(super) const SQL_STATEMENT: u32 = 6162;
pub(super) const INSTANCE_STARTED: u32 = 6196;
pub(super) const DATABASE_MOUNTED: u32 = 6199;
pub(super) const DATABASE_OPENED: u32 = 6400;
pub(super) const INSTANCE_SHUT_DOWN: u32 = 6402;
pub(super) const DATABASE_CLOSED: u32 = 6404;
pub(super) const DATABASE_DISMOUNTED: u32 = 6405;
pub(super) const STARTING: u32 = 3090;
pub(super) const FINISHED: u32 = 3091;
pub(super) const HOST_COMPLETE: u32 = 6134;

pub(super) const ALLOCATED: u32 = 8030;
pub(super) const RELEASED: u32 = 8031;
pub(super) const CHANNEL_SESSION: u32 = 8500;
pub(super) const USING_CHANNEL: u32 = 8605;
pub(super) const JOB_NOT_RERUN: u32 = 12019;

pub(super) const FULL_SET: u32 = 8008;
pub(super) const COMPRESSED_FULL_SET: u32 = 8046;
pub(super) const INCREMENTAL_SET: u32 = 8048;
pub(super) const COMPRESSED_INCREMENTAL_SET: u32 = 8049;
pub(super) const LOG_SET: u32 = 8009;
pub(super) const SPECIFYING_FILES: u32 = 8010;
pub(super) const INPUT_FILE: u32 = 8522;
pub(super) const INCLUDING_CONTROLFILE: u32 = 8011;
pub(super) const INCLUDING_SPFILE: u32 = 8113;
pub(super) const SPECIFYING_LOGS: u32 = 8014;
pub(super) const INPUT_LOG: u32 = 8504;
pub(super) const STARTING_PIECE: u32 = 8038;
pub(super) const FINISHED_PIECE: u32 = 8044;
pub(super) const PIECE_HANDLE: u32 = 8530;
pub(super) const PIECE_HANDLE_NO_TAG: u32 = 8503;
pub(super) const SET_COMPLETE: u32 = 8540;
pub(super) const STARTING_COPY: u32 = 8580;
pub(super) const COPYING_CONTROLFILE: u32 = 8584;
pub(super) const OUTPUT_FILE: u32 = 8501;
pub(super) const COPY_COMPLETE: u32 = 8581;
pub(super) const DELETING_LOGS: u32 = 8071;
pub(super) const LOG_FILE: u32 = 8514;
pub(super) const BACKUP_CANCELLED: u32 = 8057;
pub(super) const NO_PARENT: u32 = 6560;
pub(super) const IN_BACKUP_MODE: u32 = 6554;
pub(super) const CURRENT_LOG_ARCHIVED: u32 = 8900;
pub(super) const SKIPPING_LOGS: u32 = 8901;
pub(super) const NO_MATCH: u32 = 8902;

pub(super) const NO_COPY_TO_RECOVER: u32 = 8127;
pub(super) const INCREMENTAL_RESTORE: u32 = 8039;
pub(super) const SPECIFYING_COPIES: u32 = 8131;
pub(super) const RECOVERING_COPY: u32 = 8527;
pub(super) const READING_PIECE: u32 = 8003;
pub(super) const RESTORED_HANDLE: u32 = 8611;
pub(super) const RESTORED_PIECE: u32 = 8023;
pub(super) const RESTORE_COMPLETE: u32 = 8180;

pub(super) const SET_RESTORE: u32 = 8016;
pub(super) const SPECIFYING_RESTORE: u32 = 8089;
pub(super) const RESTORING_FILE: u32 = 8610;
pub(super) const DESTINATION: u32 = 8509;
pub(super) const INPUT_COPY: u32 = 8507;
pub(super) const COPIED_COPY: u32 = 8027;
pub(super) const RESTORED_FILE: u32 = 8505;
pub(super) const LOG_RESTORE: u32 = 8017;
pub(super) const RESTORING_LOG: u32 = 8022;
pub(super) const LOG: u32 = 8510;
pub(super) const RESTORING_CONTROLFILE: u32 = 8021;
pub(super) const RESTORING_SPFILE: u32 = 8114;
pub(super) const SPFILE_COMPLETE: u32 = 8115;
pub(super) const LOOKING_FOR_AUTOBACKUP: u32 = 8903;
pub(super) const AUTOBACKUP_FOUND: u32 = 8904;
pub(super) const STARTING_VALIDATION: u32 = 8096;
pub(super) const VALIDATION_COMPLETE: u32 = 8182;

pub(super) const STARTING_MEDIA_RECOVERY: u32 = 8054;
pub(super) const MEDIA_RECOVERY_COMPLETE: u32 = 8181;
pub(super) const LOG_ON_DISK: u32 = 6050;
pub(super) const LOG_APPLIED: u32 = 8515;
pub(super) const LOG_NOT_FOUND: u32 = 8060;
pub(super) const SWITCHED: u32 = 8015;

pub(super) const CATALOGED: u32 = 8905;
pub(super) const DELETED_PIECE: u32 = 8073;
pub(super) const PIECE_RECORD: u32 = 8517;
pub(super) const DELETED_COPY: u32 = 8070;
pub(super) const COPY_RECORD: u32 = 8513;
pub(super) const DELETED_CONTROL_COPY: u32 = 8072;
pub(super) const CONTROL_COPY_RECORD: u32 = 8512;
pub(super) const DELETED_LOG: u32 = 8906;
pub(super) const CROSSCHECKED_PIECE: u32 = 8074;
pub(super) const VALIDATION_SUCCEEDED: u32 = 6154;
pub(super) const VALIDATION_FAILED: u32 = 6153;
pub(super) const OBJECTS: u32 = 8907;
pub(super) const UNCATALOGED: u32 = 8910;
pub(super) const STORED: u32 = 8908;
pub(super) const LISTED: u32 = 8909;
