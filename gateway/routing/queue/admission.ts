import {
  type ApiError,
  type BoundTo,
  deadlineExceeded,
  displaced,
  notDividable,
  noWorkerReady,
  onlyEncoders,
  queueFull,
  queueTimedOut,
  roleMissing,
  serverBusy,
  tooManyForQueue,
} from "../../kernel/errors.ts";
import type { RefusalReason, RoutingMetrics } from "../../kernel/metrics.ts";
import { allEncode, allNeedPrefill, missingRole } from "../filters/role.ts";
import type { ModelRouter } from "../model-router.ts";
import type { RouteRequest, Unroutable } from "../route.ts";
import type { RoutedWorker } from "../workers.ts";
import { type Entry, FairQueue } from "./fair-queue.ts";
import type { QueueOptions } from "./options.ts";
import { PrefillWait } from "./prefill-wait.ts";
import type { PendingRoute, RouteHandler, RouteSource } from "./route-source.ts";

interface Waiting<Worker extends RoutedWorker> {
  readonly request: RouteRequest<Worker>;
  readonly handler: RouteHandler<Worker>;
  /** The set of workers to which it is bound; see `Bindings.keyOf`. */
  bindingKey: string;
  /** Whether it waits for a prefill worker, as far as is known. */
  isForPrefill: boolean;
  /** On the clock of `performance.now()`. */
  readonly since: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** Removes it from the queue it is in. */
  leave: () => void;
}

/**
 * Routes requests to one model's workers: at once if one has capacity; otherwise they wait in the queue, if there is
 * one, or are refused. The queue is served when load decreases or workers change, never by polling.
 */
export class Admission<Worker extends RoutedWorker> implements RouteSource<Worker> {
  readonly #model: string;
  readonly #router: ModelRouter<Worker>;
  readonly #options: QueueOptions;
  readonly #metrics: RoutingMetrics;
  readonly #queue: FairQueue<Waiting<Worker>>;
  readonly #prefill = new PrefillWait();
  #isServing = false;

  constructor(model: string, router: ModelRouter<Worker>, options: QueueOptions, metrics: RoutingMetrics) {
    this.#model = model;
    this.#router = router;
    this.#options = options;
    this.#metrics = metrics;
    this.#queue = new FairQueue(options);
    router.onCapacity = () => this.#serveSoon();
  }

  /** Number of waiting requests. */
  get waiting(): number {
    return this.#queue.size;
  }

  /**
   * Applies for a route. If no request is waiting and a worker has capacity, the handler is called before this returns.
   * @returns the request's place in the queue, if it has to wait
   */
  apply(request: RouteRequest<Worker>, handler: RouteHandler<Worker>): PendingRoute | undefined {
    const { deadlineAt, priority } = request.preferences;
    if (deadlineAt !== undefined && deadlineAt <= performance.now()) {
      this.#refuse(request, handler, "deadline", deadlineExceeded());
      return undefined;
    }
    // Who only waits for prefill workers does not hold up those that need none.
    if (this.#queue.size > this.#prefill.count) {
      const pending = this.#wait(request, handler);
      this.#serveSoon();
      return pending;
    }
    const route = this.#router.route(request, undefined, this.#prefill.ahead(priority));
    if (route === "must-wait" || route === "must-wait-for-prefill")
      return this.#wait(request, handler, route === "must-wait-for-prefill");
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

  /** @param isForPrefill whether it waits for a prefill worker; undefined if that is not known */
  #wait(
    request: RouteRequest<Worker>,
    handler: RouteHandler<Worker>,
    isForPrefill?: boolean,
  ): PendingRoute | undefined {
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
      bindingKey: "",
      isForPrefill: false,
      since,
      timer: undefined,
      leave: () => undefined,
    };
    this.#enqueue(waiting, isForPrefill);
    return { leave: () => waiting.leave() };
  }

  #enqueue(waiting: Waiting<Worker>, isForPrefill?: boolean): void {
    const { request, since } = waiting;
    const { priority, tenant } = request.preferences;
    waiting.bindingKey = this.#router.bindings.keyOf(request, performance.now());
    const work = this.#router.uncachedTokens(request);
    const entry = this.#queue.push(waiting, { priority, tenant, work });
    if (isForPrefill ?? this.#router.isForPrefill(request, work)) this.#waitForPrefill(entry);
    waiting.timer = this.#expireLater(entry);
    waiting.leave = () => {
      this.#remove(entry);
      const queuedMs = performance.now() - since;
      this.#router.decisions.recordWithout(request, "cancelled", undefined, queuedMs);
    };
  }

  /** Moves waiting requests, in order, to the queue that replaces this one. */
  handOver(to: Admission<Worker>): void {
    for (;;) {
      const entry = this.#queue.next(() => false);
      if (entry === undefined) break;
      this.#remove(entry);
      to.#enqueue(entry.item);
    }
    to.#serveSoon();
  }

  /** Refuses all waiting requests. */
  refuseAll(error: ApiError): void {
    for (;;) {
      const entry = this.#queue.next(() => false);
      if (entry === undefined) return;
      this.#expel(entry, "replaced", error);
    }
  }

  /** Starts the entry's timer, for the queue timeout or the request's deadline, whichever is earlier. */
  #expireLater(entry: Entry<Waiting<Worker>>): ReturnType<typeof setTimeout> {
    const { timeoutMs } = this.#options;
    const { deadlineAt = Number.POSITIVE_INFINITY } = entry.item.request.preferences;
    const now = performance.now();
    const leftMs = deadlineAt - now;
    const waitMs = Math.max(0, entry.item.since + timeoutMs - now);
    if (leftMs < waitMs) return setTimeout(() => this.#expel(entry, "deadline", deadlineExceeded()), leftMs);
    return setTimeout(() => {
      // Better late than never: another worker computes the prompt.
      if (entry.item.isForPrefill && this.#serveOne(entry, Number.POSITIVE_INFINITY) === undefined) return;
      this.#expel(entry, "queue_timeout", queueTimedOut(this.#model, timeoutMs / 1000, this.#retrySeconds()));
    }, waitMs);
  }

  #expel(entry: Entry<Waiting<Worker>>, reason: RefusalReason, error: ApiError): void {
    const { handler, request, since } = entry.item;
    this.#remove(entry);
    this.#refuse(request, handler, reason, error, performance.now() - since);
  }

  /** Requests that wait for a prefill worker do not hold up others of the same binding. */
  #waitForPrefill(entry: Entry<Waiting<Worker>>): void {
    entry.item.isForPrefill = true;
    entry.item.bindingKey = `prefill ${entry.item.bindingKey}`;
    this.#prefill.add(entry);
  }

  /** Removes an entry that is not served. */
  #remove(entry: Entry<Waiting<Worker>>): void {
    clearTimeout(entry.item.timer);
    this.#queue.remove(entry);
    this.#forgetPrefill(entry);
  }

  #forgetPrefill(entry: Entry<Waiting<Worker>>): void {
    if (entry.item.isForPrefill) this.#prefill.remove(entry);
    entry.item.isForPrefill = false;
  }

  /** Serves the queue once for all changes of this turn, after the request that caused them has been handled. */
  #serveSoon(): void {
    if (this.#isServing || this.#queue.size === 0) return;
    this.#isServing = true;
    queueMicrotask(() => {
      this.#isServing = false;
      this.#serve();
    });
  }

  /**
   * Routes waiting requests in order, as long as there are routes. A request bound to workers without capacity does not
   * hold up the others, nor does one that waits for a prefill worker.
   */
  #serve(): void {
    const blocked = new Set<string>();
    for (;;) {
      const entry = this.#queue.next(({ bindingKey }) => blocked.has(bindingKey));
      if (entry === undefined) return;
      const refusal = this.#serveOne(entry);
      if (refusal === undefined) continue;
      if (refusal === "must-wait-for-prefill" && !entry.item.isForPrefill) this.#waitForPrefill(entry);
      // If a request that can go to any worker has no route, no other request has one.
      if (entry.item.bindingKey === "") return;
      blocked.add(entry.item.bindingKey);
    }
  }

  /**
   * Routes one waiting request.
   * @param tokensAhead see `ModelRouter.route`
   * @returns why it has no route
   */
  #serveOne(entry: Entry<Waiting<Worker>>, tokensAhead = 0): Unroutable | undefined {
    const { request, handler, since, timer } = entry.item;
    const queuedMs = performance.now() - since;
    const route = this.#router.route(request, queuedMs, tokensAhead);
    if (typeof route !== "object") return route;
    clearTimeout(timer);
    this.#queue.serve(entry);
    this.#forgetPrefill(entry);
    this.#metrics.queueWait.observe(queuedMs / 1000);
    handler.onRoute(route);
    return undefined;
  }

  #queueFull({ requestId }: RouteRequest<Worker>): ApiError {
    return this.#queue.every(({ request }) => request.requestId === requestId)
      ? tooManyForQueue(this.#model, this.#queue.size)
      : queueFull(this.#model, this.#queue.size, this.#retrySeconds());
  }

  #noWorkerReady(request: RouteRequest<Worker>): ApiError {
    const missing = missingRole(this.#router.workers.each());
    if (missing === "decode" && allEncode(this.#router.workers.each())) return onlyEncoders(this.#model);
    if (missing !== undefined) return roleMissing(this.#model, missing);
    if (request.remotePrefill === undefined && allNeedPrefill(this.#router.workers.each()))
      return notDividable(this.#model);
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
    // No request waits longer than this.
    return Math.min(seconds, Math.max(1, Math.ceil(this.#options.timeoutMs / 1000)));
  }
}
