//! A common interface to the indexes.

use std::time::{Duration, Instant};

use dynamo_kv_router::protocols::{LocalBlockHash, OverlapScores, RouterEvent};
use dynamo_kv_router::{ConcurrentRadixTreeCompressed, RadixTree, SyncIndexer, ThreadPoolIndexer};
use tokio::runtime::Runtime;

pub trait Index {
    /// The argument of a look-up, prepared before it is timed.
    type Query<'a>;

    fn new() -> Self;
    fn query(sequence: &[LocalBlockHash]) -> Self::Query<'_>;
    fn find(&self, query: Self::Query<'_>) -> OverlapScores;
    /// Applies an event, possibly asynchronously.
    fn apply(&mut self, event: RouterEvent);
    /// Waits until all events are applied.
    fn settle(&self);
    /// How long it takes to apply all events, not including their creation.
    fn apply_all(&mut self, events: impl Iterator<Item = RouterEvent>) -> Duration;
}

/// A single thread: events are applied by the caller.
pub struct Radix(RadixTree);

impl Index for Radix {
    type Query<'a> = Vec<LocalBlockHash>;

    fn new() -> Self {
        Self(RadixTree::new())
    }

    fn query(sequence: &[LocalBlockHash]) -> Vec<LocalBlockHash> {
        sequence.to_vec()
    }

    fn find(&self, query: Vec<LocalBlockHash>) -> OverlapScores {
        self.0.find_matches(query, false)
    }

    fn apply(&mut self, event: RouterEvent) {
        self.0.apply_event(event).expect("the event applies");
    }

    fn settle(&self) {}

    /// The sum of the calls; each event is created, and thus in the cache, just before its call.
    fn apply_all(&mut self, events: impl Iterator<Item = RouterEvent>) -> Duration {
        let mut total = Duration::ZERO;
        for event in events {
            let start = Instant::now();
            self.apply(event);
            total += start.elapsed();
        }
        total
    }
}

/// Two threads apply events; the caller does look-ups.
pub struct Concurrent {
    pool: ThreadPoolIndexer<ConcurrentRadixTreeCompressed>,
    runtime: Runtime,
}

const THREADS: usize = 2;
const BLOCK_SIZE: u32 = 16;

impl Index for Concurrent {
    type Query<'a> = &'a [LocalBlockHash];

    fn new() -> Self {
        let tree = ConcurrentRadixTreeCompressed::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        Self {
            pool: ThreadPoolIndexer::new(tree, THREADS, BLOCK_SIZE),
            runtime: runtime.expect("a runtime starts"),
        }
    }

    fn query(sequence: &[LocalBlockHash]) -> &[LocalBlockHash] {
        sequence
    }

    fn find(&self, query: &[LocalBlockHash]) -> OverlapScores {
        SyncIndexer::find_matches(self.pool.backend(), query, false)
    }

    fn apply(&mut self, event: RouterEvent) {
        self.pool.enqueue_event(event).expect("the threads run");
    }

    fn settle(&self) {
        let flushed = self.runtime.block_on(self.pool.flush_and_wait());
        flushed.expect("the threads run");
    }

    /// From enqueuing the first event to the end of the last one. All are created before, so that no thread waits for
    /// them.
    fn apply_all(&mut self, events: impl Iterator<Item = RouterEvent>) -> Duration {
        let events: Vec<RouterEvent> = events.collect();
        let start = Instant::now();
        for event in events {
            self.apply(event);
        }
        self.settle();
        start.elapsed()
    }
}
