/** Measures one kind of transfer between this process and another, beside memcpy in this process. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { openTransferAgent, type PreparedTransfer, type Range, type TransferKind } from "#native";

export interface Measured {
  /** Of one transfer. */
  readonly bytes: number;
  /** Speed as a ratio of memcpy's: 1 is as fast. */
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
const LARGEST = 256 * MIB;
const BLOCKS = 1_000;
const BLOCK = 32 * KIB;

export async function measureKind(kind: TransferKind): Promise<KindMeasured> {
  const child = fork(join(import.meta.dirname, "peer.ts"), [kind, String(LARGEST)], {
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
    const [local, source] = [await agent.allocate(LARGEST), await agent.allocate(LARGEST)];
    local.buffer!.fill(2); // so that the first transfer does not also wait for pages
    source.buffer!.fill(3);
    using peer = await agent.connect(metadata);
    const sizes: Measured[] = [];
    for (const bytes of SIZES) {
      const ranges = [{ offset: 0, length: bytes }];
      using read = await peer.prepare("read", { local, localRanges: ranges, remote, remoteRanges: ranges });
      sizes.push(await measure(read, () => copy(local.buffer!, source.buffer!, ranges, ranges)));
    }
    const [to, from] = [scatter(7), scatter(11)];
    using read = await peer.prepare("read", { local, localRanges: to, remote, remoteRanges: from });
    return { sizes, scatter: await measure(read, () => copy(local.buffer!, source.buffer!, to, from)) };
  } finally {
    child.disconnect();
    await exited;
  }
}

/** Alternates between the two, so that what else the machine does affects both. */
async function measure(transfer: PreparedTransfer, memcpy: () => void): Promise<Measured> {
  const [transfers, copies]: [number[], number[]] = [[], []];
  const rounds = Math.min(300, Math.max(15, Math.round((256 * MIB) / transfer.bytes)));
  for (let round = -2; round < rounds; round++) {
    const started = performance.now();
    await transfer.post();
    const posted = performance.now();
    memcpy();
    if (round < 0) continue;
    transfers.push((posted - started) * 1e3);
    copies.push((performance.now() - posted) * 1e3);
  }
  const [microseconds, memcpyMicroseconds] = [median(transfers), median(copies)];
  return {
    bytes: transfer.bytes,
    of_memcpy: round3(memcpyMicroseconds / microseconds),
    microseconds: round3(microseconds),
    memcpy_microseconds: round3(memcpyMicroseconds),
  };
}

function copy(
  to: Uint8Array,
  from: Uint8Array,
  toRanges: readonly Range[],
  fromRanges: readonly Range[],
): void {
  for (const [index, { offset, length }] of fromRanges.entries())
    to.set(from.subarray(offset, offset + length), toRanges[index]!.offset);
}

/** Every block once, in an order that `step`, which is coprime to their number, determines; with gaps between them. */
const scatter = (step: number): Range[] =>
  Array.from({ length: BLOCKS }, (_, index) => ({
    offset: ((index * step) % BLOCKS) * BLOCK * 2,
    length: BLOCK,
  }));

const median = (values: number[]): number => values.sort((one, other) => one - other)[values.length >> 1]!;

const round3 = (value: number): number => Number(value.toPrecision(3));
