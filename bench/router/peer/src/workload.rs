//! Reads a workload written by `bench/router/workload.ts`, in the machine's byte order.

use dynamo_kv_router::protocols::{
    ExternalSequenceBlockHash, KvCacheEvent, KvCacheEventData, KvCacheRemoveData, KvCacheStoreData,
    KvCacheStoredBlockData, LocalBlockHash, RouterEvent,
};

pub struct Workload {
    workers: usize,
    /// Blocks per step.
    blocks_per_step: usize,
    /// Where each request's steps end in `steps`.
    ends: Vec<u32>,
    /// How many of a request's first steps its worker stores again later.
    kept: Vec<u32>,
    steps: Vec<u32>,
    locals: Vec<u64>,
    engines: Vec<u64>,
}

impl Workload {
    pub fn read(path: &str) -> Self {
        let bytes = std::fs::read(path).expect("the workload can be read");
        let mut rest = bytes.as_slice();
        let header = take_u32(&mut rest, 5);
        let [requests, nodes, steps, workers, blocks_per_step] =
            [0, 1, 2, 3, 4].map(|i| header[i] as usize);
        let workload = Self {
            workers,
            blocks_per_step,
            ends: take_u32(&mut rest, requests),
            kept: take_u32(&mut rest, requests),
            steps: take_u32(&mut rest, steps),
            locals: {
                // The nodes' contents, which only matter for token ids, and the padding.
                let before = header.len() + requests * 2 + steps + nodes;
                take_u32(&mut rest, nodes + before % 2);
                take_u64(&mut rest, nodes * blocks_per_step)
            },
            engines: take_u64(&mut rest, nodes * blocks_per_step),
        };
        assert!(rest.is_empty(), "the workload is longer than its header says");
        workload
    }

    pub fn requests(&self) -> usize {
        self.ends.len()
    }

    /// Blocks of all requests.
    pub fn blocks(&self) -> usize {
        self.steps.len() * self.blocks_per_step
    }

    /// Distinct (block, worker) pairs.
    pub fn pairs(&self) -> usize {
        self.blocks() - self.kept.iter().sum::<u32>() as usize * self.blocks_per_step
    }

    /// Writes the request's local hashes to `sequence`.
    pub fn sequence(&self, request: usize, sequence: &mut Vec<LocalBlockHash>) {
        sequence.clear();
        for block in self.blocks_of(request, 0) {
            sequence.push(LocalBlockHash(self.locals[block]));
        }
    }

    /// For each request, all its blocks on its worker.
    pub fn stores(&self) -> impl Iterator<Item = RouterEvent> {
        (0..self.requests()).map(|request| {
            let blocks = self
                .blocks_of(request, 0)
                .map(|block| KvCacheStoredBlockData {
                    block_hash: ExternalSequenceBlockHash(self.engines[block]),
                    tokens_hash: LocalBlockHash(self.locals[block]),
                    mm_extra_info: None,
                });
            let data = KvCacheEventData::Stored(KvCacheStoreData {
                parent_hash: None,
                start_position: Some(0),
                blocks: blocks.collect(),
            });
            self.event(request, data)
        })
    }

    /// For each request, the blocks that its worker does not store again later, last block first.
    pub fn removals(&self) -> impl Iterator<Item = RouterEvent> {
        (0..self.requests()).filter_map(|request| {
            let blocks = self.blocks_of(request, self.kept[request] as usize);
            let block_hashes: Vec<_> = blocks
                .rev()
                .map(|block| ExternalSequenceBlockHash(self.engines[block]))
                .collect();
            if block_hashes.is_empty() {
                return None;
            }
            let data = KvCacheEventData::Removed(KvCacheRemoveData { block_hashes });
            Some(self.event(request, data))
        })
    }

    fn event(&self, request: usize, data: KvCacheEventData) -> RouterEvent {
        let event = KvCacheEvent {
            event_id: request as u64,
            data,
            dp_rank: 0,
        };
        RouterEvent::new((request % self.workers) as u64, event)
    }

    /// Indices of the request's blocks, starting at its step `from`.
    fn blocks_of(&self, request: usize, from: usize) -> impl DoubleEndedIterator<Item = usize> {
        let start = if request == 0 {
            0
        } else {
            self.ends[request - 1] as usize
        };
        let steps = &self.steps[start + from..self.ends[request] as usize];
        let blocks = self.blocks_per_step;
        steps.iter().flat_map(move |&node| {
            let first = node as usize * blocks;
            first..first + blocks
        })
    }
}

fn take_u32(rest: &mut &[u8], count: usize) -> Vec<u32> {
    let (taken, left) = rest.split_at(count * 4);
    *rest = left;
    taken
        .as_chunks()
        .0
        .iter()
        .map(|&chunk| u32::from_ne_bytes(chunk))
        .collect()
}

fn take_u64(rest: &mut &[u8], count: usize) -> Vec<u64> {
    let (taken, left) = rest.split_at(count * 8);
    *rest = left;
    taken
        .as_chunks()
        .0
        .iter()
        .map(|&chunk| u64::from_ne_bytes(chunk))
        .collect()
}
