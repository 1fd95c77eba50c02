import {
  type ApiError,
  type BoundTo,
  deadlineExceeded,
  displaced,
  noWorkerReady,
  queueFull,
  queueTimedOut,
  serverBusy,
  tooManyForQueue,
} from "../../kernel/errors.ts";
import type { RefusalReason, RoutingMetrics } from "../../kernel/metrics.ts";
import type { ModelRouter } from "../model-router.ts";
import type { RouteRequest } from "../route.ts";
import type { RoutedWorker } from "../workers.ts";
import { type Entry, FairQueue } from "./fair-queue.ts";
import type { QueueOptions } from "./options.ts";
import type { PendingRoute, RouteHandler, RouteSource } from "./route-source.ts";

interface Waiting<Worker extends RoutedWorker> {
  readonly request: RouteRequest<Worker>;
  readonly handler: RouteHandler<Worker>;
  /** Which workers it is bound to; see `Bindings.nameOf`. */
  bound: string;
  /** On the clock of `performance.now()`. */
  readonly since: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** Takes it out of the queue that it is in now. */
  leave: () => void;
}

/**
 * The way to one model's workers: at once where one has room, else through the queue, if there is one, or not at
 * all. Whoever waits is looked at again when a worker has less to do or becomes ready, and never by the clock.
 */
export class Admission<Worker extends RoutedWorker> implements RouteSource<Worker> {
  readonly #model: string;
  readonly #router: ModelRouter<Worker>;
  readonly #options: QueueOptions;
  readonly #metrics: RoutingMetrics;
  readonly #queue: FairQueue<Waiting<Worker>>;
  #isServing = false;

  constructor(model: string, router: ModelRouter<Worker>, options: QueueOptions, metrics: RoutingMetrics) {
    this.#model = model;
    this.#router = router;
    this.#options = options;
    this.#metrics = metrics;
    this.#queue = new FairQueue(options);
    router.onRoom = () => this.#serveSoon();
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#queue.size;
  }

  /**
   * Asks for a route. Where nobody waits and a worker has room, the handler has it before this returns.
   * @returns the place in the queue of a request that has to wait
   */
  apply(request: RouteRequest<Worker>, handler: RouteHandler<Worker>): PendingRoute | undefined {
    const { deadlineAt } = request.preferences;
    if (deadlineAt !== undefined && deadlineAt <= performance.now()) {
      this.#refuse(request, handler, "deadline", deadlineExceeded());
      return undefined;
    }
    if (this.#queue.size > 0) {
      const pending = this.#wait(request, handler);
      this.#serveSoon();
      return pending;
    }
    const route = this.#router.route(request);
    if (route === "must-wait") return this.#wait(request, handler);
    if (route === "none-ready") handler.onRefused(this.#noWorkerReady(request));
    else if (route === "all-busy") {
      this.#metrics.refused("busy");
      handler.onRefused(serverBusy(this.#model, this.#retrySeconds()));
    } else handler.onRoute(route);
    return undefined;
  }

  boundTo(request: RouteRequest<Worker>): BoundTo | undefined {
    return this.#router.bindings.boundTo(request, performance.now());
  }

  #wait(request: RouteRequest<Worker>, handler: RouteHandler<Worker>): PendingRoute | undefined {
    const { priority } = request.preferences;
    if (this.#queue.isFull) {
      const last = this.#queue.lastBelow(priority);
      if (last === undefined) {
        this.#refuse(request, handler, "queue_full", this.#queueFull(request));
        return undefined;
      }
      this.#expel(last, "displaced", displaced(this.#model, this.#retrySeconds()));
    }
    const since = performance.now();
    const waiting: Waiting<Worker> = {
      request,
      handler,
      bound: "",
      since,
      timer: undefined,
      leave: () => undefined,
    };
    this.#enqueue(waiting);
    return { leave: () => waiting.leave() };
  }

  #enqueue(waiting: Waiting<Worker>): void {
    const { request, since } = waiting;
    const { priority, tenant } = request.preferences;
    waiting.bound = this.#router.bindings.nameOf(request, performance.now());
    const work = this.#router.uncachedTokens(request);
    const entry = this.#queue.push(waiting, { priority, tenant, work });
    waiting.timer = this.#expireLater(entry);
    waiting.leave = () => {
      clearTimeout(waiting.timer);
      this.#queue.remove(entry);
      const queuedMs = performance.now() - since;
      this.#router.decisions.recordWithout(request, "cancelled", undefined, queuedMs);
    };
  }

  /** Moves whoever waits, in order, to the queue that takes this one's place. */
  handOver(to: Admission<Worker>): void {
    for (;;) {
      const entry = this.#queue.next(() => false);
      if (entry === undefined) break;
      this.#queue.remove(entry);
      clearTimeout(entry.item.timer);
      to.#enqueue(entry.item);
    }
    to.#serveSoon();
  }

  /** Refuses whoever waits, for good. */
  refuseAll(error: ApiError): void {
    for (;;) {
      const entry = this.#queue.next(() => false);
      if (entry === undefined) return;
      this.#expel(entry, "replaced", error);
    }
  }

  /** One timer for each entry, for whichever comes first: the end of the longest wait, or the request's deadline. */
  #expireLater(entry: Entry<Waiting<Worker>>): ReturnType<typeof setTimeout> {
    const { timeoutMs } = this.#options;
    const { deadlineAt = Number.POSITIVE_INFINITY } = entry.item.request.preferences;
    const now = performance.now();
    const leftMs = deadlineAt - now;
    const waitMs = Math.max(0, entry.item.since + timeoutMs - now);
    if (leftMs < waitMs) return setTimeout(() => this.#expel(entry, "deadline", deadlineExceeded()), leftMs);
    return setTimeout(() => {
      this.#expel(entry, "queue_timeout", queueTimedOut(this.#model, timeoutMs / 1000, this.#retrySeconds()));
    }, waitMs);
  }

  #expel(entry: Entry<Waiting<Worker>>, reason: RefusalReason, error: ApiError): void {
    const { timer, handler, request, since } = entry.item;
    clearTimeout(timer);
    this.#queue.remove(entry);
    this.#refuse(request, handler, reason, error, performance.now() - since);
  }

  /** Once for all the changes of this turn, and not from within the request that has made the room. */
  #serveSoon(): void {
    if (this.#isServing || this.#queue.size === 0) return;
    this.#isServing = true;
    queueMicrotask(() => {
      this.#isServing = false;
      this.#serve();
    });
  }

  /**
   * Gives routes to those next in order until there are none. One that is bound to workers without room does not
   * hold up those that are bound to others, or to none.
   */
  #serve(): void {
    const blocked = new Set<string>();
    for (;;) {
      const entry = this.#queue.next(({ bound }) => blocked.has(bound));
      if (entry === undefined) return;
      const { request, handler, bound, since, timer } = entry.item;
      const queuedMs = performance.now() - since;
      const route = this.#router.route(request, queuedMs);
      if (typeof route === "object") {
        clearTimeout(timer);
        this.#queue.serve(entry);
        this.#metrics.queueWait.observe(queuedMs / 1000);
        handler.onRoute(route);
        continue;
      }
      // Where a request that may go anywhere has no route, none has.
      if (bound === "") return;
      blocked.add(bound);
    }
  }

  #queueFull({ requestId }: RouteRequest<Worker>): ApiError {
    return this.#queue.every(({ request }) => request.requestId === requestId)
      ? tooManyForQueue(this.#model, this.#queue.size)
      : queueFull(this.#model, this.#queue.size, this.#retrySeconds());
  }

  #noWorkerReady(request: RouteRequest<Worker>): ApiError {
    return noWorkerReady(this.#model, this.boundTo(request));
  }

  #refuse(
    request: RouteRequest<Worker>,
    handler: RouteHandler<Worker>,
    reason: RefusalReason,
    error: ApiError,
    queuedMs = 0,
  ): void {
    this.#metrics.refused(reason);
    this.#router.decisions.recordWithout(request, "refused", reason, queuedMs);
    handler.onRefused(error);
  }

  #retrySeconds(): number {
    const seconds = this.#router.drainRate.secondsFor(this.#queue.size + 1, performance.now());
    // Nobody would have waited for longer.
    return Math.min(seconds, Math.max(1, Math.ceil(this.#options.timeoutMs / 1000)));
  }
}
