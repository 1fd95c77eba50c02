import {
  Chooser,
  exactPrompt,
  NO_PREFERENCES,
  POLICIES,
  type Prompt,
  type RoutedWorker,
  Selection,
  type Slot,
} from "#gateway";
import { createRouter, type Decision, type MediaHashes, type Router } from "#router-wasm";
import type { CacheListener, WorkerShape } from "../../trace/simulated-worker.ts";
import type { PictureBlockNames } from "./block-names.ts";
import type { PictureRequest } from "./requests.ts";

/** What is in the hashes by which the router compares prompts with caches: pictures too, or tokens only. */
export type Routing = "media-aware" | "text-only" | "round-robin";

/** The router of a gateway in front of engines whose KV events it gets. */
export class PictureGateway {
  readonly router: Router;
  readonly #chooser: Chooser;
  readonly #selection = new Selection();
  readonly #roster: readonly Slot<RoutedWorker>[];
  readonly #routing: Routing;

  constructor(
    module: WebAssembly.Module,
    routing: Routing,
    workers: number,
    shape: WorkerShape,
    random: () => number,
  ) {
    const { blockSize } = shape;
    this.#routing = routing;
    this.router = createRouter(module, { blockSize, maxWorkers: workers, maxBlocks: 4_194_304 });
    this.#roster = Array.from({ length: workers }, () => slotOf(this.router.addWorker(), shape));
    const policy = POLICIES[routing === "round-robin" ? "round-robin" : "kv"];
    this.#chooser = new Chooser(this.router, policy, [], random);
  }

  /** Chooses a worker and books the load. */
  choose(request: PictureRequest, seconds: number): Decision {
    const choice = { prompt: this.#promptOf(request), preferences: NO_PREFERENCES };
    return { ...this.#chooser.choose(choice, this.#selection, this.#roster, seconds, { books: true }) };
  }

  /** Reports the changes of a worker's cache. */
  listenerOf(worker: number, names: PictureBlockNames): CacheListener {
    const namesMedia = this.#routing !== "text-only";
    return new KvEvents(this.router, worker, names, namesMedia);
  }

  #promptOf({ tokens, promptTokens, pictures }: PictureRequest): Prompt {
    const prompt = exactPrompt(tokens.subarray(0, promptTokens));
    if (this.#routing === "text-only") return prompt;
    const media = pictures.map(({ id, offset, tokens: length }) => ({ identity: id, offset, length }));
    return { ...prompt, media };
  }
}

/** As vLLM's: consecutive blocks are one event at the end of a step. */
class KvEvents implements CacheListener {
  readonly #router: Router;
  readonly #worker: number;
  readonly #names: PictureBlockNames;
  readonly #namesMedia: boolean;
  #stored: number[] = [];
  #removed: number[] = [];

  constructor(router: Router, worker: number, names: PictureBlockNames, namesMedia: boolean) {
    this.#router = router;
    this.#worker = worker;
    this.#names = names;
    this.#namesMedia = namesMedia;
  }

  onStored(name: number): void {
    this.#endRemoved();
    if (this.#stored.length > 0 && this.#names.blockOf(name).parent !== this.#stored.at(-1))
      this.#endStored();
    this.#stored.push(name);
  }

  onRemoved(name: number): void {
    this.#removed.push(name);
  }

  endStep(): void {
    this.#endRemoved();
    this.#endStored();
  }

  #endStored(): void {
    const [first] = this.#stored;
    if (first === undefined) return;
    const { blockSize } = this.#names;
    const blocks = this.#stored.map((name) => this.#names.blockOf(name));
    const tokenIds = new Uint32Array(blocks.length * blockSize);
    for (const [index, { tokens }] of blocks.entries()) tokenIds.set(tokens, index * blockSize);
    const { parent } = blocks[0]!;
    const mmHashes: MediaHashes = blocks.map(({ pictures }) =>
      pictures.length === 0
        ? undefined
        : BigUint64Array.from(pictures, (picture) => this.#router.mediaHash(picture)),
    );
    this.#router.applyStored(
      this.#worker,
      toHashes(this.#stored),
      parent === undefined ? undefined : engineHash(parent),
      tokenIds,
      this.#namesMedia ? { mmHashes } : {},
    );
    this.#stored = [];
  }

  #endRemoved(): void {
    if (this.#removed.length === 0) return;
    this.#router.applyRemoved(this.#worker, toHashes(this.#removed));
    this.#removed = [];
  }
}

const slotOf = (index: number, shape: WorkerShape): Slot<RoutedWorker> => ({
  worker: {
    instance: {
      id: `${index}`,
      name: `engine-${index}`,
      card: { role: "aggregated", tags: [], dataParallelSize: 1, ...shape },
    },
    isReady: true,
  },
  rank: 0,
  index,
  predictsOnly: false,
  isPredictable: true,
});

const engineHash = (name: number) => BigInt(name);

const toHashes = (names: readonly number[]) => BigUint64Array.from(names, engineHash);
