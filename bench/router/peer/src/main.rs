//! Replays a workload from bench/router on one of dynamo-kv-router's indexes and prints the figures as JSON.
//! It runs the same passes in the same order on the same hashes as `bench/router/ours.ts`.
//!
//!     stator-router-peer WORKLOAD RadixTree|ConcurrentRadixTreeCompressed
//!     stator-router-peer BATCHES events

mod events;
mod index;
mod memory;
mod workload;

use std::time::{Duration, Instant};

use dynamo_kv_router::protocols::LocalBlockHash;
use index::{Concurrent, Index, Radix};
use workload::Workload;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, path, name] = arguments.as_slice() else {
        panic!("expected two arguments: the workload and the index");
    };
    if name == "events" {
        println!("{}", events::measure(path));
        return;
    }
    let workload = Workload::read(path);
    let figures = match name.as_str() {
        "RadixTree" => measure::<Radix>(&workload),
        "ConcurrentRadixTreeCompressed" => measure::<Concurrent>(&workload),
        other => panic!("unknown index {other}"),
    };
    println!("{figures}");
}

fn measure<I: Index>(workload: &Workload) -> String {
    let mut index = I::new();
    let growing = growing_finds(&mut index, workload);
    let full = full_finds(&index, workload);
    let pairs = workload.pairs();
    let removing = index.apply_all(workload.removals());
    assert_eq!(
        full_finds(&index, workload).hit_blocks,
        0,
        "some blocks were not removed"
    );
    drop(index);

    let mut index = I::new();
    let storing = index.apply_all(workload.stores());
    drop(index);

    let (live, peak) = memory::of(|| {
        let mut index = I::new();
        for event in workload.stores() {
            index.apply(event);
            index.settle();
        }
        index
    });
    format!(
        concat!(
            r#"{{"growing":{},"full":{},"stores_per_s":{:.0},"removes_per_s":{:.0},"#,
            r#""bytes_per_pair":{:.2},"peak_bytes":{}}}"#
        ),
        growing.json(),
        full.json(),
        workload.blocks() as f64 / storing.as_secs_f64(),
        pairs as f64 / removing.as_secs_f64(),
        live as f64 / pairs as f64,
        peak,
    )
}

/// Each request is looked up, then stored.
fn growing_finds<I: Index>(index: &mut I, workload: &Workload) -> Finds {
    let mut finds = Finds::default();
    let mut sequence = Vec::new();
    for (request, event) in workload.stores().enumerate() {
        finds.add(index, workload, request, &mut sequence);
        index.apply(event);
        index.settle();
    }
    finds
}

fn full_finds<I: Index>(index: &I, workload: &Workload) -> Finds {
    let mut finds = Finds::default();
    let mut sequence = Vec::new();
    for request in 0..workload.requests() {
        finds.add(index, workload, request, &mut sequence);
    }
    finds
}

#[derive(Default)]
struct Finds {
    times: Vec<Duration>,
    hit_blocks: u64,
}

impl Finds {
    /// Times one look-up. The sequence is prepared before the clock starts, and the best worker determined and the
    /// result freed after it has stopped.
    fn add<I: Index>(
        &mut self,
        index: &I,
        workload: &Workload,
        request: usize,
        sequence: &mut Vec<LocalBlockHash>,
    ) {
        workload.sequence(request, sequence);
        let query = I::query(sequence);
        let start = Instant::now();
        let overlaps = index.find(query);
        self.times.push(start.elapsed());
        self.hit_blocks += u64::from(overlaps.scores.values().copied().max().unwrap_or(0));
    }

    fn json(mut self) -> String {
        self.times.sort();
        let micros = |quantile: f64| {
            let rank = (quantile * self.times.len() as f64).ceil() as usize;
            self.times[rank.max(1) - 1].as_secs_f64() * 1e6
        };
        format!(
            r#"{{"p50_us":{:.3},"p99_us":{:.3},"max_us":{:.3},"hit_blocks":{}}}"#,
            micros(0.5),
            micros(0.99),
            micros(1.0),
            self.hit_blocks
        )
    }
}
