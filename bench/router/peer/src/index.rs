//! The indexes behind one face.

use std::time::{Duration, Instant};

use dynamo_kv_router::protocols::{LocalBlockHash, OverlapScores, RouterEvent};
use dynamo_kv_router::{ConcurrentRadixTreeCompressed, RadixTree, SyncIndexer, ThreadPoolIndexer};
use tokio::runtime::Runtime;

pub trait Index {
    /// What a look-up takes, made before it is timed.
    type Query<'a>;

    fn new() -> Self;
    fn query(sequence: &[LocalBlockHash]) -> Self::Query<'_>;
    fn find(&self, query: Self::Query<'_>) -> OverlapScores;
    /// Applies an event now or soon.
    fn apply(&mut self, event: RouterEvent);
    /// Waits until all events are applied.
    fn settle(&self);
    /// How long it takes to apply all events, without the making of them.
    fn apply_all(&mut self, events: impl Iterator<Item = RouterEvent>) -> Duration;
}

/// One thread, events applied by the caller.
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

    /// The sum of the calls, each event being made, and warm in the cache, just before its own.
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

/// Two threads apply events; the caller looks up.
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

    /// From the first event's hand-over to the last one's end, all made before: so neither thread waits for them.
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
