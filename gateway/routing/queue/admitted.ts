import { clientLeft } from "../../errors.ts";
import type { Route, RouteRequest } from "../route.ts";
import type { RoutedWorker } from "../workers.ts";
import type { Admission } from "./admission.ts";

/**
 * A request's route as a promise, for what is answered in one piece.
 * @throws ApiError where it is refused, or 499 where `signal` aborts while it waits
 */
export function admitted<Worker extends RoutedWorker>(
  admission: Admission<Worker>,
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
    const ticket = admission.apply(request, {
      onRoute: (route) => settle(() => resolve(route)),
      onRefused: (error) => settle(() => reject(error)),
    });
    if (signal.aborted) abort();
  });
}
