import { createHash } from "node:crypto";
import { alignColumns } from "../../table.ts";
import { longestStall, measurePath, type PathResult } from "./gateway-path.ts";
import { chatWith, type PictureFormat, pictureFile } from "./pictures.ts";

export interface CostOptions {
  /** Sizes of the pictures' files, in bytes. */
  readonly sizes: readonly number[];
  readonly rounds: number;
}

/** The least of all rounds for one picture, in milliseconds: what other programs do only adds to it. */
export interface Cost extends PathResult {
  readonly format: PictureFormat;
  /** Of the file and of the body, in bytes. */
  readonly size: number;
  readonly bodySize: number;
  readonly stallMs: number;
  /** The peers: copying the body, parsing it whole, and Node's own decoding and SHA-256. */
  readonly memcpyMs: number;
  readonly parseMs: number;
  readonly sha256Ms: number;
}

/** Measures what a picture costs the gateway, each stage and its peers in turn. */
export async function measureCosts({ sizes, rounds }: CostOptions): Promise<Cost[]> {
  const costs: Cost[] = [];
  for (const size of sizes)
    for (const format of ["png", "jpeg"] as const) costs.push(await measureCost(format, size, rounds));
  return costs;
}

async function measureCost(format: PictureFormat, size: number, rounds: number): Promise<Cost> {
  const file = pictureFile(format, size);
  const body = chatWith(format, file);
  const base64 = Buffer.from(file).toString("base64");
  const into = new Uint8Array(body.length);
  // A small picture's first calls are the compiler's.
  const repeats = Math.max(1, Math.min(50, Math.round(1e6 / size)));
  const paths: PathResult[] = [];
  const peers: { memcpy: number; parse: number; sha256: number }[] = [];
  const stalls: number[] = [];
  for (let round = -1; round < rounds; round++)
    for (let repeat = 0; repeat < repeats; repeat++) {
      const path = await measurePath(body);
      const peer = {
        memcpy: time(() => into.set(body)),
        parse: time(() => JSON.parse(new TextDecoder().decode(body))),
        sha256: time(() => createHash("sha256").update(Buffer.from(base64, "base64")).digest()),
      };
      const stall = await longestStall(body);
      if (round < 0) continue;
      paths.push(path);
      peers.push(peer);
      stalls.push(stall);
    }
  const path = (value: (each: PathResult) => number) => Math.min(...paths.map(value));
  const peer = (name: "memcpy" | "parse" | "sha256") => Math.min(...peers.map((each) => each[name]));
  return {
    format,
    size,
    bodySize: body.length,
    takeOut: path((each) => each.takeOut),
    read: path((each) => each.read),
    restore: path((each) => each.restore),
    digestMs: path((each) => each.digestMs),
    copiedBytes: Math.max(...paths.map((each) => each.copiedBytes)),
    stallMs: Math.min(...stalls),
    memcpyMs: peer("memcpy"),
    parseMs: peer("parse"),
    sha256Ms: peer("sha256"),
  };
}

function time(run: () => void): number {
  const begun = performance.now();
  run();
  return performance.now() - begun;
}

const wholeOf = ({ takeOut, read, restore }: Cost) => takeOut + read + restore;

const COLUMNS: readonly [title: string, value: (cost: Cost) => string][] = [
  ["picture", ({ format, size }) => `${format} ${size >= 1e6 ? `${size / 1e6} MB` : `${size / 1e3} kB`}`],
  ["take out ms", ({ takeOut }) => takeOut.toFixed(2)],
  ["check, hash", ({ read }) => read.toFixed(2)],
  ["restore", ({ restore }) => restore.toFixed(2)],
  ["whole", (cost) => wholeOf(cost).toFixed(2)],
  ["of JSON.parse", (cost) => (wholeOf(cost) / cost.parseMs).toFixed(2)],
  ["decode, hash GB/s", ({ size, digestMs }) => (size / digestMs / 1e6).toFixed(2)],
  [
    "of memcpy",
    ({ size, digestMs, bodySize, memcpyMs }) => (size / digestMs / (bodySize / memcpyMs)).toFixed(2),
  ],
  ["of SHA-256", ({ digestMs, sha256Ms }) => (sha256Ms / digestMs).toFixed(2)],
  ["copied bytes", ({ copiedBytes }) => String(copiedBytes)],
  ["longest stall ms", ({ stallMs }) => stallMs.toFixed(1)],
];

/** A table; the ratios are speeds, except that of `JSON.parse`, which is time. */
export function formatCosts(costs: readonly Cost[]): string {
  const lines = [
    COLUMNS.map(([title]) => title),
    ...costs.map((cost) => COLUMNS.map(([, value]) => value(cost))),
  ];
  return `${alignColumns(lines).join("\n")}\n`;
}
