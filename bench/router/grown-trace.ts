import { BLOCKS_PER_STEP } from "./workload.ts";

/** A trace and independent copies of it, with this many distinct blocks in total. */
export function growTrace(trace: readonly (readonly number[])[], blocks: number): number[][] {
  const ids = 1 + trace.reduce((most, request) => request.reduce((a, b) => Math.max(a, b), most), 0);
  const seen = new Set<number>();
  const grown: number[][] = [];
  for (let copy = 0; ; copy++) {
    for (const request of trace) {
      if (seen.size * BLOCKS_PER_STEP >= blocks) return grown;
      const path = request.map((id) => id + copy * ids);
      for (const id of path) seen.add(id);
      grown.push(path);
    }
  }
}
