import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Figures, OurFigures, type PeerFigures, type Row } from "./figures.ts";
import type { RouterBenchOptions } from "./options.ts";
import { buildPeer, PEERS, type PeerBuild } from "./peer.ts";
import { type Round, toRow } from "./report.ts";
import { readTrace } from "./trace.ts";

const run = promisify(execFile);

const NO_PEER: PeerBuild = {};

export interface Measurement {
  rows: Row[];
  /** Why no peer was measured. */
  problem?: string | undefined;
}

/**
 * Replays the trace on every index. Each run is a separate process; runs of different indexes alternate, so that other
 * load on the machine affects all equally.
 * @throws UsageError if the trace cannot be read
 * @throws Error if indexes find different blocks
 */
export async function measure(
  options: RouterBenchOptions,
  onProgress: (text: string) => void,
): Promise<Measurement> {
  const trace = readTrace(options.trace);
  onProgress("building");
  await run(process.execPath, [fileURLToPath(new URL("../../scripts/build-wasm.mjs", import.meta.url))]);
  const { program, problem } = options.peers ? await buildPeer() : NO_PEER;
  onProgress("preparing the trace");
  // Imported late, because it reads the core when it is imported.
  const { prepare } = await import("./core.ts");
  const workload = prepare(trace, options.blocksPerId);
  const folder = await mkdtemp(join(tmpdir(), "stator-bench-"));
  const file = join(folder, "workload");
  const rows: Row[] = [];
  try {
    for (const workers of options.workers) {
      workload.assign(workers);
      await writeFile(file, new Uint8Array(workload.buffer));
      const rounds: Round[] = [];
      for (let round = 1; round <= options.repeat; round++) {
        const say = (name: string) =>
          onProgress(`${workers} workers, round ${round} of ${options.repeat}: ${name}`);
        say("Stator");
        const ours = await replayOurs(file);
        const peers: PeerFigures[] = [];
        for (const name of program === undefined ? [] : PEERS) {
          say(name);
          peers.push(await replayPeer(program!, file, name));
        }
        rounds.push({ ours, peers });
      }
      rows.push(toRow(workers, rounds));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return { rows, problem };
}

async function replayOurs(file: string): Promise<OurFigures> {
  const program = fileURLToPath(new URL("ours.ts", import.meta.url));
  const { stdout } = await run(process.execPath, [program, file]);
  return OurFigures.parse(JSON.parse(stdout));
}

async function replayPeer(program: string, file: string, name: string): Promise<PeerFigures> {
  const { stdout } = await run(program, [file, name]);
  return { name, ...Figures.parse(JSON.parse(stdout)) };
}
