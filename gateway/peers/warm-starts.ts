import { type Logger, messageOf, PlaneError } from "#runtime";
import type { Member } from "../models/members/member.ts";
import type { ConnectWorker } from "../models/members/worker-connection.ts";
import type { WarmModel, WarmStart } from "../models/warm-start.ts";
import type { CopiedRank } from "../routing/cache/index-copies.ts";
import { sharedIdOf } from "../routing/load/shared-load.ts";
import { type ReceivedIndex, requestIndex } from "./index-client.ts";
import { mergeIndex } from "./merge-index.ts";
import type { GatewayRegistration } from "./registration.ts";

/** How long after the start members get what other gateways know of them, in milliseconds. */
const JOIN_MS = 10_000;
/** Longest time until a model's index has arrived and is in use, in milliseconds. */
const LIMIT_MS = 5_000;
/** Longest time without an answer, after which another gateway is asked, in milliseconds. */
const SILENCE_MS = 2_000;

export interface WarmStartsOptions {
  /** The other gateways, the one to ask first at the front. */
  gateways(): readonly GatewayRegistration[];
  readonly connect: ConnectWorker;
  /** Runs a function once the current turn of the event loop is over. */
  defer(run: () => void): void;
  readonly log: Logger;
  /** Default: as above. */
  readonly limitMs?: number | undefined;
}

/** An index, and the id of the gateway that has sent it. */
interface Answer {
  readonly gateway: string;
  readonly index: ReceivedIndex;
}

type TakenRanks = ReadonlyMap<Member, readonly CopiedRank[]>;

/** One model's index, and the members that wait for it. */
interface Warming {
  readonly answer: Promise<Answer | undefined>;
  /** When the time for the first members is over, on the clock of `performance.now()`. */
  readonly until: number;
  waiting: Set<Member>;
  /** The merge for the members that wait; undefined if none does. */
  next: Promise<TakenRanks> | undefined;
  /** The last merge. */
  last: Promise<unknown>;
  /** Merges that have not ended. */
  running: number;
}

/** Takes over what other gateways know of caches, for a gateway that has just started. */
export class WarmStarts implements WarmStart {
  /** Blocks taken over so far: of all workers, stored or predicted. */
  blocks = 0;
  readonly #options: WarmStartsOptions;
  readonly #models = new Map<string, Warming>();
  /** Members by their models and shared ids, and what was taken over: another one of the same id has restarted. */
  readonly #taken = new Map<string, { member: Member; ranks: Promise<readonly CopiedRank[]> }>();
  #isOpen = true;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(options: WarmStartsOptions) {
    this.#options = options;
    this.#timer = setTimeout(() => this.close(), JOIN_MS);
  }

  /** Members that join from now on start without other gateways' knowledge. */
  close(): void {
    clearTimeout(this.#timer);
    this.#isOpen = false;
    this.#taken.clear();
    for (const [name, { running }] of this.#models) if (running === 0) this.#models.delete(name);
  }

  get #limitMs(): number {
    return this.#options.limitMs ?? LIMIT_MS;
  }

  isWarming(model: string): boolean {
    return (this.#models.get(model)?.running ?? 0) > 0;
  }

  take(model: WarmModel, member: Member): Promise<readonly CopiedRank[]> | undefined {
    const key = JSON.stringify([model.name, sharedIdOf(member.instance)]);
    const known = this.#taken.get(key);
    if (known !== undefined) return known.member === member ? known.ranks : undefined;
    if (!this.#isOpen || this.#options.gateways().length === 0) return undefined;
    const warming = this.#models.get(model.name) ?? this.#begin(model.name);
    warming.waiting.add(member);
    warming.next ??= this.#merge(model, warming);
    const ranks = warming.next.then((all) => all.get(member) ?? []);
    this.#taken.set(key, { member, ranks });
    return ranks;
  }

  #begin(name: string): Warming {
    const until = performance.now() + this.#limitMs;
    const answer = this.#request(name, until);
    const warming = { answer, until, waiting: new Set<Member>(), next: undefined, last: answer, running: 0 };
    this.#models.set(name, warming);
    return warming;
  }

  /** The model's index from the first gateway that has it. */
  async #request(name: string, until: number): Promise<Answer | undefined> {
    const { gateways, connect, log } = this.#options;
    let reason = "none has answered in time";
    for (const { id, address } of gateways()) {
      const limitMs = Math.ceil(until - performance.now());
      if (limitMs <= 0) break;
      try {
        const index = await requestIndex(connect, address, name, { limitMs, silenceMs: SILENCE_MS });
        return { gateway: id, index };
      } catch (error) {
        const isOlder = error instanceof PlaneError && error.code === "unknown_endpoint";
        reason = isOlder ? "another gateway's version cannot hand it over" : messageOf(error);
        log.debug("another gateway does not hand over its index", { gateway: id, model: name, reason });
      }
    }
    log.info("starting without what other gateways know of a model's caches", { model: name, reason });
    return undefined;
  }

  /** Merges the index for the members that wait when it has arrived, and the merge before has ended. */
  async #merge(model: WarmModel, warming: Warming): Promise<TakenRanks> {
    const before = warming.last;
    const begun = performance.now();
    warming.running++;
    const merge = (async () => {
      await before;
      const answer = await warming.answer;
      const members = warming.waiting;
      warming.waiting = new Set();
      warming.next = undefined;
      // Members that join later get as much time from then on.
      const until = Math.max(warming.until, begun + this.#limitMs);
      return answer === undefined ? new Map() : this.#mergeFor(model, answer, members, begun, until);
    })();
    warming.last = merge;
    try {
      return await merge;
    } finally {
      warming.running--;
      if (!this.#isOpen) this.close();
    }
  }

  async #mergeFor(
    model: WarmModel,
    { gateway, index }: Answer,
    members: ReadonlySet<Member>,
    begun: number,
    until: number,
  ): Promise<TakenRanks> {
    const { defer, log } = this.#options;
    try {
      const { ranks, stored, predicted } = await mergeIndex(model, index, members, { defer, until });
      this.blocks += stored + predicted;
      log.info("took over what another gateway knows of a model's caches", {
        model: model.name,
        gateway,
        workers: ranks.size,
        blocks: stored,
        predictedBlocks: predicted,
        ms: Math.round(performance.now() - begun),
      });
      return ranks;
    } catch (error) {
      const reason = messageOf(error);
      log.warn("cannot use what another gateway knows of a model's caches", { model: model.name, reason });
      return new Map();
    }
  }
}
