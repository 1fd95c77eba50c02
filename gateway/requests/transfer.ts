import type { ApiError } from "../kernel/errors.ts";
import type { Member } from "../models/members/member.ts";
import type { Route, RouteRequest } from "../routing/route.ts";

/** What travels between a client and the member that answers it: bytes of HTTP, or tokens. */
export interface Transfer<Worker extends Member> {
  /** Whether something of an answer is there, so that what is missing can only be added to it. */
  readonly hasBegun: boolean;
  /** What the router is asked. @param excluded members that are not to be chosen */
  routeRequest(excluded: readonly Worker[]): RouteRequest<Worker>;
  /**
   * Sends the request, or what is left of it, to the member that was chosen.
   * @param needsFreshConnection whether a connection that was used before may be why the request was lost
   */
  send(route: Route<Worker>, needsFreshConnection: boolean): void;
  /** Ends the running attempt, if there is one: nothing more of it is of use. */
  abort(): void;
  /** Forgets what has come of the attempt that failed; another one follows. */
  reset(): void;
  /**
   * Members that could not continue the answer if it were cut now; undefined if none could. Only asked once it has
   * begun.
   */
  unableToContinue(): readonly Worker[] | undefined;
  /**
   * How an answer that broke off goes on.
   * @param bound why it must not move again, for people; undefined where it may
   */
  nextStep(bound: string | undefined): NextStep<Worker> | Promise<NextStep<Worker>>;
  /** The error that a client is told where the member failed. */
  failureOf(cause: unknown): ApiError;
  /** The client has gone. @param isAnswering whether the member has begun to answer */
  onCancelled(isAnswering: boolean): void;
  /** Nobody can answer it, or not to its end. */
  onFailed(error: ApiError): void;
  /** In the place of `onFailed`, for a request that has a fallback for such an error. */
  onPassedOn(error: ApiError): void;
}

/** What becomes of an answer that has broken off. */
export type NextStep<Worker extends Member> =
  /** It ends with an error; `obstacle` says why, for people. */
  | { readonly kind: "give-up"; readonly obstacle: string }
  /** Only its end is missing. */
  | { readonly kind: "complete"; complete(): void }
  /** Another member continues. */
  | {
      readonly kind: "move";
      /** Members that cannot continue it. */
      readonly unable: readonly Worker[];
      /** Makes ready what the next member is asked. */
      prepare(): void;
    };
