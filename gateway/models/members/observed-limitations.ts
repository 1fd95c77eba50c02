import type { EngineAdapter, KvEventSource, Limitation } from "../../engines/types.ts";
import type { Feed } from "../../feeds/feed.ts";

/** Answers after which something that has never come is taken for missing. */
const PERSISTENT = 20;

/** What a whole answer of an engine has shown. */
export interface ObservedAnswer {
  /** Whole KV blocks of its prompt: as many the engine has stored, if it stores any. */
  readonly promptBlocks: number;
  /** Of these, as many as the engine was expected to have in its cache. */
  readonly overlapBlocks: number;
  /** Whether the answer says how many tokens it took. */
  readonly hasUsage: boolean;
  /** Undefined where the answer does not say. */
  readonly cachedTokens: number | undefined;
}

type ObservedFeed = Pick<Feed, "isConnected" | "batches">;

/** What an engine turns out to lack only by what it does: a probe sees no answers, and no events that do not come. */
export class ObservedLimitations {
  readonly #adapter: EngineAdapter;
  readonly #sources: readonly KvEventSource[];
  readonly #feedOf: () => ObservedFeed | undefined;
  readonly #onChange: (limitation: Limitation, isThere: boolean) => void;
  readonly #limitations = new Map<string, Limitation>();
  #unheard = 0;
  #silent = 0;

  /**
   * @param feedOf the feed that is followed now
   * @param onChange is told once of each, and once when it is there after all
   */
  constructor(
    adapter: EngineAdapter,
    sources: readonly KvEventSource[],
    feedOf: () => ObservedFeed | undefined,
    onChange: (limitation: Limitation, isThere: boolean) => void,
  ) {
    this.#adapter = adapter;
    this.#sources = sources;
    this.#feedOf = feedOf;
    this.#onChange = onChange;
  }

  /** Those that are there now. */
  get limitations(): Limitation[] {
    return [...this.#limitations.values()];
  }

  /** Whether KV events that should come do not. */
  get isSilent(): boolean {
    return this.#limitations.has("kv-events");
  }

  /** Something in its KV events cannot be read; the first time says what. */
  noteUnreadable(what: string): void {
    this.#note({
      code: "kv-events-unreadable",
      what: `not all of its KV events can be read (${what}), so not all that its cache holds is known`,
      flag: undefined,
    });
  }

  observe(answer: ObservedAnswer): void {
    this.#observeEvents(answer);
    this.#observeCachedTokens(answer);
  }

  #observeEvents({ promptBlocks }: ObservedAnswer): void {
    const places = this.#sources.flatMap((source) => (source.kind === "zmq" ? [source.endpoint] : []));
    const feed = this.#feedOf();
    if (feed === undefined || places.length === 0 || promptBlocks === 0) return;
    if (feed.batches > 0) {
      this.#unheard = 0;
      this.#take("kv-events");
    } else if (++this.#unheard >= PERSISTENT) {
      const what = feed.isConnected
        ? `it says that it publishes KV events at ${places.join(", ")}, but none has ever come`
        : `its KV events cannot be reached at ${places.join(", ")}`;
      this.#note({ code: "kv-events", what, flag: undefined });
    }
  }

  #observeCachedTokens({ overlapBlocks, hasUsage, cachedTokens }: ObservedAnswer): void {
    const flag = this.#adapter.cachedTokensFlag;
    if (cachedTokens !== undefined) {
      this.#silent = 0;
      this.#take("cached-tokens");
    } else if (flag !== undefined && hasUsage && overlapBlocks > 0 && ++this.#silent >= PERSISTENT) {
      const what =
        "its answers do not say how much of a prompt came from its cache, so nobody notices when predictions do not come true";
      this.#note({ code: "cached-tokens", what, flag });
    }
  }

  #take(code: string): void {
    const limitation = this.#limitations.get(code);
    if (limitation === undefined) return;
    this.#limitations.delete(code);
    this.#onChange(limitation, false);
  }

  #note(limitation: Limitation): void {
    if (this.#limitations.has(limitation.code)) return;
    this.#limitations.set(limitation.code, limitation);
    this.#onChange(limitation, true);
  }
}

export const DEAF: Limitation = {
  code: "kv-events",
  what: "the gateway cannot follow its KV events on this runtime, so what its cache holds is predicted",
  flag: undefined,
};

export const REPLICAS: Limitation = {
  code: "replicas",
  what: "several engines answer at its address, so what each of them has cached is not known: attach each by an address of its own",
  flag: undefined,
};
