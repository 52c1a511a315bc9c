//! Lines that no message matches: RMAN in another language, and the rest of an error stack.
//! What lives here: how such lines are told from a script's own. What does not: what they mean.

/// Whether a line that is no English message looks like one of RMAN's in another language. Keys are translated, values
/// are not, so it goes by values [V: two Chinese logs, whose wording differs between 11g and 12.2].
pub(super) fn is_rman(line: &str) -> bool {
    let english = ["connected to ", "piece handle=", "channel "];
    if english.iter().any(|head| line.starts_with(head)) {
        return false;
    }
    let connected = number_after(line, "(DBID=");
    let channel =
        number_after(line, "SID=") && (line.ends_with("=DISK") || line.ends_with("=SBT_TAPE"));
    let record = !line.is_ascii() && number_after(line, "RECID=") && number_after(line, "STAMP=");
    let piece = line.ends_with("=NONE") && number_after(line, "=TAG");
    connected || channel || record || piece
}

fn number_after(line: &str, key: &str) -> bool {
    line.split_once(key)
        .is_some_and(|(_, rest)| rest.starts_with(|letter: char| letter.is_ascii_digit()))
}

/// Whether a line belongs to the error stack above it: a numbered one (`ORA-19502: …`), or what the system adds.
pub(super) fn continues_a_stack(line: &str) -> bool {
    line.starts_with("Additional information") || line.contains(" Error: ") || is_numbered(line)
}

/// `FACILITY-number: `, such as ORA-19502, RMAN-06059, SVR4, KGFN.
fn is_numbered(line: &str) -> bool {
    let Some((code, _)) = line.split_once(':') else {
        return false;
    };
    let Some((facility, number)) = code.split_once('-') else {
        return false;
    };
    let facility_is_good = (2..=6).contains(&facility.len())
        && facility
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    facility_is_good
        && (4..=6).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_languages_are_told_by_values() {
        for line in [
            "连接到目标数据库: PRD (DBID=4711)",
            "Verbunden mit Zieldatenbank: PRD (DBID=4711, nicht geöffnet)",
            "canal ORA_DISK_1: SID=135 tipo de dispositivo=DISK",
            "输入归档日志线程=1 序列=5 RECID=5 STAMP=9",
            "段句柄=/m/x 标记=TAG20261123T010203 注释=NONE",
        ] {
            assert!(is_rman(line), "{line}");
        }
        for line in [
            "connected to auxiliary database: PRD (DBID=4711)",
            "archived log file name=/x RECID=5 STAMP=9",
            "the script says: größer, schöner",
            "echo ORACLE_SID=PRD DEVICE=DISK",
            "",
        ] {
            assert!(!is_rman(line), "{line}");
        }
    }

    #[test]
    fn a_stack_ends_at_what_is_not_numbered() {
        for line in [
            "ORA-19502: write error",
            "RMAN-06059: expected archived log not found",
            "Linux-x86_64 Error: 28: No space left on device",
            "Additional information: -1",
        ] {
            assert!(continues_a_stack(line), "{line}");
        }
        for line in ["", "echo done", "a-12345: x", "ORA-: x"] {
            assert!(!continues_a_stack(line), "{line}");
        }
    }
}
