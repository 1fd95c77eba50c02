import type { DecideOptions, Decision, Router, Salt, WorkerLoad } from "#router-wasm";
import type { Selection } from "./filters/selection.ts";
import type { RoutingPolicy } from "./policies/policy.ts";
import { NO_PREFERENCES, type RoutePreferences } from "./preferences.ts";
import { exactPrompt, mediaHashesOf, type Prompt } from "./prompt.ts";
import type { Choosing, Scorer } from "./scorers/scorer.ts";
import type { Roster, RoutedWorker } from "./workers.ts";

/** A request, for the choice of its worker. */
export interface Chosen {
  readonly prompt: Prompt;
  readonly preferences: RoutePreferences;
  readonly salt?: Salt | undefined;
}

/** The fields of `DecideOptions` that change from one request to the next. */
type Asked = { -readonly [Name in keyof DecideOptions]: DecideOptions[Name] };

/**
 * Carries a policy out on the router core. A policy of the core's, without scorers, is one call of the core and makes no
 * object; scorers add an array of terms to that call, and a picker in TypeScript a second call, which books its choice.
 */
export class Chooser implements Choosing {
  prompt: Prompt = exactPrompt(new Uint32Array());
  preferences = NO_PREFERENCES;
  roster: Roster<RoutedWorker> = [];
  readonly #core: Router;
  readonly #policy: RoutingPolicy;
  readonly #scorers: readonly Scorer[];
  readonly #random: () => number;
  /** The same object for every decision. */
  readonly #asked: Asked;
  #terms = new Float64Array();
  /** Bound, so that pickers may take it apart. */
  readonly load = (index: number): WorkerLoad => this.#core.load(index);

  /** @param scorers besides those of the policy */
  constructor(core: Router, policy: RoutingPolicy, scorers: readonly Scorer[], random: () => number) {
    this.#core = core;
    this.#policy = policy;
    this.#scorers = [...(policy.scorers ?? []).map((make) => make()), ...scorers];
    this.#random = random;
    this.#asked = {
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
    };
  }

  get blockSize(): number {
    return this.#core.blockSize;
  }

  /**
   * @param roster the workers by their index in the core
   * @param seconds on the core's clock
   * @param books whether the load is booked
   * @returns the core's object: read it before the next decision
   */
  choose(
    { prompt, preferences, salt }: Chosen,
    { preferred, only, reluctant, excluded }: Selection,
    roster: Roster<RoutedWorker>,
    seconds: number,
    books: boolean,
  ): Decision {
    this.prompt = prompt;
    this.preferences = preferences;
    this.roster = roster;
    const asked = this.#asked;
    asked.tokenCount = prompt.tokens.length;
    asked.mmHashes = mediaHashesOf(prompt, this.#core);
    asked.overlapCredit = preferences.overlapCredit;
    asked.temperature = preferences.temperature;
    asked.salt = salt === undefined ? undefined : this.#core.salt(salt);
    asked.now = seconds;
    asked.book = books;
    asked.terms = this.#scorers.length === 0 ? undefined : this.#score(roster.length);
    if (preferred !== undefined) {
      const decision = this.#ask(preferred, excluded);
      if (decision.worker >= 0) return decision;
    }
    if (only === undefined && reluctant.length > 0) {
      const decision = this.#ask(only, [...excluded, ...reluctant]);
      if (decision.worker >= 0) return decision;
    }
    return this.#ask(only, excluded);
  }

  #score(workers: number): Float64Array {
    if (this.#terms.length !== workers) this.#terms = new Float64Array(workers);
    this.#terms.fill(0);
    for (const scorer of this.#scorers) scorer.score(this.#terms, this);
    return this.#terms;
  }

  #ask(pinned: number | undefined, excluded: readonly number[]): Decision {
    const asked = this.#asked;
    asked.pinnedWorker = pinned;
    asked.excluded = excluded;
    asked.random = this.#random();
    const { picker } = this.#policy;
    this.#core.writePrompt(this.prompt.tokens);
    if ("core" in picker) return this.#core.decide(asked);
    const books = asked.book;
    asked.book = false;
    const priced = this.#core.decide(asked);
    asked.book = books;
    if (priced.worker < 0) return priced;
    asked.pinnedWorker = picker.pick(this.#core.explain(), this, asked.random);
    return this.#core.decide(asked);
  }
}
