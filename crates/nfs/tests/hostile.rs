//! Clients that mean harm or are broken.
//! What lives here: half records, giant lengths, slow senders, takers of no replies, strangers. What does not: valid calls.

mod world;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use nfs::ServerOptions;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use world::*;

fn impatient() -> ServerOptions {
    ServerOptions {
        patience: Duration::from_millis(200),
        ..options()
    }
}

fn connect(world: &World) -> TcpStream {
    let stream = TcpStream::connect(world.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// The server closes the connection, and says nothing before.
fn is_closed(mut stream: TcpStream) {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => assert_eq!(said, b""),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[test]
fn a_record_that_claims_too_much_ends_the_connection() {
    let world = World::new();
    let most = (1 << 20) + (128 << 10);
    for mark in [u32::MAX, 1 << 31 | (most + 1), 0x7fff_ffff] {
        let mut stream = connect(&world);
        stream.write_all(&mark.to_be_bytes()).unwrap();
        is_closed(stream);
    }
    // In many small pieces it is too much as well.
    let mut stream = connect(&world);
    let piece = [&(1_u32 << 16).to_be_bytes()[..], &[0; 1 << 16]].concat();
    while stream.write_all(&piece).is_ok() {}
    is_closed(stream);
    let mut stream = connect(&world);
    while stream.write_all(&[0; 4000]).is_ok() {}
    is_closed(stream);
    // The longest that is allowed is read, and it is no call.
    let mut client = world.client();
    client.send(&vec![0xff; most as usize]);
    assert!(client.mount(NAME).is_ok());
}

#[test]
fn who_stops_in_a_record_or_sends_it_byte_by_byte_is_not_waited_for() {
    let world = World::with(|_| {}, impatient());
    let mut half = connect(&world);
    half.write_all(&[0x80, 0, 0, 100, 1, 2, 3]).unwrap();
    let mut slow = connect(&world);
    let dripping = std::thread::spawn(move || {
        slow.write_all(&[0x80, 1, 0, 0]).unwrap();
        while slow.write_all(&[0]).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    is_closed(half);
    dripping.join().unwrap();
    let mut gone = connect(&world);
    gone.write_all(&[0x80, 0, 0, 100, 1]).unwrap();
    gone.shutdown(Shutdown::Write).unwrap();
    is_closed(gone);
    assert!(world.client().mount(NAME).is_ok());
}

#[test]
fn a_record_in_pieces_is_put_together_and_a_burst_is_answered_in_whole() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    let call = client.call_bytes(100_003, 3, GETATTR, &handle(&root));
    for (number, piece) in call.chunks(7).enumerate() {
        let last = u32::from((number + 1) * 7 >= call.len()) << 31;
        client
            .stream
            .write_all(&(last | piece.len() as u32).to_be_bytes())
            .unwrap();
        client.stream.write_all(piece).unwrap();
    }
    assert_eq!(client.receive_accepted().u32(), OK);
    let mut burst = Vec::new();
    for _ in 0..500 {
        let call = client.call_bytes(100_003, 3, GETATTR, &handle(&root));
        burst.extend((1 << 31 | call.len() as u32).to_be_bytes());
        burst.extend(call);
    }
    client.stream.write_all(&burst).unwrap();
    for _ in 0..500 {
        client.receive().unwrap();
    }
}

#[test]
fn who_takes_no_replies_is_let_go_and_the_server_can_stop() {
    let mut world = World::with(|_| {}, impatient());
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    client.write(&file, 0, &[1; 1 << 20], UNSTABLE).unwrap();
    let mut greedy = world.client();
    let call = greedy.call_bytes(100_003, 3, READ, &handle(&file).u64(0).u32(1 << 20));
    let record = [&(1 << 31 | call.len() as u32).to_be_bytes()[..], &call].concat();
    while greedy.stream.write_all(&record).is_ok() {}
    assert!(client.attributes(&root).is_ok());
    let mut another = world.client();
    (0..64).for_each(|_| another.send(&call));
    world.server.take().unwrap().stop();
}

#[test]
fn who_is_stuck_keeps_nobody_waiting_and_is_let_go_in_the_end() {
    // Long enough for what the others do meanwhile, which is proved below to have been done in that time.
    let patient = ServerOptions {
        patience: Duration::from_secs(3),
        ..options()
    };
    let world = World::with(|_| {}, patient);
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    client.write(&file, 0, &[1; 1 << 20], UNSTABLE).unwrap();
    let write = client.call_bytes(
        100_003,
        3,
        WRITE,
        &write_arguments(&file, 0, &[9; 1000], FILE_SYNC),
    );
    let read = client.call_bytes(100_003, 3, READ, &handle(&file).u64(0).u32(1 << 20));
    let whole = |call: &[u8]| [&(1 << 31 | call.len() as u32).to_be_bytes()[..], call].concat();
    // Half a record mark, half a head, a WRITE without its last byte.
    let mut stuck: Vec<TcpStream> = [2, 20, write.len() + 3]
        .into_iter()
        .cycle()
        .take(30)
        .map(|length| {
            let mut half = connect(&world);
            half.write_all(&whole(&write)[..length]).unwrap();
            half
        })
        .collect();
    // Many megabytes asked for and none taken, until the server takes no more calls either.
    for _ in 0..3 {
        let greedy = connect(&world);
        greedy.set_nonblocking(true).unwrap();
        let reads = whole(&read).repeat(1 << 14);
        wait_until(
            "the server takes no more",
            || matches!((&greedy).write(&reads), Err(error) if error.kind() == ErrorKind::WouldBlock),
        );
        greedy.set_nonblocking(false).unwrap();
        greedy.set_write_timeout(Some(LIMIT)).unwrap();
        stuck.push(greedy);
    }
    for round in 0..20_u8 {
        client.write(&file, 0, &[round; 4096], FILE_SYNC).unwrap();
        assert_eq!(client.read(&file, 0, 1).unwrap().0, [round]);
        assert!(world.client().mount(NAME).is_ok());
    }
    drop(world.exports.quiesce(NAME, LIMIT).unwrap());
    // None of them was let go before that.
    for half in &stuck[..30] {
        half.set_nonblocking(true).unwrap();
        let said = (&mut &*half).read(&mut [0]).unwrap_err();
        assert_eq!(said.kind(), ErrorKind::WouldBlock);
        half.set_nonblocking(false).unwrap();
    }
    let greedy = stuck.split_off(30);
    stuck.into_iter().for_each(is_closed);
    for greedy in greedy {
        // It takes nothing even now, but its calls are refused.
        wait_until(
            "the end of a taker of no replies",
            || matches!((&greedy).write(&[0; 1]), Err(error) if error.kind() != ErrorKind::WouldBlock),
        );
    }
    assert_eq!(client.read(&file, 0, 2).unwrap().0, [19; 2]);
}

#[test]
fn who_takes_replies_drop_by_drop_is_let_go() {
    const REPLIES: usize = 64;
    let world = World::with(|_| {}, impatient());
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    client.write(&file, 0, &[1; 1 << 20], UNSTABLE).unwrap();
    let mut slow = world.client();
    let call = slow.call_bytes(100_003, 3, READ, &handle(&file).u64(0).u32(1 << 20));
    (0..REPLIES).for_each(|_| slow.send(&call));
    // A reply takes most of a second at this pace, and each moment sees some of it taken.
    let (mut taken, mut drop) = (0, vec![0; 32 << 10]);
    while let Ok(bytes @ 1..) = slow.stream.read(&mut drop) {
        taken += bytes;
        assert!(taken < REPLIES << 20, "all replies were sent");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(client.attributes(&root).is_ok());
}

#[test]
fn a_stop_answers_what_was_received() {
    let mut world = World::new();
    let (mut client, root) = world.mounted();
    for round in 0..100_u32 {
        let create = handle(&root)
            .opaque(format!("file-{round}"))
            .u32(0)
            .mode(None);
        let call = client.call_bytes(100_003, 3, CREATE, &create);
        client.send(&call);
    }
    // The first answer proves that the connection is being served.
    client.receive().unwrap();
    world.server.take().unwrap().stop();
    let mut answers = 1;
    while client.receive().is_ok() {
        answers += 1;
    }
    assert_eq!(
        answers,
        std::fs::read_dir(world.directory.path()).unwrap().count()
    );
}

#[test]
fn a_stranger_gets_few_connections() {
    let world = World::new();
    world.set_policy(|policy| policy.allowed = vec!["10.0.0.1".parse().unwrap()]);
    let mut clients: Vec<Client> = (0..20).map(|_| world.client()).collect();
    let null = Arguments::default();
    let answered = clients
        .iter_mut()
        .filter_map(|client| {
            let call = client.call_bytes(100_003, 3, 0, &null);
            let mark = (1 << 31 | call.len() as u32).to_be_bytes();
            client.stream.write_all(&[&mark, &call[..]].concat()).ok()?;
            client.receive().ok()
        })
        .count();
    assert_eq!(answered, 8);
    drop(clients);
    wait_until("room for another", || {
        let mut client = world.client();
        let call = client.call_bytes(100_003, 3, 0, &null);
        client.send(&call);
        client.receive().is_ok()
    });
}

#[test]
fn whatever_is_sent_the_server_goes_on() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    let arguments = (
        0_u32..24,
        prop::collection::vec(any::<u8>(), 0..200),
        any::<bool>(),
        any::<bool>(),
    );
    let mut runner = TestRunner::default();
    let result = runner.run(&arguments, |(procedure, bytes, with_handle, root_first)| {
        let mut arguments = match (with_handle, root_first) {
            (true, true) => handle(&root),
            (true, false) => handle(&file),
            (false, _) => Arguments::default(),
        };
        arguments.0.extend(&bytes);
        let mut sender = world.client();
        let program = if bytes.len() % 5 == 0 {
            100_005
        } else {
            100_003
        };
        let call = sender.call_bytes(program, 3, procedure, &arguments);
        sender.send(&call);
        let reply = sender.receive().expect("an answer");
        prop_assert_eq!(&reply[..4], &call[..4]);
        Ok(())
    });
    result.unwrap();
    assert!(client.attributes(&root).is_ok());
}
