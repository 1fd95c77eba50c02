import type { ApiError } from "../kernel/errors.ts";
import type { Member } from "../models/members/member.ts";
import type { Route, RouteRequest } from "../routing/route.ts";

/** What passes between a client and the member that answers it: HTTP bytes or tokens. */
export interface Transfer<Worker extends Member> {
  /** Whether the client has received part of an answer, which can then only be continued. */
  readonly hasBegun: boolean;
  /** The request to the router. @param excluded members not to be chosen */
  routeRequest(excluded: readonly Worker[]): RouteRequest<Worker>;
  /**
   * Sends the request, or the rest of it, to the chosen member.
   * @param needsFreshConnection whether a stale connection may be why an earlier attempt was lost
   */
  send(route: Route<Worker>, needsFreshConnection: boolean): void;
  /** Cancels the current attempt, if there is one. */
  abort(): void;
  /** Resets the state of a failed attempt before the next one. */
  reset(): void;
  /**
   * Members that cannot continue the answer if it is cut now; undefined if none can. Only called once the answer has
   * begun.
   */
  unableToContinue(): readonly Worker[] | undefined;
  /**
   * Decides how to proceed with a broken answer.
   * @param moveObstacle why it must not move again, for logs; undefined if it may
   */
  nextStep(moveObstacle: string | undefined): NextStep<Worker> | Promise<NextStep<Worker>>;
  /** The error that the client gets if the member failed. */
  failureOf(cause: unknown): ApiError;
  /** The client has disconnected. @param isAnswering whether the member has begun to answer */
  onCancelled(isAnswering: boolean): void;
  /** No member can answer it, or complete the answer. */
  onFailed(error: ApiError): void;
  /** Called instead of `onFailed` if another model may answer. */
  onFallback(error: ApiError): void;
}

/** How to proceed with a broken answer. */
export type NextStep<Worker extends Member> =
  /** It ends with an error; `obstacle` says why, for logs. */
  | { readonly kind: "give-up"; readonly obstacle: string }
  /** Only its end is missing. */
  | { readonly kind: "complete"; complete(): void }
  /** Another member continues. */
  | {
      readonly kind: "move";
      /** Members that cannot continue it. */
      readonly unable: readonly Worker[];
      /** Prepares the request to the next member. */
      prepare(): void;
    };
