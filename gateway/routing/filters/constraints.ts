import type { BoundTo } from "../../kernel/errors.ts";
import type { RouteRequest } from "../route.ts";
import type { RoutedWorker, Slot, Workers } from "../workers.ts";
import type { SessionHomes } from "./affinity.ts";
import { bindingOf } from "./binding.ts";
import type { TagFilter } from "./tags.ts";

/** Which of the core's workers a request may go to. */
export interface Constraints {
  readonly excluded: readonly number[];
  /** The only one that will do. */
  readonly only: number | undefined;
  /** The one to ask first. */
  readonly preferred: number | undefined;
}

const UNCONSTRAINED: Constraints = { excluded: [], only: undefined, preferred: undefined };

/** Works out what a request's worker, tags and session, and its tries so far, leave to choose from. */
export class ConstraintReader<Worker extends RoutedWorker> {
  readonly #workers: Workers<Worker>;
  readonly #tags: TagFilter<Worker>;
  readonly #sessions: SessionHomes<Worker>;

  constructor(workers: Workers<Worker>, tags: TagFilter<Worker>, sessions: SessionHomes<Worker>) {
    this.#workers = workers;
    this.#tags = tags;
    this.#sessions = sessions;
  }

  read({ preferences, excluded: tried }: RouteRequest<Worker>, now: number): Constraints {
    const { worker, tags, session } = preferences;
    let excluded = tags.length > 0 ? this.#tags.excludedBy(tags) : UNCONSTRAINED.excluded;
    if (tried.length > 0) {
      excluded = [...excluded, ...tried.flatMap((each) => this.#workers.slotsOf(each).map(indexOf))];
    }
    if (worker !== undefined) return this.#only(worker, excluded);
    const home = session === undefined ? undefined : this.#home(session, excluded, now);
    if (home === undefined) return excluded.length === 0 ? UNCONSTRAINED : { ...UNCONSTRAINED, excluded };
    return this.#sessions.mode === "hard"
      ? { excluded, only: home, preferred: undefined }
      : { excluded, only: undefined, preferred: home };
  }

  /**
   * A name for the set of workers that a request is bound to; empty where all will do. Of the requests with one
   * name, all have a route or none has.
   */
  nameOf({ preferences, excluded, requestId }: RouteRequest<Worker>, now: number): string {
    const { worker, tags, session } = preferences;
    if (excluded.length > 0) return `request ${requestId}`;
    const isBound = this.#sessions.mode === "hard" && session !== undefined && worker === undefined;
    const home = isBound ? this.#home(session, UNCONSTRAINED.excluded, now) : undefined;
    if (worker === undefined && tags.length === 0 && home === undefined) return "";
    return JSON.stringify([worker, tags, home]);
  }

  /** The same for people; undefined where any worker of the model will do. */
  boundTo(
    { preferences, excluded }: Pick<RouteRequest<Worker>, "preferences" | "excluded">,
    now: number,
  ): BoundTo | undefined {
    const { session } = preferences;
    const isBound = this.#sessions.mode === "hard" && session !== undefined;
    const tried = isBound ? excluded.flatMap((each) => this.#workers.slotsOf(each).map(indexOf)) : [];
    return bindingOf(preferences, isBound && this.#home(session, tried, now) !== undefined);
  }

  #only(worker: string, excluded: readonly number[]): Constraints {
    const found = this.#workers.find(worker);
    const wanted = found === undefined ? [] : this.#workers.slotsOf(found);
    if (wanted.length === 1) return { excluded, only: wanted[0]!.index, preferred: undefined };
    const others = this.#workers.roster.flatMap((slot) =>
      slot === undefined || wanted.includes(slot) ? [] : [slot.index],
    );
    return { ...UNCONSTRAINED, excluded: [...excluded, ...others] };
  }

  /** Where the session is at home; nowhere when that worker has gone for good, or will not do this time. */
  #home(session: string, excluded: readonly number[], now: number): number | undefined {
    if (this.#sessions.mode === "off") return undefined;
    const home = this.#sessions.find(session, now);
    if (home === undefined || this.#workers.roster[home.index] !== home) return undefined;
    return excluded.includes(home.index) ? undefined : home.index;
  }
}

const indexOf = <Worker extends RoutedWorker>({ index }: Slot<Worker>) => index;
