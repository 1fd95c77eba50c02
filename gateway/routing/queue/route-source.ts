import type { BoundTo } from "../../kernel/errors.ts";
import type { Route, RouteRequest } from "../route.ts";
import type { RoutedWorker } from "../workers.ts";

/** The way to one model's workers. */
export interface RouteSource<Worker extends RoutedWorker> {
  /**
   * Asks for a route. The handler may have it, or be refused, before this returns.
   * @returns the place in the queue of a request that has to wait
   */
  apply(request: RouteRequest<Worker>, handler: RouteHandler<Worker>): PendingRoute | undefined;
  /** Which workers a request is bound to by what it says itself, for people; undefined where any will do. */
  boundTo(request: RouteRequest<Worker>): BoundTo | undefined;
}

/** Who asks for a route. Exactly one of the two is called, once, unless the request leaves the queue before. */
export interface RouteHandler<Worker extends RoutedWorker> {
  onRoute(route: Route<Worker>): void;
  onRefused(error: Error): void;
}

/** A place in the queue. */
export interface PendingRoute {
  /** Gives the place up: the client has gone. */
  leave(): void;
}
