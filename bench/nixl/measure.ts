/**
 * Measures one kind of transfer between this process and another, beside memcpy in this process.
 *
 * All memory comes from `allocate`: huge pages on every side with NIXL, normal ones on every side without it. Its pages
 * are present before the first round. Successive rounds use different parts of 256 MiB, so neither copy finds its source
 * in a cache or writes where the other just did.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { openTransferAgent, type PreparedTransfer, type Range, type TransferKind } from "#native";

export interface Measured {
  /** Of one transfer. */
  readonly bytes: number;
  /** Speed as a ratio of memcpy's in the same round, median of all rounds: 1 is as fast. */
  readonly of_memcpy: number;
  /** Median time from the call to the resolved promise. */
  readonly microseconds: number;
  readonly memcpy_microseconds: number;
}

export interface KindMeasured {
  readonly sizes: readonly Measured[];
  /** 1,000 blocks, scattered on both sides. */
  readonly scatter: Measured;
}

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const SIZES = [64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB];
const MEMORY = 256 * MIB;
const MAX_PARTS = 256;
/** Of the smallest size, before anything is measured: V8 then has compiled what the measured rounds run. */
const WARM_UP_ROUNDS = 5_000;
const BLOCKS = 1_000;
const BLOCK = 32 * KIB;

export async function measureKind(kind: TransferKind): Promise<KindMeasured> {
  const child = fork(join(import.meta.dirname, "peer.ts"), [kind, String(MEMORY)], {
    serialization: "advanced",
  });
  const exited = once(child, "exit");
  const [ready] = await Promise.race([
    once(child, "message"),
    exited.then(() => Promise.reject(new Error(`The benchmark's other process cannot run with ${kind}.`))),
  ]);
  const { metadata, descriptor: remote } = ready as { metadata: Uint8Array; descriptor: Uint8Array };
  try {
    await using agent = await openTransferAgent({ kind, name: "bench" });
    const [local, source] = [await agent.allocate(MEMORY), await agent.allocate(MEMORY)];
    local.buffer!.fill(2); // so that the first transfer does not also wait for pages
    source.buffer!.fill(3);
    using peer = await agent.connect(metadata);
    const run = async (parts: readonly Part[], rounds?: number) => {
      const prepare = ({ to, from }: Part) =>
        peer.prepare("read", { local, localRanges: to, remote, remoteRanges: from });
      const reads = await Promise.all(parts.map(prepare));
      const copies = parts.map((part) => copier(local.buffer!, source.buffer!, part));
      const measured = await measure(reads, copies, rounds);
      for (const read of reads) read[Symbol.dispose]();
      return measured;
    };
    await run(contiguous(SIZES[0]!), WARM_UP_ROUNDS);
    const sizes: Measured[] = [];
    for (const bytes of SIZES) sizes.push(await run(contiguous(bytes)));
    return { sizes, scatter: await run(scattered()) };
  } finally {
    child.disconnect();
    await exited;
  }
}

/** Alternates between the two, so that what else the machine does affects both. */
async function measure(
  transfers: readonly PreparedTransfer[],
  copies: readonly (() => void)[],
  rounds = Math.min(1_000, Math.max(15, Math.round((256 * MIB) / transfers[0]!.bytes))),
): Promise<Measured> {
  const times: { transfer: number; memcpy: number }[] = [];
  const { bytes } = transfers[0]!;
  for (let round = -2; round < rounds; round++) {
    const part = (round + 2) % transfers.length;
    const started = performance.now();
    await transfers[part]!.post();
    const posted = performance.now();
    copies[(part + (transfers.length >> 1)) % transfers.length]!();
    const copied = performance.now();
    if (round >= 0) times.push({ transfer: (posted - started) * 1e3, memcpy: (copied - posted) * 1e3 });
  }
  return {
    bytes,
    of_memcpy: round3(median(times.map(({ transfer, memcpy }) => memcpy / transfer))),
    microseconds: round3(median(times.map(({ transfer }) => transfer))),
    memcpy_microseconds: round3(median(times.map(({ memcpy }) => memcpy))),
  };
}

/** A memcpy in this process. */
function copier(to: Uint8Array, from: Uint8Array, part: Part): () => void {
  const sources = part.from.map(({ offset, length }) => from.subarray(offset, offset + length));
  return () => {
    for (const [index, source] of sources.entries()) to.set(source, part.to[index]!.offset);
  };
}

interface Part {
  readonly to: readonly Range[];
  readonly from: readonly Range[];
}

/** As many parts of `bytes` as fit, evenly over all memory. */
function contiguous(bytes: number): Part[] {
  const count = Math.min(MAX_PARTS, MEMORY / bytes);
  return Array.from({ length: count }, (_, index) => {
    const ranges = [{ offset: (index * MEMORY) / count, length: bytes }];
    return { to: ranges, from: ranges };
  });
}

/** Every block once, in a different order on both sides, with gaps between them. */
function scattered(): Part[] {
  const span = BLOCKS * BLOCK * 2;
  return Array.from({ length: Math.floor(MEMORY / span) }, (_, index) => ({
    to: shuffled(index * span, 7),
    from: shuffled(index * span, 11),
  }));
}

/** @param step coprime to the number of blocks */
const shuffled = (start: number, step: number): Range[] =>
  Array.from({ length: BLOCKS }, (_, index) => ({
    offset: start + ((index * step) % BLOCKS) * BLOCK * 2,
    length: BLOCK,
  }));

const median = (values: number[]): number => values.sort((one, other) => one - other)[values.length >> 1]!;

const round3 = (value: number): number => Number(value.toPrecision(3));
