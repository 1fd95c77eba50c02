/**
 * A simple model of the prefix index: a tree of nodes, and per worker a map from engine hash to node. It is not fast,
 * and shares nothing with the core. It has runs only because they are what is forgotten at the limit.
 */

/** The kinds of holders: each worker has one of each; the pool is shared. */
export type Kind = "device" | "predicted" | "host" | "disk" | "shared";

/** A holder's number in this model; for the device, the worker's index. */
export function holderOf(kind: Kind, worker: number): number {
  if (kind === "shared") return 400_000;
  return { device: 0, predicted: 100_000, host: 200_000, disk: 300_000 }[kind] + worker;
}

interface Node {
  local: bigint;
  parent: Node | undefined;
  children: Map<bigint, Node>;
  run: Run;
  /** Its holders, and their engine hashes for it. */
  holders: Map<number, Set<bigint>>;
}

/** A worker's predictions. */
interface Predictions {
  lifetime: number;
  capacity: number;
  /** When the prediction of each run's nodes ends; the least recently predicted run first. */
  runs: Map<Run, number>;
}

/** At most 32 consecutive nodes. */
interface Run {
  nodes: Node[];
  parent: Node | undefined;
  childRuns: number;
}

export class ReferenceIndex {
  readonly #maxBlocks: number;
  readonly #maxRuns: number;
  readonly #first = new Map<bigint, Node>();
  readonly #names = new Map<number, Map<bigint, Node>>();
  /** The least recently stored first. */
  readonly #runs = new Set<Run>();
  #pinned: Run | undefined;
  readonly #predictions = new Map<number, Predictions>();
  readonly #nodeNames = new Map<Node, bigint>();
  #nextNameless = -1n;
  blocks = 0;
  ignoredEvents = 0;
  unknownRemovals = 0;
  forgottenBlocks = 0;
  refusedBlocks = 0;

  constructor(maxBlocks: number) {
    this.#maxBlocks = maxBlocks;
    this.#maxRuns = Math.max(Math.floor(maxBlocks / 8), 1);
  }

  get runs(): number {
    return this.#runs.size;
  }

  /** Looks for the parent among the hashes of the holder, then of `sources`. */
  stored(
    worker: number,
    sources: readonly number[],
    hashes: readonly bigint[],
    parentHash: bigint | undefined,
    locals: bigint[],
  ): number {
    let node = parentHash === undefined ? undefined : this.#named([worker, ...sources], parentHash);
    if (parentHash !== undefined && !node) {
      this.ignoredEvents++;
      return 0;
    }
    this.#pin(node?.run);
    let done = 0;
    for (const hash of hashes) {
      const next = this.#store(worker, hash, node, locals[done]!);
      if (!next) {
        this.refusedBlocks += hashes.length - done;
        break;
      }
      node = next;
      done++;
    }
    this.#pin(undefined);
    return done;
  }

  removed(worker: number, hashes: readonly bigint[]): number {
    let removed = 0;
    for (const hash of hashes) {
      if (this.#namesOf(worker).has(hash)) {
        this.#release(worker, hash);
        removed++;
      } else {
        this.unknownRemovals++;
      }
    }
    return removed;
  }

  cleared(worker: number): void {
    for (const hash of [...this.#namesOf(worker).keys()]) this.#release(worker, hash);
  }

  storedBlocks(worker: number): number {
    return new Set(this.#namesOf(worker).values()).size;
  }

  /** Copies blocks of other holders: looks up each hash among those of `sources`, in order. */
  copied(holder: number, sources: readonly number[], hashes: readonly bigint[]): number {
    let stored = 0;
    for (const hash of hashes) {
      const node = this.#named([holder, ...sources], hash);
      if (!node) {
        this.ignoredEvents++;
        continue;
      }
      if (this.#store(holder, hash, node.parent, node.local)) stored++;
      else this.refusedBlocks++;
    }
    this.#pin(undefined);
    return stored;
  }

  /** How many blocks of `locals`, starting at `from`, the holder has without gaps. */
  extension(holder: number, locals: readonly bigint[], from: number): number {
    let children = this.#first;
    let blocks = 0;
    for (const local of locals) {
      const node = children.get(local);
      if (!node || (blocks >= from && !node.holders.has(holder))) break;
      children = node.children;
      blocks++;
    }
    return Math.max(blocks - from, 0);
  }

  setPredictions(holder: number, lifetime: number, capacity: number, now: number): void {
    const predictions = this.#predictionsOf(holder);
    predictions.lifetime = lifetime;
    predictions.capacity = capacity;
    if (lifetime === 0) {
      this.forgetPredictions(holder);
      return;
    }
    for (const [run, end] of predictions.runs) predictions.runs.set(run, Math.min(end, now + lifetime));
    this.#shrink(holder);
  }

  forgetPredictions(holder: number): void {
    for (const run of [...this.#predictionsOf(holder).runs.keys()]) this.#unpredict(holder, run.nodes);
  }

  /** Predicts that the holder, of kind `predicted`, will have these blocks. */
  predict(holder: number, locals: readonly bigint[], now: number): number {
    const { lifetime, runs } = this.#predictionsOf(holder);
    if (lifetime === 0) return 0;
    let node: Node | undefined;
    let done = 0;
    for (const local of locals) {
      const before = (node ? node.children : this.#first).get(local);
      const name = before ? this.#nameless(before) : this.#nextNameless;
      const next = this.#store(holder, name, node, local);
      if (!next) break;
      if (!before) this.#nodeNames.set(next, this.#nextNameless--);
      node = next;
      done++;
    }
    for (let run = node?.run; run; run = run.parent?.run) {
      runs.delete(run);
      runs.set(run, now + lifetime);
    }
    this.#pin(undefined);
    this.#shrink(holder);
    return done;
  }

  passTime(now: number): void {
    for (const [holder, { runs }] of this.#predictions) {
      for (const [run, end] of [...runs]) if (end <= now) this.#unpredict(holder, run.nodes);
    }
  }

  #named(holders: readonly number[], hash: bigint): Node | undefined {
    return holders.map((holder) => this.#names.get(holder)?.get(hash)).find((node) => node !== undefined);
  }

  #shrink(holder: number): void {
    const { capacity, runs } = this.#predictionsOf(holder);
    while (this.storedBlocks(holder) > capacity) {
      const [oldest] = runs.keys();
      this.#unpredict(holder, oldest!.nodes);
    }
  }

  /** Ends the prediction of these nodes, which are in one run. */
  #unpredict(holder: number, nodes: readonly Node[]): void {
    const run = nodes[0]!.run;
    for (const node of [...nodes].reverse()) {
      if (node.holders.has(holder)) this.#release(holder, this.#nameless(node));
    }
    if (!run.nodes.some((node) => node.holders.has(holder))) this.#predictionsOf(holder).runs.delete(run);
  }

  #predictionsOf(holder: number): Predictions {
    let predictions = this.#predictions.get(holder);
    if (!predictions) {
      predictions = { lifetime: 0, capacity: 0, runs: new Map() };
      this.#predictions.set(holder, predictions);
    }
    return predictions;
  }

  /** A unique hash for the node that no engine uses. */
  #nameless(node: Node): bigint {
    let name = this.#nodeNames.get(node);
    if (name === undefined) {
      name = this.#nextNameless--;
      this.#nodeNames.set(node, name);
    }
    return name;
  }

  /** Length of the prefix of `locals` that the worker holds. */
  overlap(worker: number, locals: Iterable<bigint>): number {
    let children = this.#first;
    let blocks = 0;
    for (const local of locals) {
      const node = children.get(local);
      if (!node?.holders.has(worker)) break;
      children = node.children;
      blocks++;
    }
    return blocks;
  }

  #namesOf(worker: number): Map<bigint, Node> {
    let names = this.#names.get(worker);
    if (!names) {
      names = new Map();
      this.#names.set(worker, names);
    }
    return names;
  }

  /** Stores the node after `parent` with this local hash for the worker; undefined if there is no room. */
  #store(worker: number, hash: bigint, parent: Node | undefined, local: bigint): Node | undefined {
    const names = this.#namesOf(worker);
    const existing = (parent ? parent.children : this.#first).get(local);
    if (existing) {
      this.#pin(existing.run);
      this.#touch(existing.run);
      if (names.get(hash) === existing) return existing;
    }
    if (names.has(hash)) this.#release(worker, hash);
    const node = existing ?? this.#add(worker, parent, local);
    if (!node) return undefined;
    if (existing && existing.holders.size === 0 && !this.#makeRoom(false)) return undefined;
    if (node.holders.size === 0) this.blocks++;
    const hashes = node.holders.get(worker) ?? new Set();
    node.holders.set(worker, hashes.add(hash));
    names.set(hash, node);
    this.#pin(node.run);
    return node;
  }

  /** Adds a node: to its parent's run if it fits there and the run has no other holders, otherwise to a new run. */
  #add(worker: number, parent: Node | undefined, local: bigint): Node | undefined {
    let run = parent?.run;
    const follows = run !== undefined && run.nodes.at(-1) === parent && run.nodes.length < 32;
    if (!run || !follows || !run.nodes.every((node) => holdsOnly(node, worker))) run = undefined;
    if (!this.#makeRoom(!run)) return undefined;
    if (!run) {
      run = { nodes: [], parent, childRuns: 0 };
      if (parent) parent.run.childRuns++;
    }
    const node: Node = { local, parent, children: new Map(), run, holders: new Map() };
    run.nodes.push(node);
    (parent ? parent.children : this.#first).set(local, node);
    this.#touch(run);
    return node;
  }

  #release(worker: number, hash: bigint): void {
    const names = this.#namesOf(worker);
    const node = names.get(hash)!;
    names.delete(hash);
    const hashes = node.holders.get(worker)!;
    hashes.delete(hash);
    if (hashes.size > 0) return;
    if (worker < holderOf("predicted", 0)) this.#unpredict(holderOf("predicted", worker), [node]);
    node.holders.delete(worker);
    if (node.holders.size > 0) return;
    this.blocks--;
    this.#settle(node.run);
  }

  /** Removes nodes without holders from the end of a run without children; removes the run if it is empty. */
  #settle(run: Run): void {
    if (run === this.#pinned || run.childRuns > 0) return;
    while (run.nodes.length > 0 && run.nodes.at(-1)!.holders.size === 0) {
      const node = run.nodes.pop()!;
      (node.parent ? node.parent.children : this.#first).delete(node.local);
    }
    if (run.nodes.length > 0) return;
    this.#runs.delete(run);
    if (!run.parent) return;
    run.parent.run.childRuns--;
    this.#settle(run.parent.run);
  }

  #touch(run: Run): void {
    this.#runs.delete(run);
    this.#runs.add(run);
  }

  #pin(run: Run | undefined): void {
    const before = this.#pinned;
    this.#pinned = run;
    if (before && before !== run) this.#settle(before);
  }

  #makeRoom(needsRun: boolean): boolean {
    while (this.blocks >= this.#maxBlocks || (needsRun && this.#runs.size >= this.#maxRuns)) {
      if (!this.#forgetOldest()) return false;
    }
    return true;
  }

  #forgetOldest(): boolean {
    for (const run of [...this.#runs]) {
      if (run !== this.#pinned && run.childRuns === 0) {
        this.#forget(run);
        return true;
      }
      this.#touch(run);
    }
    return false;
  }

  #forget(run: Run): void {
    for (const { runs } of this.#predictions.values()) runs.delete(run);
    for (const node of run.nodes) {
      if (node.holders.size === 0) continue;
      for (const [worker, hashes] of node.holders) {
        for (const hash of hashes) this.#namesOf(worker).delete(hash);
      }
      node.holders.clear();
      this.blocks--;
      this.forgottenBlocks++;
    }
    this.#settle(run);
  }
}

function holdsOnly(node: Node, worker: number): boolean {
  for (const holder of node.holders.keys()) if (holder !== worker) return false;
  return true;
}
