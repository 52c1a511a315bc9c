//! The envelope of every answer of the documented API, in the documented order of keys.
//! What lives here: the envelope, the results in it, and how both are printed. What does not: HTTP.
//!
//! Printed on one line with a blank after each comma and colon, as in the documented samples: scripts that look for
//! `"is_reached_max_snapshots": false` with grep find it.

use std::io::{self, Write};

use serde::ser::Serialize;
use serde::{Deserialize, Serialize as DeriveSerialize};
use serde_json::ser::Formatter;

use crate::code::Code;

/// What every answer of the documented API is wrapped in.
#[derive(Debug, Clone, PartialEq, Eq, DeriveSerialize, Deserialize)]
pub struct Envelope<T> {
    /// 0, or a number of [`Code`]; beyond 32 bits.
    pub error_code: u64,
    /// Empty, or what is wrong.
    pub error_msg: String,
    /// The result; an empty object after a failure.
    pub result: T,
}

/// The result of a failure: `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DeriveSerialize, Deserialize)]
pub struct Nothing {}

/// Result of `GET /mounts/{mount}/backup`.
#[derive(Debug, Clone, PartialEq, Eq, DeriveSerialize, Deserialize)]
pub struct Preflight {
    /// The mount.
    pub mount_name: String,
    /// Whether a POST would be refused because as many snapshots wait as may wait.
    pub is_reached_max_snapshots: bool,
}

/// Result of `POST /mounts/{mount}/backup`.
#[derive(Debug, Clone, PartialEq, Eq, DeriveSerialize, Deserialize)]
pub struct Started {
    /// Export path for the NFS client.
    pub mount_path: String,
    /// The mount.
    pub mount_name: String,
    /// Options for the NFS client.
    pub mount_params: MountParameters,
}

/// Options for the NFS client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DeriveSerialize, Deserialize)]
pub struct MountParameters {
    /// Time until a retransmission, in tenths of a second.
    pub timeo: u32,
    /// Retransmissions before a major timeout.
    pub retrans: u32,
}

impl MountParameters {
    /// The documented values.
    pub const DOCUMENTED: MountParameters = MountParameters {
        timeo: 1200,
        retrans: 5,
    };
}

/// Result of `POST /mounts/{mount}/uploadlog`.
#[derive(Debug, Clone, PartialEq, Eq, DeriveSerialize, Deserialize)]
pub struct LogUploaded {
    /// The mount.
    pub mount_name: String,
}

/// Result of `PUT /mounts/{mount}/backup`.
#[derive(Debug, Clone, PartialEq, Eq, DeriveSerialize, Deserialize)]
pub struct Sealed {
    /// The snapshot, `<uid>_<counter>`.
    pub snap_name: String,
    /// The mount.
    pub mount_name: String,
}

/// Result of `DELETE /mounts/{mount}/restores/{jobid}`.
#[derive(Debug, Clone, PartialEq, Eq, DeriveSerialize, Deserialize)]
pub struct RestoreDeleted {
    /// The mount.
    pub mount_name: String,
    /// The job whose data was deleted.
    pub jobid: u64,
}

/// A successful answer as printed.
pub fn success<T: Serialize>(result: T) -> String {
    print(&Envelope {
        error_code: 0,
        error_msg: String::new(),
        result,
    })
}

/// An answer of failure as printed. Documented codes have the documented text alone; behind the text of ours the detail is
/// said, if there is one.
pub fn failure(code: Code, detail: &str) -> String {
    let error_msg = if code.is_documented() || detail.is_empty() {
        code.message().to_owned()
    } else {
        format!("{} ({detail})", code.message())
    };
    print(&Envelope {
        error_code: code.number(),
        error_msg,
        result: Nothing {},
    })
}

fn print<T: Serialize>(envelope: &Envelope<T>) -> String {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, AsDocumented);
    // Writing plain structs to memory cannot fail; were it to, an empty body would show it.
    if envelope.serialize(&mut serializer).is_err() {
        text.clear();
    }
    text.push(b'\n');
    String::from_utf8(text).unwrap_or_default()
}

/// One line, a blank after commas and colons.
struct AsDocumented;

impl Formatter for AsDocumented {
    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_look_as_documented() {
        let started = Started {
            mount_path: "/Phoenix/testmount/oracle_data".to_owned(),
            mount_name: "testmount".to_owned(),
            mount_params: MountParameters::DOCUMENTED,
        };
        assert_eq!(
            success(&started),
            "{\"error_code\": 0, \"error_msg\": \"\", \"result\": {\"mount_path\": \"/Phoenix/testmount/oracle_data\", \
             \"mount_name\": \"testmount\", \"mount_params\": {\"timeo\": 1200, \"retrans\": 5}}}\n"
        );
        assert_eq!(
            failure(Code::MountMissing, "said to nobody"),
            "{\"error_code\": 4295622665, \"error_msg\": \"Backup mount does not exist on Export Service.\", \"result\": {}}\n"
        );
    }

    #[test]
    fn our_own_codes_say_more() {
        let text = failure(Code::BadRequest, "No boundary.");
        assert!(
            text.contains("The request cannot be understood. (No boundary.)"),
            "{text}"
        );
    }

    #[test]
    fn a_printed_answer_reads_back() {
        let sealed = Sealed {
            snap_name: "1F0A_7".to_owned(),
            mount_name: "quote\"and\\backslash".to_owned(),
        };
        let read: Envelope<Sealed> = serde_json::from_str(&success(&sealed)).unwrap();
        assert_eq!((read.error_code, read.result), (0, sealed));
    }
}
