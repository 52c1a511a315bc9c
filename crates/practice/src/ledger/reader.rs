//! Reading a ledger line by line, trusting nothing in it.
//! What lives here: parsing and its refusals. What does not: whether the facts agree with each other ([`super::book`]).

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use oracle::scn::Scn;
use oracle::time::OracleTime;

use super::{Boundary, Fact, LINE_BYTES_MAX, LedgerError, ROWS_MAX, RowFact, Transaction, VERSION};

/// The facts of a ledger in order, each with its line number. Stops after the first bad line.
///
/// A last line without a line end is torn, not bad: it is left out and [`Facts::torn_end`] tells.
#[derive(Debug)]
pub struct Facts<R> {
    path: PathBuf,
    source: R,
    sid: String,
    line: u64,
    buffer: Vec<u8>,
    torn: bool,
    over: bool,
}

impl Facts<BufReader<File>> {
    /// Opens a ledger file and reads its first line.
    pub fn open(path: &Path) -> Result<Facts<BufReader<File>>, LedgerError> {
        let file = File::open(path).map_err(|source| LedgerError::Io {
            path: path.to_path_buf(),
            action: "open",
            source,
        })?;
        Facts::new(path, BufReader::with_capacity(1 << 17, file))
    }
}

impl<R: BufRead> Facts<R> {
    /// Reads facts from any source; `path` names it in errors.
    pub fn new(path: &Path, source: R) -> Result<Facts<R>, LedgerError> {
        let mut facts = Facts {
            path: path.to_path_buf(),
            source,
            sid: String::new(),
            line: 0,
            buffer: Vec::with_capacity(LINE_BYTES_MAX),
            torn: false,
            over: false,
        };
        if !facts.fill()? {
            return Err(facts.bad("the file does not begin with a whole header line".to_string()));
        }
        facts.sid = header_sid(&facts.buffer).map_err(|what| facts.bad(what))?;
        Ok(facts)
    }

    /// SID of the database whose ledger this is.
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// Whether the file ended in a torn line. Known when the iteration is over.
    pub fn torn_end(&self) -> bool {
        self.torn
    }

    /// An error about the line read last.
    pub(super) fn bad(&self, what: String) -> LedgerError {
        LedgerError::Line {
            path: self.path.clone(),
            line: self.line,
            what,
        }
    }

    /// Reads the next whole line without its end into the buffer; false at the end of the file.
    fn fill(&mut self) -> Result<bool, LedgerError> {
        self.buffer.clear();
        self.source
            .by_ref()
            .take(LINE_BYTES_MAX as u64)
            .read_until(b'\n', &mut self.buffer)
            .map_err(|source| LedgerError::Io {
                path: self.path.clone(),
                action: "read",
                source,
            })?;
        if self.buffer.is_empty() {
            return Ok(false);
        }
        self.line += 1;
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
            return Ok(true);
        }
        if self.buffer.len() == LINE_BYTES_MAX {
            return Err(self.bad(format!("longer than {LINE_BYTES_MAX} bytes")));
        }
        self.torn = true;
        Ok(false)
    }
}

impl<R: BufRead> Iterator for Facts<R> {
    type Item = Result<(u64, Fact), LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let item = match self.fill() {
            Ok(false) => None,
            Ok(true) => Some(
                parse_fact(&self.buffer)
                    .map(|fact| (self.line, fact))
                    .map_err(|what| self.bad(what)),
            ),
            Err(error) => Some(Err(error)),
        };
        self.over = !matches!(item, Some(Ok(_)));
        item
    }
}

/// The words of a line whose check value is right.
fn checked_words(line: &[u8]) -> Result<impl Iterator<Item = &str>, String> {
    let text = std::str::from_utf8(line).map_err(|_| "not text".to_string())?;
    let (body, check) = text
        .rsplit_once(" check=")
        .ok_or("no check value at its end")?;
    let check = hexadecimal(check).ok_or("its check value is not a number")?;
    let computed = crc32fast::hash(body.as_bytes());
    if check != computed {
        return Err(format!(
            "check value {check:08x}, but the line's is {computed:08x}"
        ));
    }
    Ok(body.split(' '))
}

fn header_sid(line: &[u8]) -> Result<String, String> {
    if !line.starts_with(b"backstay-ledger ") {
        return Err("not a ledger: it does not begin with 'backstay-ledger'".to_string());
    }
    let mut words = checked_words(line)?.skip(1);
    let version: u32 = number(&mut words, "version")?;
    if version != VERSION {
        return Err(format!(
            "ledger version {version}; this program reads version {VERSION}"
        ));
    }
    Ok(field(&mut words, "sid")?.to_string())
}

fn parse_fact(line: &[u8]) -> Result<Fact, String> {
    let mut words = checked_words(line)?;
    let fact = match words.next() {
        Some("intent") => {
            let (number, session) = (
                number(&mut words, "number")?,
                number(&mut words, "session")?,
            );
            Fact::Intent(transaction(number, session, &mut words)?)
        }
        Some("acknowledged") => {
            let (number, session) = (
                number(&mut words, "number")?,
                self::number(&mut words, "session")?,
            );
            let scn = Scn::new(self::number(&mut words, "scn")?);
            let time = time(&mut words)?;
            Fact::Acknowledged {
                transaction: transaction(number, session, &mut words)?,
                scn,
                time,
            }
        }
        Some("truncate") => Fact::Truncate(boundary(&mut words)?),
        other => return Err(format!("unknown fact '{}'", other.unwrap_or_default())),
    };
    match words.next() {
        None => Ok(fact),
        Some(word) => Err(format!("'{word}' does not belong there")),
    }
}

fn field<'a>(words: &mut impl Iterator<Item = &'a str>, name: &str) -> Result<&'a str, String> {
    words
        .next()
        .and_then(|word| word.split_once('='))
        .filter(|(found, value)| *found == name && !value.is_empty())
        .map(|(_, value)| value)
        .ok_or_else(|| format!("field '{name}' is missing or out of its place"))
}

fn number<'a, N: std::str::FromStr>(
    words: &mut impl Iterator<Item = &'a str>,
    name: &str,
) -> Result<N, String> {
    let text = field(words, name)?;
    text.parse()
        .map_err(|_| format!("field '{name}': '{text}' is not a number that fits"))
}

fn time<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<OracleTime, String> {
    let text = field(words, "time")?;
    OracleTime::parse(&text.replace('T', " "))
        .ok_or_else(|| format!("field 'time': '{text}' is not a time"))
}

fn boundary<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<Boundary, String> {
    let mut words = words.peekable();
    match words.peek() {
        Some(word) if word.starts_with("scn=") => {
            Ok(Boundary::Scn(Scn::new(number(&mut words, "scn")?)))
        }
        _ => Ok(Boundary::Time(time(&mut words)?)),
    }
}

fn transaction<'a>(
    number: u64,
    session: u32,
    words: &mut impl Iterator<Item = &'a str>,
) -> Result<Transaction, String> {
    if number == 0 {
        return Err("transaction number 0 is the initial load's".to_string());
    }
    let rows = field(words, "rows")?
        .split(',')
        .map(row)
        .collect::<Result<Vec<_>, _>>()?;
    if rows.len() > ROWS_MAX {
        return Err(format!("{} rows, more than {ROWS_MAX}", rows.len()));
    }
    Ok(Transaction {
        number,
        session,
        rows,
    })
}

fn row(text: &str) -> Result<RowFact, String> {
    let bad = || format!("row '{text}' is not key:crc or key:deleted");
    let (key, state) = text.split_once(':').ok_or_else(bad)?;
    let key = key.parse().map_err(|_| bad())?;
    let hash = match state {
        "deleted" => None,
        hash => Some(hexadecimal(hash).ok_or_else(bad)?),
    };
    Ok(RowFact { key, hash })
}

/// Exactly eight hexadecimal digits.
fn hexadecimal(text: &str) -> Option<u32> {
    let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}
