import type { BoundTo } from "../../kernel/errors.ts";
import type { RoutePreferences } from "../preferences.ts";
import type { RouteRequest } from "../route.ts";
import { indicesOf, type RoutedWorker } from "../workers.ts";
import type { FilterContext } from "./filter.ts";

/**
 * Describes the workers to which a request is bound by its preferences; undefined if it can go to any worker of the
 * model.
 * @param isSessionBound whether its session requires one worker
 */
export function bindingOf(
  { worker, tags }: Pick<RoutePreferences, "worker" | "tags">,
  isSessionBound = false,
): BoundTo | undefined {
  if (worker !== undefined) return { one: true, text: `the worker '${worker}', which it names` };
  if (isSessionBound) return { one: true, text: "the worker that its session is bound to" };
  if (tags.length > 0) return { one: false, text: `workers with the tags it names: ${tags.join(", ")}` };
  return undefined;
}

/** Determines the workers to which requests are bound, for the queue and for messages. */
export class Bindings<Worker extends RoutedWorker> {
  readonly #context: FilterContext<Worker>;

  constructor(context: FilterContext<Worker>) {
    this.#context = context;
  }

  /**
   * A key for the set of workers to which a request is bound; empty if it can go to any. If one request with a key has
   * no route, no other request with that key has one.
   */
  keyOf({ preferences, excluded, requestId, prompt }: RouteRequest<Worker>, now: number): string {
    const { worker, tags, session } = preferences;
    if (excluded.length > 0 || !this.#context.workers.allFit(prompt)) return `request ${requestId}`;
    const bound = worker === undefined ? this.#bound(session, now) : undefined;
    if (worker === undefined && tags.length === 0 && bound === undefined) return "";
    return JSON.stringify([worker, tags, bound]);
  }

  /** A description of that set; undefined if the request can go to any worker of the model. */
  boundTo(
    { preferences, excluded }: Pick<RouteRequest<Worker>, "preferences" | "excluded">,
    now: number,
  ): BoundTo | undefined {
    const bound = this.#bound(preferences.session, now);
    const isTried = excluded.some((worker) =>
      indicesOf(this.#context.workers.slotsOf(worker)).some((index) => index === bound),
    );
    return bindingOf(preferences, bound !== undefined && !isTried);
  }

  /** The worker that the session's requests must go to. */
  #bound(session: string | undefined, now: number): number | undefined {
    const { sessions, workers } = this.#context;
    if (session === undefined || sessions.mode !== "hard") return undefined;
    return sessions.boundTo(session, workers, now);
  }
}
