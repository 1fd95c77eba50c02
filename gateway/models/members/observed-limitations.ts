import type { EngineAdapter, EngineProfile, KvEventOrigin, Limitation } from "../../engines/types.ts";
import type { Feed } from "../../feeds/feed.ts";
import type { EngineSpec } from "./engine-spec.ts";

/** Answers after which something that has never appeared counts as missing. */
const PERSISTENT = 20;

/** What a complete answer of an engine reveals. */
export interface ObservedAnswer {
  /** Whole KV blocks of its prompt, which the engine stores if it caches at all. */
  readonly promptBlocks: number;
  /** How many of these the engine was expected to have cached. */
  readonly overlapBlocks: number;
  /** Whether the answer has usage. */
  readonly hasUsage: boolean;
  /** Undefined if the answer does not report it. */
  readonly cachedTokens: number | undefined;
}

type ObservedFeed = Pick<Feed, "isConnected" | "batches">;

/** Limitations of an engine that only show in operation: a probe sees neither answers nor missing events. */
export class ObservedLimitations {
  readonly #adapter: EngineAdapter;
  readonly #sources: readonly KvEventOrigin[];
  readonly #feedOf: () => ObservedFeed | undefined;
  readonly #onChange: (limitation: Limitation, isThere: boolean) => void;
  readonly #limitations = new Map<string, Limitation>();
  #unheard = 0;
  #silent = 0;

  /**
   * @param feedOf the current feed
   * @param onChange called once when a limitation appears, and once when it is gone
   */
  constructor(
    adapter: EngineAdapter,
    sources: readonly KvEventOrigin[],
    feedOf: () => ObservedFeed | undefined,
    onChange: (limitation: Limitation, isThere: boolean) => void,
  ) {
    this.#adapter = adapter;
    this.#sources = sources;
    this.#feedOf = feedOf;
    this.#onChange = onChange;
  }

  /** The current limitations. */
  get limitations(): Limitation[] {
    return [...this.#limitations.values()];
  }

  /** Whether expected KV events are missing. */
  get isSilent(): boolean {
    return this.#limitations.has("kv-events");
  }

  /** Notes KV events that cannot be read; the first problem is reported. */
  noteUnreadable(what: string): void {
    this.#note({
      code: "kv-events-unreadable",
      what: `some of its KV events cannot be read (${what}), so its cache is not fully known`,
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
        ? `it announces KV events at ${places.join(", ")}, but none has ever arrived`
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
        "its answers do not report how much of a prompt came from its cache, so wrong predictions go unnoticed";
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

export const NO_KV_FEED: Limitation = {
  code: "kv-events",
  what: "the gateway cannot receive KV events on this runtime, so what its cache holds is predicted",
  flag: undefined,
};

export const REPLICAS: Limitation = {
  code: "replicas",
  what: "several engines answer at its address, so what each of them has cached is unknown: attach each by its own address",
  flag: undefined,
};

/** That the engine reports another role than the one that its operator has given it. */
export function roleConflict(
  adapter: EngineAdapter | undefined,
  { role }: Pick<EngineSpec, "role">,
  profile: EngineProfile,
): Limitation[] {
  if (role === "encode" && profile.role !== "encode" && adapter?.encoding === undefined) {
    const what =
      "it was attached as 'encode', but engines of its kind encode media only for themselves, so it gets no requests";
    return [{ code: "role", what, flag: adapter?.disaggregation?.flagFor(role) }];
  }
  if (role === undefined || profile.role === undefined || role === profile.role) return [];
  const what = `it reports the role '${profile.role}', but was attached as '${role}': requests that it gets in that role fail or hang`;
  return [{ code: "role", what, flag: adapter?.disaggregation?.flagFor(role) }];
}
