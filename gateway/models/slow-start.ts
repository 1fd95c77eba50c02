import type { BoundTo } from "../kernel/errors.ts";
import type { Applicant, QueueTicket, RouteSource } from "../routing/queue/route-source.ts";
import type { Route, RouteRequest } from "../routing/route.ts";
import type { EngineWorker } from "./members/engine-worker.ts";

const NONE: readonly EngineWorker[] = [];

/**
 * Gives engines that have come only just their growing share of requests: each is left out by chance, unless no other
 * one will do.
 */
export class SlowStart implements RouteSource<EngineWorker> {
  readonly #routes: RouteSource<EngineWorker>;
  readonly #workers: ReadonlySet<EngineWorker>;

  constructor(routes: RouteSource<EngineWorker>, workers: ReadonlySet<EngineWorker>) {
    this.#routes = routes;
    this.#workers = workers;
  }

  apply(request: RouteRequest<EngineWorker>, applicant: Applicant<EngineWorker>): QueueTicket | undefined {
    const reluctant = this.#reluctant(performance.now());
    if (reluctant.length === 0) return this.#routes.apply(request, applicant);
    return new SecondChance(this.#routes, request, applicant).apply(reluctant);
  }

  boundTo(request: RouteRequest<EngineWorker>): BoundTo | undefined {
    return this.#routes.boundTo(request);
  }

  /** None where all have come together. */
  #reluctant(now: number): readonly EngineWorker[] {
    let hasSettled = false;
    let isAnyNew = false;
    for (const { engine } of this.#workers) {
      if (engine.state !== "ready") continue;
      if (engine.shareAt(now) < 1) isAnyNew = true;
      else hasSettled = true;
    }
    if (!isAnyNew || !hasSettled) return NONE;
    return [...this.#workers].filter(({ engine }) => Math.random() >= engine.shareAt(now));
  }
}

/** A request that is tried without some engines, and with them where it is refused. */
class SecondChance implements Applicant<EngineWorker>, QueueTicket {
  readonly #routes: RouteSource<EngineWorker>;
  readonly #request: RouteRequest<EngineWorker>;
  readonly #applicant: Applicant<EngineWorker>;
  #ticket: QueueTicket | undefined;

  constructor(
    routes: RouteSource<EngineWorker>,
    request: RouteRequest<EngineWorker>,
    applicant: Applicant<EngineWorker>,
  ) {
    this.#routes = routes;
    this.#request = request;
    this.#applicant = applicant;
  }

  apply(reluctant: readonly EngineWorker[]): QueueTicket {
    const excluded = [...this.#request.excluded, ...reluctant];
    const ticket = this.#routes.apply({ ...this.#request, excluded }, this);
    // Where it was refused meanwhile, the second ticket is there already.
    this.#ticket ??= ticket;
    return this;
  }

  onRoute(route: Route<EngineWorker>): void {
    this.#applicant.onRoute(route);
  }

  onRefused(): void {
    this.#ticket = this.#routes.apply(this.#request, this.#applicant);
  }

  leave(): void {
    this.#ticket?.leave();
  }
}
