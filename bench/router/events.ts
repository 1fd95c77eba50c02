import { execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Router } from "#router-wasm";
import { decodeKvEvents } from "#runtime";
import { ZmqKvEventSubscriber } from "#runtime/node";
import { median } from "../gateway/statistics.ts";
import { alignColumns } from "../table.ts";
import { newRouter } from "./core.ts";
import { makeBatches } from "./event-batches.ts";
import { buildPeer } from "./peer.ts";

/** A way to apply a batch's bytes to the index, and its cost in microseconds per batch. */
export interface EventsRow {
  way: string;
  index_us: number;
  /** CPU of the receiving thread including the socket; undefined if only the bytes were measured. */
  socket_us?: number;
}

/** One stored event per batch: a step with 512 prompt tokens, and one with 8,192. */
const SIZES: readonly { blocks: number; batches: number }[] = [
  { blocks: 32, batches: 20_000 },
  { blocks: 512, batches: 4000 },
];
const ROUNDS = 3;

type Apply = (payload: Uint8Array) => void;

const WAYS: readonly [way: string, make: (router: Router) => Apply][] = [
  [
    "readBatch, applyBatch",
    (router) => (payload) => {
      if (router.readBatch(payload) === undefined) throw new Error("The core rejected the batch.");
      router.applyBatch(0);
    },
  ],
  [
    "@msgpack/msgpack, applyStored",
    (router) => (payload) => {
      for (const event of decodeKvEvents(payload).events) {
        if (event.type === "stored")
          router.applyStored(0, event.blockHashes, event.parentHash, event.tokenIds);
      }
    },
  ],
];

/** Measures batches from a ZeroMQ publisher in another process to the index, and the same bytes in Dynamo's code. */
export async function measureEvents(peers: boolean): Promise<Map<number, EventsRow[]>> {
  const { program } = peers ? await buildPeer() : {};
  const tables = new Map<number, EventsRow[]>();
  for (const { blocks, batches } of SIZES) {
    const payloads = makeBatches(blocks, batches);
    const rows: EventsRow[] = [];
    for (const [way, make] of WAYS) {
      const apply = (run: (apply: Apply) => Promise<number> | number) =>
        repeat(() => run(make(newRouter(1, { maxBlocks: 2 ** 22 }))));
      rows.push({
        way,
        index_us: await apply((one) => timeAll(payloads, one)),
        socket_us: await apply((one) => throughSocket(blocks, batches, one)),
      });
    }
    if (program !== undefined) rows.push(...timePeer(program, payloads));
    tables.set(blocks, rows);
  }
  return tables;
}

async function repeat(run: () => Promise<number> | number): Promise<number> {
  const figures: number[] = [];
  for (let round = 0; round < ROUNDS; round++) figures.push(await run());
  return median(figures);
}

/** CPU time of this thread in microseconds. */
function cpu(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

function timeAll(payloads: readonly Uint8Array[], apply: Apply): number {
  const start = performance.now();
  for (const payload of payloads) apply(payload);
  return ((performance.now() - start) * 1000) / payloads.length;
}

async function throughSocket(blocks: number, batches: number, apply: Apply): Promise<number> {
  const publisher = fork(fileURLToPath(new URL("events-publisher.ts", import.meta.url)), [
    String(blocks),
    String(batches),
  ]);
  const [endpoint] = (await once(publisher, "message")) as [string];
  let received = 0;
  let before = 0;
  const done = Promise.withResolvers<number>();
  publisher.once("exit", () => done.reject(new Error("The publisher has ended.")));
  const subscriber = new ZmqKvEventSubscriber({
    endpoint,
    onForget() {},
    onPayload(payload) {
      // The first messages only show that the connection is established.
      if (payload.length > 1) {
        apply(payload);
        if (++received === batches) done.resolve(cpu() - before);
      } else if (before === 0) {
        before = cpu();
        publisher.send("go");
      }
    },
  });
  try {
    return (await done.promise) / batches;
  } finally {
    subscriber.close();
    publisher.removeAllListeners("exit");
    publisher.kill();
  }
}

/** dynamo-kv-router's own parser for these bytes, its token hashing and its RadixTree. */
function timePeer(program: string, payloads: readonly Uint8Array[]): EventsRow[] {
  const folder = mkdtempSync(join(tmpdir(), "stator-bench-"));
  try {
    const file = join(folder, "payloads");
    const lengths = payloads.map((payload) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(payload.length);
      return [length, payload];
    });
    writeFileSync(file, Buffer.concat(lengths.flat()));
    const figures = Array.from({ length: ROUNDS }, () =>
      Number(execFileSync(program, [file, "events"], { encoding: "utf8" })),
    );
    return [{ way: "Dynamo: zmq_wire, RadixTree (Rust)", index_us: median(figures) }];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function formatEvents(tables: ReadonlyMap<number, readonly EventsRow[]>): string {
  return [...tables]
    .map(([blocks, rows]) => {
      const head = [`batches of ${blocks} blocks`, "bytes to index", "socket to index"];
      const lines = rows.map(({ way, index_us, socket_us }) => [
        way,
        index_us.toFixed(1),
        socket_us?.toFixed(1) ?? "",
      ]);
      return `${alignColumns([head, ...lines]).join("\n")}\n`;
    })
    .join("\n");
}
