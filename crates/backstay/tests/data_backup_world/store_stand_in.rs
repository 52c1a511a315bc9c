//! A store that answers the script as a test wants it to, and remembers what it was asked.
//! What lives here: just enough HTTP for curl. What does not: any state of a store; the order of calls is for the test.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// The calls that the script makes, as `VERB call`.
pub const GET: &str = "GET backup";
pub const POST: &str = "POST backup";
pub const UPLOAD: &str = "POST uploadlog";
pub const PUT: &str = "PUT backup";
/// All of them, in the documented order.
pub const WHOLE_RUN: [&str; 4] = [GET, POST, UPLOAD, PUT];

/// A request's body must end somewhere, also in a test.
const BODY_BYTES_MAX: u64 = 16 << 20;

/// How the store answers a call.
#[derive(Clone, Debug)]
pub enum Answer {
    /// HTTP status and body, with a length.
    Http(u16, String),
    /// These bytes, and the connection is closed.
    Bytes(Vec<u8>),
    /// Nothing, until the store is gone.
    Silence,
}

impl Answer {
    pub fn result(result: &str) -> Answer {
        let body = format!("{{\"error_code\": 0, \"error_msg\": \"\", \"result\": {result}}}");
        Answer::Http(200, body)
    }

    pub fn error(status: u16, code: u64, message: &str) -> Answer {
        let body =
            format!("{{\"error_code\": {code}, \"error_msg\": \"{message}\", \"result\": {{}}}}");
        Answer::Http(status, body)
    }

    /// The answer of a store where all is well.
    fn good(call: &str) -> Answer {
        let rest = match call {
            GET => ", \"is_reached_max_snapshots\": false",
            POST => {
                ", \"mount_path\": \"/Phoenix/testmount/oracle_data\", \"mount_params\": {\"timeo\": 1200, \"retrans\": 5}"
            }
            PUT => ", \"snap_name\": \"4f1c_7\"",
            _ => "",
        };
        Answer::result(&format!("{{\"mount_name\": \"testmount\"{rest}}}"))
    }
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Request {
    pub verb: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    /// `VERB call`, as the constants of this module.
    pub fn call(&self) -> String {
        let call = self.path.rsplit('/').next().unwrap_or_default();
        format!("{} {call}", self.verb)
    }

    /// The parts of a multipart body, with the header lines of each.
    pub fn parts(&self) -> Vec<(String, Vec<u8>)> {
        let kind = &self.headers["content-type"];
        let boundary = kind
            .strip_prefix("multipart/form-data; boundary=")
            .unwrap_or_else(|| panic!("not multipart: {kind}"));
        let text = String::from_utf8(self.body.clone()).expect("the tests send text");
        let end = format!("--{boundary}--\r\n");
        let text = text
            .strip_suffix(&end)
            .expect("the last boundary")
            .to_owned();
        text.split(&format!("--{boundary}\r\n"))
            .skip(1)
            .map(|part| {
                let part = part.strip_suffix("\r\n").expect("a part ends with a line");
                let (head, content) = part.split_once("\r\n\r\n").expect("a part has a head");
                (head.to_owned(), content.as_bytes().to_owned())
            })
            .collect()
    }
}

/// The store; its listener ends with it.
pub struct Store {
    address: String,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// What each call gets, first to last; the last one stays.
    answers: Mutex<BTreeMap<String, Vec<Answer>>>,
    requests: Mutex<Vec<Request>>,
    silent: Mutex<Vec<TcpStream>>,
    closing: Mutex<bool>,
}

impl Store {
    /// A store where all is well.
    pub fn start() -> Store {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        let listener = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if *served.closing.lock().unwrap() {
                    break;
                }
                served.serve(stream.unwrap());
            }
        });
        Store {
            address,
            shared,
            listener: Some(listener),
        }
    }

    /// A store that answers one call otherwise.
    pub fn that_answers(call: &str, answers: &[Answer]) -> Store {
        let store = Store::start();
        store.answer(call, answers);
        store
    }

    pub fn answer(&self, call: &str, answers: &[Answer]) {
        let mut all = self.shared.answers.lock().unwrap();
        all.insert(call.to_owned(), answers.to_vec());
    }

    /// `ip:port`
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The calls that came, in order.
    pub fn calls(&self) -> Vec<String> {
        self.requests().iter().map(Request::call).collect()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        *self.shared.closing.lock().unwrap() = true;
        drop(TcpStream::connect(&self.address));
        if let Some(listener) = self.listener.take() {
            let ended = listener.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the store panicked"
            );
        }
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let Some(request) = read_request(&mut stream) else {
            return;
        };
        let call = request.call();
        self.requests.lock().unwrap().push(request);
        match self.next_answer(&call) {
            Answer::Http(status, body) => {
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                send(&mut stream, (head + &body).as_bytes());
            }
            Answer::Bytes(bytes) => send(&mut stream, &bytes),
            Answer::Silence => self.silent.lock().unwrap().push(stream),
        }
    }

    fn next_answer(&self, call: &str) -> Answer {
        let mut answers = self.answers.lock().unwrap();
        match answers.get_mut(call) {
            Some(left) if left.len() > 1 => left.remove(0),
            Some(left) => left[0].clone(),
            None => Answer::good(call),
        }
    }
}

/// A client that has had enough may close before it has read everything: that is its right.
fn send(stream: &mut TcpStream, bytes: &[u8]) {
    if stream.write_all(bytes).is_ok() && stream.shutdown(Shutdown::Write).is_ok() {
        let drained = std::io::copy(&mut stream.take(BODY_BYTES_MAX), &mut std::io::sink());
        drop(drained);
    }
}

/// None when the connection ended before the request did.
fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (verb, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    if headers
        .get("expect")
        .is_some_and(|value| value == "100-continue")
    {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let length: u64 = headers
        .get("content-length")
        .map_or(0, |text| text.parse().unwrap());
    assert!(length <= BODY_BYTES_MAX, "a body of {length} bytes");
    let mut body = vec![0; usize::try_from(length).unwrap()];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        verb,
        path,
        headers,
        body,
    })
}
