import type { Member } from "../models/members/member.ts";
import type { PendingRoute, RouteHandler, RouteSource } from "../routing/queue/route-source.ts";
import type { Route, RouteRequest } from "../routing/route.ts";

/**
 * Finds a member to take over a request whose member is leaving. Meanwhile the old one keeps answering; if no other
 * member has capacity, the request stays where it is.
 */
export class Handover<Worker extends Member> implements RouteHandler<Worker> {
  #state: "searching" | "found" | "over" = "searching";
  #pending: PendingRoute | undefined;
  readonly #onFound: (route: Route<Worker>) => void;

  constructor(onFound: (route: Route<Worker>) => void) {
    this.#onFound = onFound;
  }

  /** Whether it has ended without a route. */
  get isOver(): boolean {
    return this.#state === "over";
  }

  search(source: RouteSource<Worker>, request: RouteRequest<Worker>): void {
    const pending = source.apply(request, this);
    if (this.#state === "searching") this.#pending = pending;
    // The route that it found has already caused it to be cancelled.
    else if (this.#state === "over") pending?.leave();
  }

  /** Called when the request has ended, or failed on its current member. */
  cancel(): void {
    this.#pending?.leave();
    this.#pending = undefined;
    this.#state = "over";
  }

  onRoute(route: Route<Worker>): void {
    this.#pending = undefined;
    this.#state = "found";
    this.#onFound(route);
  }

  onRefused(): void {
    this.#pending = undefined;
    this.#state = "over";
  }
}
