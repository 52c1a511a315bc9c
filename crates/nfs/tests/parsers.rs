//! The parsers under arbitrary bytes and under real calls with faults: no panic, and memory within bounds that are written
//! here. fuzz/ drives the same functions without an end.
//! What lives here: the calls, the faults, and the measure of memory. What does not: what a whole server does with such
//! calls (hostile.rs).

mod world;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::OnceLock;

use nfs::fuzzing;
use nfs::{HandleKey, ServerOptions, Squash};
use proptest::prelude::*;
use proptest::sample::Index;
use world::*;

/// The longest record: the longest WRITE, and its head.
const RECORD_BYTES_MAX: usize = (1 << 20) + (128 << 10);
/// What reading one call may take at the same time, however long it is: groups, a name, the head of a reply.
const CALL_MEMORY_MAX: usize = 8 << 10;
/// In such steps the memory of a record grows, and so much is read ahead.
const STEP: usize = 16 << 10;
/// What taking records off a connection may take at the same time, however many there are: the longest record twice, while
/// it grows; what was read ahead; and a call.
const RECORD_MEMORY_MAX: usize = 2 * RECORD_BYTES_MAX + STEP + CALL_MEMORY_MAX;

/// Counts the memory that each thread has.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static MEMORY: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    let memory = MEMORY.get().wrapping_add(change);
    MEMORY.set(memory);
    PEAK.set(PEAK.get().max(memory));
}

#[expect(
    unsafe_code,
    reason = "an allocator can be had in no other way; this one is the system's"
)]
// SAFETY: everything is done by the system's allocator with the arguments given. Counting allocates nothing: the numbers
// of a thread are constants at first and need no destructor. Growing is left to the provided method, which takes the new
// memory before it gives the old back, so that both count.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// The most memory that this thread had at the same time while it did this, beyond what it had before.
fn memory<T>(act: impl FnOnce() -> T) -> (T, usize) {
    let before = MEMORY.get();
    PEAK.set(before);
    let done = act();
    (done, PEAK.get().wrapping_sub(before).cast_unsigned())
}

/// Reads a call within the bound. Whether it was understood.
fn call(bytes: &[u8]) -> bool {
    let (understood, memory) = memory(|| fuzzing::call(bytes));
    assert!(
        memory <= CALL_MEMORY_MAX,
        "{memory} bytes of memory for a call"
    );
    understood
}

/// Takes records off a stream within the bound. How many there were.
fn records(how: u8, stream: &[u8]) -> usize {
    let bytes = [&[how], stream].concat();
    let (records, memory) = memory(|| fuzzing::record(&bytes));
    assert!(
        memory <= RECORD_MEMORY_MAX,
        "{memory} bytes of memory for records"
    );
    records
}

fn mark(length: usize, last: bool) -> [u8; 4] {
    (u32::from(last) << 31 | length as u32).to_be_bytes()
}

fn whole(record: &[u8]) -> Vec<u8> {
    [&mark(record.len(), true), record].concat()
}

/// A call of each procedure of the three programs, and of each way to make a file; a real server has done all of them.
fn real_calls() -> &'static [Vec<u8>] {
    static CALLS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    CALLS.get_or_init(|| {
        let options = ServerOptions::new(HandleKey::from_bytes(fuzzing::HANDLE_KEY));
        let world = World::with(|_| {}, options);
        world.set_squash(Squash::None);
        let (mut client, root) = world.mounted();
        let file = client.create(&root, "file");
        client.status(SYMLINK, symbolic_link(&root, "first", "file"));
        let link = client.lookup(&root, "first").unwrap();
        let none = Arguments::default;
        let in_root = |name: &str| handle(&root).opaque(name);
        let calls = [
            (100_003, 3, 0, none()),
            (100_003, 3, GETATTR, handle(&file)),
            (100_003, 3, SETATTR, handle(&file).size(10).u32(0)),
            (100_003, 3, SETATTR, all_attributes(handle(&file)).u32(0)),
            (100_003, 3, LOOKUP, in_root("file")),
            (100_003, 3, ACCESS, handle(&root).u32(0x3f)),
            (100_003, 3, READLINK, handle(&link)),
            (
                100_003,
                3,
                WRITE,
                write_arguments(&file, 3, &[7; 333], UNSTABLE),
            ),
            (100_003, 3, READ, handle(&file).u64(3).u32(1 << 20)),
            (
                100_003,
                3,
                CREATE,
                in_root("unchecked").u32(0).mode(Some(0o640)),
            ),
            (
                100_003,
                3,
                CREATE,
                all_attributes(in_root("guarded").u32(1)),
            ),
            (100_003, 3, CREATE, in_root("exclusive").u32(2).u64(77)),
            (100_003, 3, MKDIR, in_root("directory").mode(Some(0o750))),
            (
                100_003,
                3,
                SYMLINK,
                symbolic_link(&root, "link", "over/there"),
            ),
            (100_003, 3, MKNOD, in_root("pipe").u32(7).mode(None)),
            (
                100_003,
                3,
                RENAME,
                in_root("unchecked").opaque(&root).opaque("renamed"),
            ),
            (
                100_003,
                3,
                LINK,
                handle(&file).opaque(&root).opaque("second"),
            ),
            (100_003, 3, READDIR, handle(&root).u64(0).u64(0).u32(8192)),
            (
                100_003,
                3,
                READDIRPLUS,
                handle(&root).u64(0).u64(0).u32(4096).u32(8192),
            ),
            (100_003, 3, FSSTAT, handle(&root)),
            (100_003, 3, FSINFO, handle(&root)),
            (100_003, 3, PATHCONF, handle(&root)),
            (100_003, 3, COMMIT, handle(&file).u64(0).u32(0)),
            (100_003, 3, REMOVE, in_root("renamed")),
            (100_003, 3, RMDIR, in_root("directory")),
            (100_005, 3, 0, none()),
            (100_005, 3, 1, none().opaque(NAME)),
            (100_005, 3, 2, none()),
            (100_005, 3, 3, none().opaque(NAME)),
            (100_005, 3, 4, none()),
            (100_005, 3, 5, none()),
            (100_000, 2, 0, none()),
            (100_000, 2, 3, none().u32(100_003).u32(3).u32(6).u32(0)),
            (100_000, 2, 4, none()),
        ];
        let mut sent: Vec<Vec<u8>> = calls
            .iter()
            .map(|(program, version, procedure, arguments)| {
                let call = client.call_bytes(*program, *version, *procedure, arguments);
                client.send(&call);
                let mut reply = client.receive_accepted();
                if (*program, *procedure) > (100_003, 0) && *program == 100_003 {
                    assert_eq!(reply.u32(), OK, "procedure {procedure}");
                }
                call
            })
            .collect();
        let with_groups = with_groups(&handle(&file));
        client.send(&with_groups);
        client.receive().unwrap();
        sent.push(with_groups);
        sent
    })
}

fn symbolic_link(root: &[u8], name: &str, target: &str) -> Arguments {
    handle(root).opaque(name).mode(None).opaque(target)
}

/// Mode, owner, size and times.
fn all_attributes(arguments: Arguments) -> Arguments {
    let owned = arguments.u32(1).u32(0o600).u32(1).u32(0).u32(1).u32(0);
    owned.u32(1).u64(100).u32(2).u32(5).u32(6).u32(1)
}

/// GETATTR by a user of as many groups as a credential can have.
fn with_groups(arguments: &Arguments) -> Vec<u8> {
    let numbers = |record: Arguments, numbers: &[u32]| {
        numbers
            .iter()
            .fold(record, |record, number| record.u32(*number))
    };
    let user = numbers(Arguments::default().u32(0).opaque("host"), &[0, 0, 16]);
    let user = numbers(user, &[4; 16]);
    let head = numbers(Arguments::default(), &[9, 0, 2, 100_003, 3, GETATTR, 1]);
    let mut call = head.opaque(user.0).u32(0).u32(0);
    call.0.extend(&arguments.0);
    call.0
}

/// What goes wrong with bytes.
#[derive(Clone, Debug)]
enum Fault {
    Flip(Index),
    Cut(Index),
    Repeat(Index, Index),
    Number(Index, u32),
}

fn fault() -> impl Strategy<Value = Fault> {
    let number = prop_oneof![
        any::<u32>(),
        0_u32..20,
        prop::sample::select(vec![
            u32::MAX,
            u32::MAX - 3,
            0x7fff_ffff,
            1 << 31,
            1 << 20,
            (1 << 20) + 1,
            401,
            256,
            65,
            17,
        ]),
    ];
    prop_oneof![
        any::<Index>().prop_map(Fault::Flip),
        any::<Index>().prop_map(Fault::Cut),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Fault::Repeat(from, to)),
        (any::<Index>(), number).prop_map(|(at, number)| Fault::Number(at, number)),
    ]
}

fn with_faults(mut bytes: Vec<u8>, faults: &[Fault]) -> Vec<u8> {
    for fault in faults {
        if bytes.len() < 4 {
            break;
        }
        match fault {
            Fault::Flip(bit) => {
                let bit = bit.index(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            Fault::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Fault::Repeat(from, to) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let again = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.splice(from.max(to)..from.max(to), again);
            }
            Fault::Number(at, number) => {
                let at = at.index(bytes.len() / 4) * 4;
                bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
            }
        }
    }
    bytes
}

#[test]
fn what_a_server_has_done_is_understood_whole_and_not_when_a_byte_is_missing() {
    for bytes in real_calls() {
        let procedure = &bytes[12..24];
        assert!(call(bytes), "{procedure:?}");
        assert_eq!(records(0, &whole(bytes)), 1);
        // The longest arguments end where they end; nothing is asked beyond them.
        for length in 0..bytes.len() {
            let understood = call(&bytes[..length]);
            assert!(
                !understood || bytes.len() - length <= 4,
                "{procedure:?}, {length} bytes"
            );
        }
    }
    let stream: Vec<u8> = real_calls().iter().flat_map(|call| whole(call)).collect();
    for how in 0..=255 {
        assert_eq!(records(how, &stream), real_calls().len());
    }
}

#[test]
fn the_longest_records_take_the_memory_that_is_written_here_and_no_more() {
    let of = |stream: &[u8]| {
        let bytes = [&[0], stream].concat();
        memory(|| fuzzing::record(&bytes))
    };
    // What is only claimed counts as well; the kernel gives it when it is touched.
    let (read, memory) = of(&[&mark(RECORD_BYTES_MAX, true)[..], &[0; 40]].concat());
    assert_eq!(read, 0);
    assert!(
        (RECORD_BYTES_MAX..=RECORD_MEMORY_MAX).contains(&memory),
        "{memory}"
    );
    // The worst: it grows by the last step.
    let (step, long) = (vec![1; STEP], vec![0xff; RECORD_BYTES_MAX - STEP]);
    let in_two = [
        &mark(long.len(), false)[..],
        &long,
        &mark(STEP, true),
        &step,
    ];
    let (read, memory) = of(&in_two.concat());
    assert_eq!(read, 1);
    assert!(
        (2 * RECORD_BYTES_MAX..=RECORD_MEMORY_MAX).contains(&memory),
        "{memory}"
    );
    // One byte more is refused, and takes nothing.
    let (read, memory) = of(&mark(RECORD_BYTES_MAX + 1, true));
    assert_eq!(read, 0);
    assert!(memory < 20 << 10, "{memory}");
    // Pieces of a record without an end.
    assert_eq!(records(0, &mark(1, false).repeat(5000)), 0);
    assert_eq!(records(0, &mark(0, false).repeat(5000)), 0);
    let most = [mark(0, false).repeat(4095), mark(0, true).to_vec()].concat();
    assert_eq!(records(0, &most), 1);
    assert_eq!(records(0, &[&mark(0, false)[..], &most].concat()), 0);
    // The longest name of an export, where each byte becomes three.
    let mut client_call = real_calls()[26].clone();
    client_call.truncate(client_call.len() - 4 - NAME.len().next_multiple_of(4));
    client_call.extend(Arguments::default().opaque([0xff; 1024]).0);
    assert!(call(&client_call));
}

#[test]
#[ignore = "writes the calls to fuzz/corpus, for the fuzzer to begin with"]
fn write_the_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for target in ["call", "record"] {
        std::fs::create_dir_all(corpus.join(target)).unwrap();
    }
    for (number, call) in real_calls().iter().enumerate() {
        std::fs::write(corpus.join(format!("call/real-{number}")), call).unwrap();
        let stream = [&[number as u8][..], &whole(call), &whole(call)].concat();
        std::fs::write(corpus.join(format!("record/real-{number}")), stream).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_are_read_within_bounds(bytes in prop::collection::vec(any::<u8>(), 0..600), how: u8) {
        call(&bytes);
        records(how, &bytes);
        records(how, &whole(&bytes));
    }

    #[test]
    fn real_calls_with_faults_are_read_within_bounds(
        which: Index, faults in prop::collection::vec(fault(), 1..6),
    ) {
        call(&with_faults(which.get(real_calls()).clone(), &faults));
    }

    #[test]
    fn streams_with_faults_are_read_within_bounds(
        calls in prop::collection::vec((any::<Index>(), 1_usize..200), 1..6),
        faults in prop::collection::vec(fault(), 0..4),
        how: u8,
    ) {
        let mut stream = Vec::new();
        for (which, piece) in &calls {
            let call = which.get(real_calls());
            let pieces = call.len().div_ceil(*piece);
            for (number, piece) in call.chunks(*piece).enumerate() {
                stream.extend(mark(piece.len(), number + 1 == pieces));
                stream.extend(piece);
            }
        }
        let read = records(how, &with_faults(stream, &faults));
        prop_assert!(!faults.is_empty() || read == calls.len());
    }
}
