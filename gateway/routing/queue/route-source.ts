import type { BoundTo } from "../../kernel/errors.ts";
import type { Route, RouteRequest } from "../route.ts";
import type { RoutedWorker } from "../workers.ts";

/** Provides routes to one model's workers. */
export interface RouteSource<Worker extends RoutedWorker> {
  /**
   * Applies for a route. The handler may be called before this returns.
   * @returns the request's place in the queue, if it has to wait
   */
  apply(request: RouteRequest<Worker>, handler: RouteHandler<Worker>): PendingRoute | undefined;
  /** Describes the workers to which a request is bound; undefined if it can go to any. */
  boundTo(request: RouteRequest<Worker>): BoundTo | undefined;
}

/** Receives a route. Exactly one method is called, once, unless the request leaves the queue first. */
export interface RouteHandler<Worker extends RoutedWorker> {
  onRoute(route: Route<Worker>): void;
  onRefused(error: Error): void;
}

/** A place in the queue. */
export interface PendingRoute {
  /** Gives up the place, because the client has disconnected for example. */
  leave(): void;
}
