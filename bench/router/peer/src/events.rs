//! Applies KV events in vLLM's wire format to the index with Dynamo's own parser.

use std::time::Instant;

use dynamo_kv_router::RadixTree;
use dynamo_kv_router::protocols::WorkerWithDpRank;
use dynamo_kv_router::zmq_wire::{ZmqEventNormalizer, decode_event_batch};

const BLOCK_SIZE: u32 = 16;

/// Microseconds per batch, for a file of batches that are each preceded by their length as a little-endian u32.
pub fn measure(path: &str) -> f64 {
    let bytes = std::fs::read(path).expect("the batches can be read");
    let batches = split(&bytes);
    let mut tree = RadixTree::new();
    let mut normalizer = ZmqEventNormalizer::new(BLOCK_SIZE);
    let worker = WorkerWithDpRank {
        worker_id: 0,
        dp_rank: 0,
    };
    let mut event_id = 0;
    let start = Instant::now();
    for payload in &batches {
        let batch = decode_event_batch(payload).expect("the batch can be read");
        for raw in batch.events {
            event_id += 1;
            let placed = normalizer.normalize(raw, event_id, worker);
            let event = placed.and_then(|placed| placed.into_router_event());
            tree.apply_event(event.expect("the event is valid"))
                .expect("the event applies");
        }
    }
    start.elapsed().as_secs_f64() * 1e6 / batches.len() as f64
}

fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let mut batches = Vec::new();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (batch, next) = after.split_at(u32::from_le_bytes(*length) as usize);
        batches.push(batch);
        rest = next;
    }
    batches
}
