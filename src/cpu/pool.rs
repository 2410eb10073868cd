//! Threads that share one operation after another.
//!
//! A decode step is several hundred operations of microseconds each: too short for threads that sleep between them, while
//! threads that spin for ever take the processor from everybody else, and from each other on a busy machine. So a worker
//! spins for a moment after its last operation, and then sleeps. Tasks are dealt as they are asked for, and an operation
//! ends without those workers that have not come to it: one that the system has put aside holds nothing up.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a worker looks out for the next operation before it sleeps: longer than what lies between two operations of a
/// forward pass.
const LOOKOUT: Duration = Duration::from_micros(100);

/// Turns of a spinning wait between two looks at the clock, or two offers of the processor to others.
const SPINS: u32 = 256;

/// Some threads, the caller's among them.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held while an operation runs.
    turn: Mutex<()>,
}

struct Shared {
    /// Odd while an operation is open to workers; grows.
    epoch: Line<AtomicUsize>,
    /// Workers that are, or are about to see whether they are, at an operation.
    inside: Line<AtomicUsize>,
    /// The next task.
    next: Line<AtomicUsize>,
    operation: UnsafeCell<Operation>,
    asleep: Vec<Line<AtomicBool>>,
    panicked: AtomicBool,
    ends: AtomicBool,
}

// SAFETY: `operation` is written only while the epoch is even and nobody is inside, and read only by those inside while the
// epoch is odd; see `Pool::run` and `Shared::join`.
unsafe impl Sync for Shared {}
// SAFETY: the pointer in `operation` is followed only while the caller of `Pool::run` waits; the task behind it is `Sync`.
unsafe impl Send for Shared {}

#[derive(Clone, Copy)]
struct Operation {
    task: *const (dyn Fn(usize) + Sync),
    tasks: usize,
}

/// A value on a cache line of its own, and the one that is fetched along with it.
#[repr(align(128))]
struct Line<T>(T);

impl Pool {
    /// The pool of this process: a thread for each of the processors that it may use, or as many as `CANDLE_NUM_THREADS`
    /// says.
    pub fn global() -> &'static Self {
        static POOL: OnceLock<Pool> = OnceLock::new();
        POOL.get_or_init(|| Self::new(candle_core::utils::get_num_threads()))
    }

    /// A pool of so many threads, of which the caller's is one.
    pub fn new(threads: usize) -> Self {
        let workers = threads.max(1) - 1;
        let shared = Arc::new(Shared {
            epoch: Line(AtomicUsize::new(0)),
            inside: Line(AtomicUsize::new(0)),
            next: Line(AtomicUsize::new(0)),
            operation: UnsafeCell::new(Operation { task: &|_| {}, tasks: 0 }),
            asleep: (0..workers).map(|_| Line(AtomicBool::new(false))).collect(),
            panicked: AtomicBool::new(false),
            ends: AtomicBool::new(false),
        });
        let spawn = |worker| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name(format!("cpu-{worker}")).spawn(move || shared.work(worker))
        };
        // Where the system gives no more threads, those that there are do the work.
        let workers = (0..workers).map_while(|worker| spawn(worker).ok()).collect();
        Self { shared, workers, turn: Mutex::new(()) }
    }

    /// Threads, the caller's among them.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Does `task(0)` to `task(tasks - 1)`, in any order, each on one of the threads.
    ///
    /// An operation within another, or beside another thread's, is done by its caller alone.
    ///
    /// # Panics
    /// If a task does.
    pub fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        let _turn = match self.turn.try_lock() {
            Ok(turn) if tasks > 1 && !self.workers.is_empty() => turn,
            // A task of an earlier operation panicked; that operation is over all the same.
            Err(TryLockError::Poisoned(turn)) if tasks > 1 && !self.workers.is_empty() => turn.into_inner(),
            _ => return (0..tasks).for_each(task),
        };
        let shared = &*self.shared;
        shared.next.0.store(0, Relaxed);
        // SAFETY: the epoch is even and the last operation's workers have left, so nobody reads it. The lifetime is that of
        // this call, which does not end before all who follow the pointer have left.
        unsafe {
            let task = std::mem::transmute::<*const (dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync)>(task);
            *shared.operation.get() = Operation { task, tasks };
        }
        shared.epoch.0.fetch_add(1, SeqCst);
        for (asleep, worker) in shared.asleep.iter().zip(&self.workers) {
            if asleep.0.load(SeqCst) {
                worker.thread().unpark();
            }
        }
        let own = catch_unwind(AssertUnwindSafe(|| shared.take_tasks(task, tasks)));
        if own.is_err() {
            // The others need not go on.
            shared.next.0.store(tasks, Relaxed);
        }
        shared.epoch.0.fetch_add(1, SeqCst);
        let mut spins = 0;
        while shared.inside.0.load(SeqCst) != 0 {
            std::hint::spin_loop();
            spins += 1;
            if spins % SPINS == 0 {
                thread::yield_now();
            }
        }
        let theirs = shared.panicked.swap(false, Relaxed);
        if let Err(panic) = own {
            std::panic::resume_unwind(panic);
        }
        assert!(!theirs, "a task of the pool panicked");
    }
}

impl Pool {
    /// Does the tasks of several lists as one operation: `task(list, 0)` to `task(list, counts[list] - 1)` of each.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub fn run_lists(&self, counts: &[usize], task: &(dyn Fn(usize, usize) + Sync)) {
        let sum = |end: &mut usize, count: &usize| {
            *end += count;
            Some(*end)
        };
        let ends: Vec<usize> = counts.iter().scan(0, sum).collect();
        self.run(ends.last().copied().unwrap_or(0), &|at| {
            let list = ends.partition_point(|end| *end <= at);
            task(list, at + counts[list] - ends[list]);
        });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.ends.store(true, SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // It catches what its tasks throw.
            worker.join().unwrap_or_default();
        }
    }
}

impl Shared {
    /// A worker's life.
    fn work(&self, worker: usize) {
        let mut last = 0;
        while !self.ends.load(SeqCst) {
            match self.lookout(last, &self.asleep[worker].0) {
                Some(epoch) => {
                    self.join(epoch);
                    last = epoch;
                }
                None => return,
            }
        }
    }

    /// Waits for an open operation other than the last one; `None` if the pool ends.
    fn lookout(&self, last: usize, asleep: &AtomicBool) -> Option<usize> {
        let open = || Some(self.epoch.0.load(SeqCst)).filter(|epoch| epoch % 2 == 1 && *epoch != last);
        let start = Instant::now();
        loop {
            for _ in 0..SPINS {
                if let Some(epoch) = open() {
                    return Some(epoch);
                }
                std::hint::spin_loop();
            }
            if self.ends.load(SeqCst) {
                return None;
            }
            if start.elapsed() > LOOKOUT {
                break;
            }
        }
        asleep.store(true, SeqCst);
        // Whoever opens an operation from here on sees the flag, and wakes this thread.
        let epoch = loop {
            if self.ends.load(SeqCst) {
                break None;
            }
            if let Some(epoch) = open() {
                break Some(epoch);
            }
            thread::park();
        };
        asleep.store(false, SeqCst);
        epoch
    }

    /// Takes part in the operation of this epoch, if it is still open.
    fn join(&self, epoch: usize) {
        self.inside.0.fetch_add(1, SeqCst);
        // Whoever closes the operation after this look sees that a worker is inside, and waits.
        if self.epoch.0.load(SeqCst) == epoch {
            // SAFETY: written before the epoch became this one, and not again before this worker has left.
            let Operation { task, tasks } = unsafe { *self.operation.get() };
            // SAFETY: the caller of `Pool::run` waits until this worker has left.
            let task = unsafe { &*task };
            if catch_unwind(AssertUnwindSafe(|| self.take_tasks(task, tasks))).is_err() {
                self.panicked.store(true, Relaxed);
                self.next.0.store(tasks, Relaxed);
            }
        }
        self.inside.0.fetch_sub(1, SeqCst);
    }

    fn take_tasks(&self, task: &(dyn Fn(usize) + Sync), tasks: usize) {
        loop {
            let at = self.next.0.fetch_add(1, Relaxed);
            if at >= tasks {
                return;
            }
            task(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once() {
        let pool = Pool::new(4);
        for tasks in [0, 1, 2, 3, 7, 100, 1000] {
            let done: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
            pool.run(tasks, &|task| {
                done[task].fetch_add(1, SeqCst);
            });
            assert!(done.iter().all(|count| count.load(SeqCst) == 1), "{tasks} tasks");
        }
    }

    #[test]
    fn every_task_of_every_list_is_done_once() {
        let pool = Pool::new(3);
        for counts in [&[][..], &[0], &[3], &[2, 0, 5, 1], &[0, 0, 7, 0]] {
            let list = |count: &usize| (0..*count).map(|_| AtomicUsize::new(0)).collect();
            let done: Vec<Vec<AtomicUsize>> = counts.iter().map(list).collect();
            pool.run_lists(counts, &|list, task| {
                done[list][task].fetch_add(1, SeqCst);
            });
            assert!(done.iter().flatten().all(|count| count.load(SeqCst) == 1), "{counts:?}");
        }
    }

    #[test]
    fn operations_follow_each_other_awake_and_asleep() {
        let pool = Pool::new(3);
        let sum = AtomicUsize::new(0);
        for round in 0..2000 {
            pool.run(8, &|task| {
                sum.fetch_add(task, SeqCst);
            });
            if round % 500 == 0 {
                thread::sleep(10 * LOOKOUT);
            }
        }
        assert_eq!(sum.load(SeqCst), 2000 * 28);
    }

    #[test]
    fn an_operation_within_another_is_done_by_its_caller() {
        let pool = Pool::new(2);
        let count = AtomicUsize::new(0);
        pool.run(4, &|_| {
            pool.run(4, &|_| {
                count.fetch_add(1, SeqCst);
            });
        });
        assert_eq!(count.load(SeqCst), 16);
    }

    #[test]
    fn several_callers_share_a_pool() {
        let (pool, count) = (Pool::new(2), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        pool.run(3, &|_| {
                            count.fetch_add(1, SeqCst);
                        });
                    }
                });
            }
        });
        assert_eq!(count.load(SeqCst), 4 * 200 * 3);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_the_pool_usable() {
        let pool = Pool::new(3);
        for bad in [0, 5, 15] {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                pool.run(16, &|task| {
                    assert_ne!(task, bad, "this task fails");
                });
            }));
            assert!(panicked.is_err());
        }
        let count = AtomicUsize::new(0);
        pool.run(16, &|_| {
            count.fetch_add(1, SeqCst);
        });
        assert_eq!(count.load(SeqCst), 16);
    }
}
