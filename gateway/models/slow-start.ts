import type { BoundTo } from "../kernel/errors.ts";
import type { Applicant, QueueTicket, RouteSource } from "../routing/queue/route-source.ts";
import type { Route, RouteRequest } from "../routing/route.ts";
import type { Member } from "./members/member.ts";

const NONE: readonly never[] = [];

/**
 * Gives members that have come only just their growing share of requests: each is left out by chance, unless no other
 * one will do.
 */
export class SlowStart<Worker extends Member> implements RouteSource<Worker> {
  readonly #routes: RouteSource<Worker>;
  readonly #workers: () => Iterable<Worker>;

  constructor(routes: RouteSource<Worker>, workers: () => Iterable<Worker>) {
    this.#routes = routes;
    this.#workers = workers;
  }

  apply(request: RouteRequest<Worker>, applicant: Applicant<Worker>): QueueTicket | undefined {
    const reluctant = this.#reluctant(performance.now());
    if (reluctant.length === 0) return this.#routes.apply(request, applicant);
    return new SecondChance(this.#routes, request, applicant).apply(reluctant);
  }

  boundTo(request: RouteRequest<Worker>): BoundTo | undefined {
    return this.#routes.boundTo(request);
  }

  /** None where all have come together. */
  #reluctant(now: number): readonly Worker[] {
    let hasSettled = false;
    let isAnyNew = false;
    for (const worker of this.#workers()) {
      if (!worker.isReady) continue;
      if (worker.shareAt(now) < 1) isAnyNew = true;
      else hasSettled = true;
    }
    if (!isAnyNew || !hasSettled) return NONE;
    return Array.from(this.#workers()).filter((worker) => Math.random() >= worker.shareAt(now));
  }
}

/** A request that is tried without some members, and with them where it is refused. */
class SecondChance<Worker extends Member> implements Applicant<Worker>, QueueTicket {
  readonly #routes: RouteSource<Worker>;
  readonly #request: RouteRequest<Worker>;
  readonly #applicant: Applicant<Worker>;
  #ticket: QueueTicket | undefined;

  constructor(routes: RouteSource<Worker>, request: RouteRequest<Worker>, applicant: Applicant<Worker>) {
    this.#routes = routes;
    this.#request = request;
    this.#applicant = applicant;
  }

  apply(reluctant: readonly Worker[]): QueueTicket {
    const excluded = [...this.#request.excluded, ...reluctant];
    const ticket = this.#routes.apply({ ...this.#request, excluded }, this);
    // Where it was refused meanwhile, the second ticket is there already.
    this.#ticket ??= ticket;
    return this;
  }

  onRoute(route: Route<Worker>): void {
    this.#applicant.onRoute(route);
  }

  onRefused(): void {
    this.#ticket = this.#routes.apply(this.#request, this.#applicant);
  }

  leave(): void {
    this.#ticket?.leave();
  }
}
