//! How fast the verifier is beside a plain read of the same memory: run it with --release, see bench/verify.
//! What lives here: the measurement. What does not: any disk; the blocks are in memory, and one core does the work.

use std::hint::black_box;
use std::time::{Duration, Instant};

use oracle::address::BlockAddress;
use oracle::block::{self, BlockHeader, BlockSize, kind};
use oracle::scn::Scn;
use oracle::verify::{Addresses, BlockJudge, Expectations, Summary};

const ROUNDS: usize = 15;
const MIB: usize = 1 << 20;

fn main() {
    println!("one core, best of {ROUNDS} interleaved rounds, GB/s = 10^9 bytes a second");
    println!("blocks  buffer     plain u64 sum  verifier      ratio");
    for size in [BlockSize::K2, BlockSize::K8, BlockSize::K32] {
        // From the processor's cache, as when a file is judged chunk by chunk, and from memory.
        for buffer_bytes in [MIB, 512 * MIB] {
            measure(size, buffer_bytes);
        }
    }
}

fn measure(size: BlockSize, buffer_bytes: usize) {
    let bytes = sealed_blocks(size, buffer_bytes);
    let expectations = Expectations::Datafile {
        addresses: Addresses::Smallfile(5),
        zero_allowed: false,
        formatted_blocks: None,
    };
    let judge = BlockJudge::new(size.bytes() as u32, expectations).expect("a block size");
    // As often as it takes to go over 512 MiB.
    let passes = 512 * MIB / buffer_bytes;
    let (mut plain, mut verifier) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        plain = plain.min(timed(passes, || {
            black_box(sum(black_box(&bytes)));
        }));
        verifier = verifier.min(timed(passes, || {
            let summary = judge_all(&judge, black_box(&bytes));
            assert_eq!(summary.marked_corrupt(), 0);
        }));
    }
    let rate = |time: Duration| (512 * MIB) as f64 / time.as_secs_f64() / 1e9;
    println!(
        "{:>5}K  {:>5} MiB  {:>8.2} GB/s  {:>8.2} GB/s  {:>7.2}",
        size.bytes() >> 10,
        buffer_bytes / MIB,
        rate(plain),
        rate(verifier),
        rate(verifier) / rate(plain)
    );
}

fn timed(passes: usize, mut pass: impl FnMut()) -> Duration {
    let begun = Instant::now();
    for _ in 0..passes {
        pass();
    }
    begun.elapsed()
}

/// Reads every byte and does as little as possible with it.
fn sum(bytes: &[u8]) -> u64 {
    bytes.chunks_exact(8).fold(0u64, |sum, word| {
        sum.wrapping_add(u64::from_le_bytes(
            word.try_into().expect("chunks of eight bytes"),
        ))
    })
}

fn judge_all(judge: &BlockJudge, bytes: &[u8]) -> Summary {
    let mut summary = Summary::default();
    for (number, block) in (1..).zip(bytes.chunks_exact(judge.block_bytes())) {
        summary.add(number, judge.judge(number, block));
    }
    summary
}

fn sealed_blocks(size: BlockSize, buffer_bytes: usize) -> Vec<u8> {
    let mut word = 0x9e37_79b9_7f4a_7c15u64;
    let mut bytes = vec![0; buffer_bytes];
    for chunk in bytes.chunks_exact_mut(8) {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    for (number, block) in (1..).zip(bytes.chunks_exact_mut(size.bytes())) {
        BlockHeader {
            kind: kind::DATA,
            format: size.format_code(),
            address: BlockAddress::smallfile(5, number),
            scn: Scn::new(4711),
            sequence: 1,
            flags: 0,
            check_value: 0,
        }
        .write(block);
        block::seal(block);
    }
    bytes
}
