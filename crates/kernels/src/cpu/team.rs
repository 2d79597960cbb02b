//! How threads share lanes, and then the work within the last ones.
//!
//! Each thread takes one lane after another, those with most to do first. One that finds none left is free:
//! from then on the lanes that still run hand out their ops in pieces. Lanes are at different distances
//! from their next measurement, so without the second half a thread idled for an eighth of a study's
//! time.
//!
//! Free threads wait in a spin, because an op is often shorter than waking a thread that sleeps: a pool of
//! rayon puts a thread to sleep within microseconds, and waking it costs tens of them, on virtual machines
//! more. So they poll for pieces, and the one that hands pieces out polls until the last is done.
//!
//! # No thread waits for itself
//! A thread that waits in rayon may take up any job of the pool meanwhile, and that job then has to
//! end first. Pieces wait for nothing but pieces that run, lanes for nothing but their pieces, and pieces are
//! handed out only when no lane of the run waits to be taken. Only polling waits for lanes, so it must
//! not begin on top of one: [`AT_WORK`].

use std::cell::Cell;
use std::hint;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rayon::Yield;

/// Polls before the processor is offered to others, of which there are none on a quiet machine.
const POLLS_PER_YIELD: u32 = 1 << 10;

/// Pauses of the processor between two looks at the pool: other threads' queues stay in their caches.
const PAUSES_PER_POLL: u32 = 16;

thread_local! {
    /// Whether this thread is in the middle of a lane or a piece.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

/// Threads that have no lane any more, if there are.
pub(super) struct FreeThreads(AtomicBool);

impl FreeThreads {
    /// Whether there is one, so that a lane does well to hand out pieces.
    pub(super) fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Calls `work(lane, free)` for each lane, by how much it has to do, most first; threads that find no lane
/// left are `free` for the pieces of the others.
pub(super) fn for_each_lane<L: Send>(
    lanes: impl Iterator<Item = L>,
    n_to_do: impl Fn(&L) -> u32,
    work: impl Fn(L, &FreeThreads) + Sync,
) {
    let mut lanes: Vec<L> = lanes.collect();
    lanes.sort_by_key(n_to_do);
    let n_lanes = lanes.len();
    let lanes = Mutex::new(lanes);
    let n_ended = AtomicUsize::new(0);
    let free = FreeThreads(AtomicBool::new(false));
    let take_lanes = || {
        loop {
            let next = lanes.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(lane) = next else { break };
            let _job = Job::begin(&n_ended);
            work(lane, &free);
        }
        free.0.store(true, Ordering::Relaxed);
        poll_while(|| n_ended.load(Ordering::Acquire) < n_lanes);
    };
    rayon::scope(|scope| {
        (1..rayon::current_num_threads()).for_each(|_| scope.spawn(|_| take_lanes()));
        take_lanes();
    });
}

/// Calls `work(i, piece)` for the `i`-th piece, on this thread or, if `parallel`, on all that are
/// free.
pub(super) fn for_each_piece<P: Send>(
    parallel: bool,
    pieces: impl ExactSizeIterator<Item = P> + Send,
    work: impl Fn(usize, P) + Sync,
) {
    let n_pieces = pieces.len();
    let n_threads = if parallel { n_pieces.min(rayon::current_num_threads()) } else { 1 };
    if n_threads <= 1 {
        return pieces.enumerate().for_each(|(index, piece)| work(index, piece));
    }
    let pieces = Mutex::new(pieces.enumerate());
    let n_ended = AtomicUsize::new(0);
    let take_pieces = || {
        loop {
            let next = pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((index, piece)) = next else { break };
            let _job = Job::begin(&n_ended);
            work(index, piece);
        }
    };
    rayon::scope(|scope| {
        (1..n_threads).for_each(|_| scope.spawn(|_| take_pieces()));
        take_pieces();
        spin_while(|| n_ended.load(Ordering::Acquire) < n_pieces);
    });
}

/// Takes up jobs of the pool.
fn poll_while(is_needed: impl Fn() -> bool) {
    if AT_WORK.get() {
        return;
    }
    spin_while(|| {
        while let Some(Yield::Executed) = rayon::yield_now() {}
        (0..PAUSES_PER_POLL).for_each(|_| hint::spin_loop());
        is_needed()
    });
}

fn spin_while(is_waiting: impl Fn() -> bool) {
    for poll in 1_u32.. {
        if !is_waiting() {
            break;
        }
        hint::spin_loop();
        if poll.is_multiple_of(POLLS_PER_YIELD) {
            thread::yield_now();
        }
    }
}

/// A lane or a piece under way on this thread; counted when it ends, also in a panic, so that nobody
/// waits for ever.
struct Job<'a> {
    n_ended: &'a AtomicUsize,
    was_at_work: bool,
}

impl<'a> Job<'a> {
    fn begin(n_ended: &'a AtomicUsize) -> Self {
        Self { n_ended, was_at_work: AT_WORK.replace(true) }
    }
}

impl Drop for Job<'_> {
    fn drop(&mut self) {
        AT_WORK.set(self.was_at_work);
        self.n_ended.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use rayon::prelude::*;

    use super::*;

    fn on_threads<R: Send>(n_threads: usize, work: impl FnOnce() -> R + Send) -> R {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build();
        pool.expect("a pool").install(work)
    }

    #[test]
    fn every_piece_is_worked_on_once() {
        for (n_threads, len) in [(1, 5), (2, 0), (2, 1), (3, 7), (4, 100)] {
            let mut data = vec![0; len];
            on_threads(n_threads, || {
                for_each_piece(true, data.iter_mut(), |index, element| *element += index + 1);
            });
            assert_eq!(data, (1..=len).collect::<Vec<_>>(), "{n_threads} threads");
        }
    }

    #[test]
    fn a_free_thread_takes_pieces_and_a_panic_in_one_ends_the_call() {
        let n_begun = AtomicUsize::new(0);
        let result = on_threads(2, || {
            catch_unwind(AssertUnwindSafe(|| {
                for_each_lane(
                    [()].into_iter(),
                    |()| 0,
                    |(), _| {
                        // Each piece waits for the other, so two threads must be at work.
                        for_each_piece(true, 0..2, |index, _| {
                            n_begun.fetch_add(1, Ordering::Release);
                            spin_while(|| n_begun.load(Ordering::Acquire) < 2);
                            assert_eq!(index, 0, "the second piece fails");
                        });
                    },
                );
            }))
        });
        assert!(result.is_err());
    }

    #[test]
    fn lanes_side_by_side_run_on_threads_of_their_own() {
        let n_begun = AtomicUsize::new(0);
        on_threads(2, || {
            for_each_lane(
                [(); 2].into_iter(),
                |()| 1,
                |(), _| {
                    // Each lane waits for the other, so two threads must be at work.
                    n_begun.fetch_add(1, Ordering::Release);
                    spin_while(|| n_begun.load(Ordering::Acquire) < 2);
                },
            );
        });
        assert_eq!(n_begun.into_inner(), 2);
    }

    #[test]
    fn lanes_with_most_to_do_come_first_and_free_threads_help_the_last() {
        let taken = Mutex::new(vec![]);
        let take = |n_to_do, _: &FreeThreads| taken.lock().unwrap().push(n_to_do);
        on_threads(1, || for_each_lane([3, 9, 1, 5].into_iter(), |n_to_do| *n_to_do, take));
        assert_eq!(taken.into_inner().unwrap(), [9, 5, 3, 1]);
        let n_begun = AtomicUsize::new(0);
        on_threads(2, || {
            for_each_lane(
                [2, 1].into_iter(),
                |n_to_do| *n_to_do,
                |n_to_do, free| {
                    // The short lane's thread has to become free, and then to take a piece of the long one.
                    spin_while(|| n_to_do == 2 && !free.is_any());
                    for_each_piece(free.is_any(), 0..2, |_, _| {
                        n_begun.fetch_add(1, Ordering::Release);
                        spin_while(|| n_to_do == 2 && n_begun.load(Ordering::Acquire) < 4);
                    });
                },
            );
        });
        assert_eq!(n_begun.into_inner(), 4);
    }

    #[test]
    fn a_panic_in_one_of_many_lanes_ends_the_call() {
        let result = on_threads(2, || {
            catch_unwind(AssertUnwindSafe(|| {
                for_each_lane(0..8, |_| 0, |lane, _| assert_ne!(lane, 0, "it fails"));
            }))
        });
        assert!(result.is_err());
    }

    #[test]
    fn polling_does_not_begin_on_top_of_a_lane_or_a_piece() {
        let n_polls = AtomicUsize::new(0);
        let poll = || poll_while(|| n_polls.fetch_add(1, Ordering::Relaxed) < 10);
        on_threads(2, || {
            for_each_lane(
                [()].into_iter(),
                |()| 0,
                |(), _| {
                    poll();
                    for_each_piece(true, 0..8, |_, _| poll());
                    poll();
                },
            );
            assert_eq!(n_polls.load(Ordering::Relaxed), 0);
            poll();
        });
        assert_eq!(n_polls.into_inner(), 11, "but it does after them");
    }

    /// Threads that wait take up each other's jobs, in any order.
    #[test]
    fn runs_beside_each_other_in_one_pool_all_end() {
        let n_pieces = AtomicUsize::new(0);
        let run = |_| {
            for_each_lane(
                [3, 5].into_iter(),
                |n_outer| *n_outer,
                |n_outer, free| {
                    for_each_piece(free.is_any(), 0..n_outer, |_, _| {
                        for_each_piece(true, 0..2, |_, _| {
                            n_pieces.fetch_add(1, Ordering::Relaxed);
                        });
                    });
                },
            );
        };
        on_threads(4, || (0..1_000).into_par_iter().for_each(run));
        assert_eq!(n_pieces.into_inner(), 1_000 * (3 + 5) * 2);
    }
}
