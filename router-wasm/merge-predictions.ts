import { damaged, otherHashes, type SnapshotHead, viewOf } from "./snapshot-format.ts";

/** What predictions begin with: u64 seed, u32 block size, u32 unused, as in a snapshot's head. */
type PredictionsHead = Pick<SnapshotHead, "seed" | "blockSize">;

const PIECE_HEAD = 16;
/** Bytes before a run's hashes; `copyPredictions` in `assembly/predictions.ts` has the format. */
const HEAD = 16;
/** Runs to read between two yields: some tens of microseconds. */
const RUNS_AT_A_TIME = 64;

interface Predicted {
  readonly parent: number;
  readonly ticks: number;
  readonly locals: BigUint64Array;
  /** The longest time for which a prediction that is already restored includes it. */
  restoredTicks: number;
}

/** The core's copy of predictions, with what it depends on. */
export function predictionsPiece(
  { seed, blockSize }: PredictionsHead,
  runs: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const piece = new Uint8Array(PIECE_HEAD + runs.length);
  const view = viewOf(piece);
  view.setBigUint64(0, seed, true);
  view.setUint32(8, blockSize, true);
  piece.set(runs, PIECE_HEAD);
  return piece;
}

/**
 * `Router.mergePredictions`.
 * @param mostBlocks the longest prompt
 * @param predict predicts a prompt's blocks by their local hashes, for a number of ticks; returns how many
 */
export function* mergePredictions(
  { seed, blockSize }: PredictionsHead,
  bytes: Uint8Array,
  mostBlocks: number,
  predict: (path: BigUint64Array, ticks: number) => number,
): Generator<number, void> {
  if (bytes.length < PIECE_HEAD) throw damaged("predictions are truncated");
  const view = viewOf(bytes);
  if (view.getBigUint64(0, true) !== seed || view.getUint32(8, true) !== blockSize)
    throw otherHashes(view.getUint32(8, true));
  const runs = yield* readRuns(bytes.subarray(PIECE_HEAD));
  for (const run of runs.values()) {
    // The runs of one prompt were predicted together, the last one first: its prediction includes the others'.
    if (run.restoredTicks >= run.ticks) continue;
    const path = pathTo(run, runs, mostBlocks);
    if (path !== undefined) yield predict(path, run.ticks);
  }
}

function* readRuns(bytes: Uint8Array): Generator<number, Map<number, Predicted>> {
  const view = viewOf(bytes);
  const runs = new Map<number, Predicted>();
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < HEAD) throw damaged("predictions are truncated");
    const end = at + HEAD + view.getUint32(at + 12, true) * 8;
    if (end > bytes.length) throw damaged("predictions are truncated");
    const locals = new BigUint64Array(bytes.slice(at + HEAD, end).buffer);
    const parent = view.getUint32(at + 4, true);
    const ticks = view.getUint32(at + 8, true);
    runs.set(view.getUint32(at, true), { parent, ticks, locals, restoredTicks: 0 });
    at = end;
    if (runs.size % RUNS_AT_A_TIME === 0) yield 0;
  }
  return runs;
}

/** The local hashes from the start of the prompt to the end of the run; undefined if some are missing. */
function pathTo(
  last: Predicted,
  runs: ReadonlyMap<number, Predicted>,
  mostBlocks: number,
): BigUint64Array | undefined {
  const parts = [last.locals];
  let blocks = last.locals.length;
  let run = last;
  while (run.parent !== 0 && blocks > 0) {
    const parent = runs.get(run.parent >>> 5);
    const length = (run.parent & 31) + 1;
    if (parent === undefined || parent.locals.length < length) return undefined;
    parts.push(parent.locals.subarray(0, length));
    blocks += length;
    if (blocks > mostBlocks) throw damaged("a prediction is longer than any prompt");
    parent.restoredTicks = Math.max(parent.restoredTicks, length === parent.locals.length ? last.ticks : 0);
    run = parent;
  }
  if (blocks === 0) return undefined;
  const path = new BigUint64Array(blocks);
  let at = 0;
  for (const part of parts.reverse()) {
    path.set(part, at);
    at += part.length;
  }
  return path;
}
