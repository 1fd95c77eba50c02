import type { DecideOptions, Decision, Router, Salt, WorkerLoad } from "#router-wasm";
import type { Selection } from "./filters/selection.ts";
import type { RoutingPolicy } from "./policies/policy.ts";
import { NO_PREFERENCES, type RoutePreferences } from "./preferences.ts";
import { exactPrompt, mediaHashesOf, type Prompt } from "./prompt.ts";
import type { RoutingContext, Scorer } from "./scorers/scorer.ts";
import type { Roster, RoutedWorker } from "./workers.ts";

/** The parts of a request that the choice of a worker depends on. */
export interface ChoiceRequest {
  readonly prompt: Prompt;
  readonly preferences: RoutePreferences;
  readonly salt?: Salt | undefined;
}

/** How a choice is made. */
export interface ChoiceMode {
  /** Whether to book the load. */
  readonly books: boolean;
  /** Whether the prompt is computed elsewhere; see `DecideOptions`. */
  readonly decodeOnly?: boolean;
  /** Uniform in [0, 1); default: drawn. With the one of an earlier choice, a policy that `repeats` makes it again. */
  readonly random?: number;
}

/** `DecideOptions` with writable fields. */
type MutableOptions = { -readonly [Name in keyof DecideOptions]: DecideOptions[Name] };

/**
 * Applies a policy with the router core. A core policy without scorers takes one call to the core and allocates
 * nothing; scorers add an array of terms to that call, and a picker in TypeScript adds a second call, which books its
 * choice.
 */
export class Chooser implements RoutingContext {
  prompt: Prompt = exactPrompt(new Uint32Array());
  preferences = NO_PREFERENCES;
  roster: Roster<RoutedWorker> = [];
  /** The random number by which the last choice was made. */
  lastRandom = 0;
  readonly #core: Router;
  readonly #policy: RoutingPolicy;
  readonly #scorers: readonly Scorer[];
  readonly #random: () => number;
  /** Reused for every decision. */
  readonly #options: MutableOptions;
  #terms = new Float64Array();
  /** The random number for the current choice, if it is not drawn. */
  #given: number | undefined;
  /** Bound, so that pickers can destructure it. */
  readonly load = (index: number): WorkerLoad => this.#core.load(index);

  /** @param scorers in addition to the policy's */
  constructor(core: Router, policy: RoutingPolicy, scorers: readonly Scorer[], random: () => number) {
    this.#core = core;
    this.#policy = policy;
    this.#scorers = [...(policy.scorers ?? []).map((make) => make()), ...scorers];
    this.#random = random;
    this.#options = {
      tokenCount: 0,
      policy: "core" in policy.picker ? policy.picker.core : "kv",
      random: 0,
      pinnedWorker: undefined,
      excluded: undefined,
      terms: undefined,
      overlapCredit: undefined,
      temperature: undefined,
      salt: undefined,
      mmHashes: undefined,
      now: undefined,
      book: undefined,
      decodeOnly: undefined,
    };
  }

  get blockSize(): number {
    return this.#core.blockSize;
  }

  /** Whether the same choice with the same random number has the same result: not if it is a matter of turns. */
  get repeats(): boolean {
    return this.#options.policy !== "round-robin";
  }

  /**
   * @param roster the slots by their index in the core
   * @param seconds on the core's clock
   * @returns an object that the core reuses: read it before the next decision
   */
  choose(
    { prompt, preferences, salt }: ChoiceRequest,
    { preferred, only, avoided, excluded }: Selection,
    roster: Roster<RoutedWorker>,
    seconds: number,
    { books, decodeOnly, random }: ChoiceMode,
  ): Decision {
    this.prompt = prompt;
    this.preferences = preferences;
    this.roster = roster;
    const options = this.#options;
    options.tokenCount = prompt.tokens.length;
    options.mmHashes = mediaHashesOf(prompt, this.#core);
    options.overlapCredit = preferences.overlapCredit;
    options.temperature = preferences.temperature;
    options.salt = salt;
    options.now = seconds;
    options.book = books;
    options.decodeOnly = decodeOnly;
    this.#given = random;
    options.terms = this.#areIdle ? undefined : this.#score(roster.length);
    if (preferred !== undefined) {
      const decision = this.#decide(preferred, excluded);
      if (decision.worker >= 0) return decision;
    }
    if (only === undefined && avoided.length > 0) {
      const decision = this.#decide(only, [...excluded, ...avoided]);
      if (decision.worker >= 0) return decision;
    }
    return this.#decide(only, excluded);
  }

  get #areIdle(): boolean {
    for (const { isIdle = false } of this.#scorers) if (!isIdle) return false;
    return true;
  }

  #score(workers: number): Float64Array {
    if (this.#terms.length !== workers) this.#terms = new Float64Array(workers);
    this.#terms.fill(0);
    for (const scorer of this.#scorers) scorer.score(this.#terms, this);
    return this.#terms;
  }

  #decide(pinned: number | undefined, excluded: readonly number[]): Decision {
    const options = this.#options;
    options.pinnedWorker = pinned;
    options.excluded = excluded;
    options.random = this.#given ?? this.#random();
    this.lastRandom = options.random;
    const { picker } = this.#policy;
    this.#core.writePrompt(this.prompt.tokens);
    if ("core" in picker) return this.#core.decide(options);
    const books = options.book;
    options.book = false;
    const priced = this.#core.decide(options);
    options.book = books;
    if (priced.worker < 0) return priced;
    options.pinnedWorker = picker.pick(this.#core.explain(), this, options.random);
    return this.#core.decide(options);
  }
}
