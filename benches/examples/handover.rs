//! How long a word takes from one processor to another and back, halved, ten times: near 30 ns within a
//! last-level cache, several times that across two. Threads that share one lane's work pay it for every
//! line that the other wrote; `cargo run --release -p critbatch-benches --example handover`.

#![expect(clippy::print_stdout, reason = "what it measures is what it is for")]

use std::hint;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const N_ROUND_TRIPS: u32 = 20_000;

fn main() {
    for _ in 0..10 {
        println!("{:.0} ns", nanoseconds_one_way());
        thread::sleep(Duration::from_millis(300));
    }
}

fn nanoseconds_one_way() -> f64 {
    let word = AtomicU32::new(0);
    let wait_for = |value| {
        while word.load(Ordering::Acquire) != value {
            hint::spin_loop();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            for trip in 0..=N_ROUND_TRIPS {
                wait_for(2 * trip + 1);
                word.store(2 * trip + 2, Ordering::Release);
            }
        });
        let there_and_back = |trip| {
            word.store(2 * trip + 1, Ordering::Release);
            wait_for(2 * trip + 2);
        };
        // The first waits until the thread is there.
        there_and_back(0);
        let began = Instant::now();
        (1..=N_ROUND_TRIPS).for_each(there_and_back);
        began.elapsed().as_secs_f64() * 1e9 / f64::from(2 * N_ROUND_TRIPS)
    })
}
