import { clientLeft } from "../../kernel/errors.ts";
import type { Route, RouteRequest } from "../route.ts";
import type { RoutedWorker } from "../workers.ts";
import type { RouteSource } from "./route-source.ts";

/**
 * A request's route as a promise, for what is answered in one piece.
 * @throws ApiError where it is refused, or 499 where `signal` aborts while it waits
 */
export function admitted<Worker extends RoutedWorker>(
  routes: RouteSource<Worker>,
  request: RouteRequest<Worker>,
  signal: AbortSignal,
): Promise<Route<Worker>> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      ticket?.leave();
      reject(clientLeft());
    };
    const settle = (action: () => void) => {
      signal.removeEventListener("abort", abort);
      action();
    };
    signal.addEventListener("abort", abort);
    const ticket = routes.apply(request, {
      onRoute: (route) => settle(() => resolve(route)),
      onRefused: (error) => settle(() => reject(error)),
    });
    if (signal.aborted) abort();
  });
}
