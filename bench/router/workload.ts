/**
 * A trace prepared for replay, the same for every index. Each step of a request is a hash id of the trace: 512 tokens,
 * as 32 blocks of 16, or only the first of these. A node is a step with all steps before it, and has its own engine
 * hashes. The workload is a single buffer, which is written to a file unchanged:
 *
 *     u32  requests, nodes, steps, workers, blocks per step
 *     u32  the end of each request's steps, then how many of its first steps its worker stores again later
 *     u32  steps: node numbers
 *     u32  content of each node, which determines its tokens; then padding to a multiple of 8 bytes
 *     u64  local hashes of the blocks of all nodes, then their engine hashes
 */
export const BLOCK_SIZE = 16;
export const BLOCKS_PER_STEP = 32;
export const TOKENS_PER_STEP = BLOCK_SIZE * BLOCKS_PER_STEP;

const HEADER = 5;

export class Workload {
  readonly buffer: ArrayBuffer;
  readonly #header: Uint32Array;
  readonly ends: Uint32Array;
  readonly kept: Uint32Array;
  readonly steps: Uint32Array;
  readonly contents: Uint32Array;
  readonly locals: BigUint64Array;
  readonly engines: BigUint64Array;

  constructor(buffer: ArrayBuffer) {
    this.buffer = buffer;
    this.#header = new Uint32Array(buffer, 0, HEADER);
    const [requests, nodes, steps] = this.#header as unknown as [number, number, number];
    let at = HEADER * 4;
    const numbers = (length: number) => {
      const view = new Uint32Array(buffer, at, length);
      at += view.byteLength;
      return view;
    };
    this.ends = numbers(requests);
    this.kept = numbers(requests);
    this.steps = numbers(steps);
    this.contents = numbers(nodes);
    at += at % 8;
    this.locals = new BigUint64Array(buffer, at, nodes * this.blocksPerStep);
    this.engines = new BigUint64Array(buffer, at + this.locals.byteLength, this.locals.length);
  }

  get workers(): number {
    return this.#header[3]!;
  }

  get blocksPerStep(): number {
    return this.#header[4]!;
  }

  get requests(): number {
    return this.ends.length;
  }

  /** Blocks of all requests. */
  get blocks(): number {
    return this.steps.length * this.blocksPerStep;
  }

  /** Distinct blocks. */
  get distinctBlocks(): number {
    return this.contents.length * this.blocksPerStep;
  }

  /** Distinct (block, worker) pairs. */
  get pairs(): number {
    return this.blocks - this.kept.reduce((sum, steps) => sum + steps, 0) * this.blocksPerStep;
  }

  /** Steps of the longest request. */
  get longest(): number {
    return this.ends.reduce((most, end, i) => Math.max(most, end - (this.ends[i - 1] ?? 0)), 0);
  }

  /** The request's nodes. */
  path(request: number): Uint32Array {
    return this.steps.subarray(this.ends[request - 1] ?? 0, this.ends[request]);
  }

  /** Assigns request i to worker i mod `workers`. */
  assign(workers: number): void {
    this.#header[3] = workers;
    const seen = new Set<number>();
    for (let request = this.requests - 1; request >= 0; request--) {
      const worker = request % workers;
      const path = this.path(request);
      // If a node has been seen, so have its ancestors, so the request's first steps are stored again.
      let kept = path.length;
      while (kept > 0 && !seen.has(path[kept - 1]! * workers + worker)) kept--;
      this.kept[request] = kept;
      for (let i = kept; i < path.length; i++) seen.add(path[i]! * workers + worker);
    }
  }
}

/**
 * @param trace hash ids of every request
 * @param localHashes the router's block hashes of a step's tokens; called once per content
 * @param blocksPerStep at most 32
 */
export function buildWorkload(
  trace: readonly (readonly number[])[],
  localHashes: (tokens: Uint32Array) => BigUint64Array,
  blocksPerStep = BLOCKS_PER_STEP,
): Workload {
  const { steps, contents } = nodesOf(trace);
  const nodes = contents.length;
  const numbers = HEADER + 2 * trace.length + steps.length + nodes;
  const workload = allocate(
    [trace.length, nodes, steps.length, 1, blocksPerStep],
    (numbers + (numbers % 2)) * 4 + nodes * blocksPerStep * 16,
  );
  let end = 0;
  workload.ends.set(trace.map((ids) => (end += ids.length)));
  workload.steps.set(steps);
  workload.contents.set(contents);
  const tokens = new Uint32Array(blocksPerStep * BLOCK_SIZE);
  const hashes = new Map<number, BigUint64Array>();
  for (let node = 0; node < nodes; node++) {
    const content = contents[node]!;
    let known = hashes.get(content);
    if (known === undefined) {
      writeTokens(content, tokens, 0, tokens.length);
      known = localHashes(tokens).slice();
      hashes.set(content, known);
    }
    workload.locals.set(known, node * blocksPerStep);
  }
  writeEngineHashes(workload.engines);
  workload.assign(1);
  return workload;
}

/** Writes the first tokens of a content, from 0 to 131,071; contents have different tokens. */
export function writeTokens(content: number, tokens: Uint32Array, at: number, count = TOKENS_PER_STEP): void {
  const first = Math.imul(content, TOKENS_PER_STEP);
  for (let i = 0; i < count; i++) tokens[at + i] = scramble(first + i) & 0x1ffff;
}

function allocate(header: readonly number[], bytes: number): Workload {
  const buffer = new ArrayBuffer(bytes);
  new Uint32Array(buffer).set(header);
  return new Workload(buffer);
}

/** The steps as node numbers, and the content of each node. Both are numbered in order of appearance. */
function nodesOf(trace: readonly (readonly number[])[]): { steps: number[]; contents: number[] } {
  const contentOf = new Map<number, number>();
  const children: Map<number, number>[] = [];
  const roots = new Map<number, number>();
  const steps: number[] = [];
  const contents: number[] = [];
  for (const ids of trace) {
    let siblings = roots;
    for (const id of ids) {
      let node = siblings.get(id);
      if (node === undefined) {
        node = contents.length;
        const content = contentOf.get(id) ?? contentOf.size;
        contentOf.set(id, content);
        contents.push(content);
        siblings.set(id, node);
        children.push(new Map());
      }
      steps.push(node);
      siblings = children[node]!;
    }
  }
  return { steps, contents };
}

/** Writes distinct, unordered hashes, like an engine's. */
function writeEngineHashes(hashes: BigUint64Array): void {
  const halves = new Uint32Array(hashes.buffer, hashes.byteOffset, hashes.length * 2);
  for (let i = 0; i < hashes.length; i++) {
    halves[2 * i] = scramble(i);
    halves[2 * i + 1] = scramble(i ^ 0x5bd1e995);
  }
}

/** A bijection on 32-bit numbers: the finaliser of MurmurHash3. */
function scramble(number: number): number {
  let mixed = number;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
