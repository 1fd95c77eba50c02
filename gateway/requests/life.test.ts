import { beforeEach, describe, expect, test, vi } from "vitest";
import { createLogger, createMetrics, PlaneError, Warnings } from "#runtime";
import { ApiError, engineFailed, noWorkerReady } from "../kernel/errors.ts";
import { createGatewayMetrics } from "../kernel/metrics.ts";
import { type Member, RequestListeners, type WorkerMember } from "../models/members/member.ts";
import type { ModelSide } from "../models/model.ts";
import { NO_PREFERENCES } from "../routing/preferences.ts";
import { exactPrompt } from "../routing/prompt.ts";
import type { RouteHandler, RouteSource } from "../routing/queue/route-source.ts";
import type { Route, RouteRequest } from "../routing/route.ts";
import { Life, type LifeJob, type Stoppable } from "./life.ts";
import { DEFAULT_REQUEST_OPTIONS } from "./options.ts";
import { reportCallFailure } from "./tokens/plane-failure.ts";
import type { NextStep, Transfer } from "./transfer.ts";

// A request's life with a scripted router and transfer.

const metrics = createGatewayMetrics(createMetrics({ process: false })).forModel("tiny");
const log = createLogger({ name: "test", write: () => {} });

/** Calls since the last `takeCalls`, in order. */
let calls: string[];
let handler: RouteHandler<Member> | undefined;
let excluded: readonly Member[];
let life: Life<Member>;
let hasBegun: boolean;
let step: NextStep<Member>;
let nextStep: () => NextStep<Member> | Promise<NextStep<Member>>;
let unable: readonly Member[] | undefined;
let members: Member[];
const running = new Set<Stoppable>();

const member = (name: string) =>
  ({
    instance: { name },
    isReady: true,
    hangs: new RequestListeners(),
    evictions: new RequestListeners(),
    reportFailure: () => void calls.push(`${name} failed`),
  }) as unknown as Member;

function route(worker: Member): Route<Member> {
  const { name } = worker.instance;
  return {
    plan: { decode: { worker, rank: 0, overlapBlocks: 0 } },
    worker,
    rank: 0,
    overlapBlocks: 0,
    prefillHere: () => void calls.push(`${name} prefills itself`),
    firstToken: () => void calls.push(`${name} first`),
    grow: (blocks) => void calls.push(`${name} grows ${blocks}`),
    report: () => {},
    free: (outcome) => void calls.push(`${name} ${outcome}`),
  };
}

const admission: RouteSource<Member> = {
  apply(request: RouteRequest<Member>, by) {
    handler = by;
    excluded = request.excluded;
    calls.push("applies");
    return { leave: () => void calls.push("leaves the queue") };
  },
  boundTo: () => undefined,
};

const transfer: Transfer<Member> = {
  get hasBegun() {
    return hasBegun;
  },
  routeRequest: (tried) => ({
    prompt: exactPrompt(new Uint32Array(20)),
    requestId: "r",
    preferences: NO_PREFERENCES,
    excluded: tried,
  }),
  send: ({ worker }, isFresh) =>
    void calls.push(`sent to ${worker.instance.name}${isFresh ? " over a new connection" : ""}`),
  abort: () => void calls.push("aborted"),
  reset: () => {},
  unableToContinue: () => unable,
  nextStep: (bound) => (bound === undefined ? nextStep() : { kind: "give-up", obstacle: bound }),
  failureOf: (cause) => engineFailed(cause),
  onCancelled: (isAnswering) => void calls.push(`cancelled${isAnswering ? " answering" : ""}`),
  onFailed: ({ code }) => void calls.push(`failed ${code}`),
  onFallback: ({ code }) => void calls.push(`fell back ${code}`),
};

const [one, two, three] = ["one", "two", "three"].map(member) as [Member, Member, Member];

function open(job: Partial<LifeJob<Member>> = {}, options = {}): void {
  const model = {
    ...{ kind: "engine", name: "tiny", blockSize: 16, metrics, admission },
    members: () => members,
    others: () => [],
  };
  const all: LifeJob<Member> = {
    requestId: "r",
    model: model as unknown as ModelSide<Member>,
    prompt: exactPrompt(new Uint32Array(20)),
    preferences: NO_PREFERENCES,
    isRepeatable: true,
    hasFallback: false,
    ...job,
  };
  const warnings = new Warnings(log);
  life = new Life(all, transfer, {
    options: { ...DEFAULT_REQUEST_OPTIONS, ...options },
    warnings,
    running,
  });
  life.start();
}

/** The calls since the last time. */
function takeCalls(): string[] {
  const since = calls;
  calls = [];
  return since;
}

beforeEach(() => {
  vi.useFakeTimers();
  calls = [];
  hasBegun = false;
  members = [one, two, three];
  unable = [];
  nextStep = () => step;
  step = { kind: "move", unable: [], prepare: () => void calls.push("prepared") };
  return () => vi.useRealTimers();
});

const broken = { reason: "gone", failure: "lost" } as const;

describe("a request", () => {
  test("that is answered reports its first piece, each block and its end to the router, once", () => {
    open();
    handler!.onRoute(route(one));
    for (let tokens = 1; tokens <= 30; tokens++) {
      life.onPiece(true);
      life.grow(tokens);
    }
    life.end("finished");
    life.end("failed");
    life.cancel();
    life.fail(noWorkerReady("tiny"));
    // The prompt's second block has room for 12 tokens.
    expect(takeCalls()).toEqual([
      "applies",
      "sent to one",
      "one first",
      "one grows 1",
      "one grows 1",
      "one finished",
    ]);
  });

  test("that fails before its answer is retried on members that have not failed it", () => {
    open();
    handler!.onRoute(route(one));
    life.break(broken);
    expect(takeCalls()).toEqual(["applies", "sent to one", "aborted", "one failed", "one moved", "applies"]);
    expect(excluded).toEqual([one]);
    handler!.onRoute(route(two));
    expect(takeCalls()).toEqual(["sent to two over a new connection"]);
    // It lost a second member, so the request may be what crashes them.
    life.break(broken);
    expect(takeCalls()).toEqual(["aborted", "two failed", "aborted", "two failed", "failed engine_failed"]);
  });

  test("that no member takes fails with the first error", () => {
    open({}, { retries: 0 });
    handler!.onRoute(route(one));
    life.break({ ...broken, failure: "unsent" });
    takeCalls();
    handler!.onRefused(noWorkerReady("tiny"));
    expect(takeCalls()).toEqual(["failed engine_failed"]);
  });

  test("whose answer breaks off moves, up to the limit", () => {
    open({}, { migrationLimit: 1 });
    handler!.onRoute(route(one));
    life.onPiece(true);
    hasBegun = true;
    takeCalls();
    life.break({ ...broken, failure: "answered" });
    expect(takeCalls()).toEqual(["aborted", "one failed", "prepared", "one moved", "applies"]);
    handler!.onRoute(route(two));
    life.onPiece(true);
    takeCalls();
    life.break({ ...broken, failure: "answered" });
    expect(takeCalls()).toContain("failed engine_failed");
  });

  test("whose client disconnects while it waits to move leaves the queue", () => {
    open();
    handler!.onRoute(route(one));
    life.onPiece(true);
    hasBegun = true;
    life.break({ ...broken, failure: "answered" });
    takeCalls();
    life.cancel();
    expect(takeCalls()).toEqual(["leaves the queue", "cancelled"]);
  });

  test("whose client disconnects during the answer is cancelled at its member", () => {
    open();
    handler!.onRoute(route(one));
    life.onPiece(true);
    takeCalls();
    life.cancel();
    expect(takeCalls()).toEqual(["aborted", "one cancelled", "cancelled answering"]);
  });

  test("that members refuse counts towards --retries only if they are not leaving", () => {
    for (const [code, sent] of [["draining", 3] as const, ["overloaded", 2] as const]) {
      open({}, { retries: 1 });
      takeCalls();
      for (const each of [one, two, three]) {
        if (life.isOver) break;
        handler!.onRoute(route(each));
        const refusal = new PlaneError(code, "Not now.");
        reportCallFailure(life as unknown as Life<WorkerMember>, refusal, noWorkerReady("tiny"), undefined);
        vi.advanceTimersByTime(10_000);
      }
      expect(life.isOver).toBe(code === "overloaded");
      life.cancel();
      expect(takeCalls().filter((call) => call.startsWith("sent to"))).toHaveLength(sent);
    }
  });

  test("that is refused synchronously, twice, leaves the queue at its last place", () => {
    const { apply } = admission;
    let count = 0;
    admission.apply = (request, by) => {
      const pending = apply(request, by);
      count++;
      if (count > 2) return { leave: () => void calls.push("leaves the third place") };
      by.onRoute(route([one, two][count - 1]!));
      life.refuse(noWorkerReady("tiny"));
      return pending;
    };
    try {
      open();
      vi.advanceTimersByTime(1_000);
      takeCalls();
      life.cancel();
      expect(takeCalls()).toContain("leaves the third place");
    } finally {
      admission.apply = apply;
    }
  });

  test("fails at its deadline or the time limit, with the error for that limit", () => {
    open({ preferences: { ...NO_PREFERENCES, deadlineAt: performance.now() + 50 } });
    vi.advanceTimersByTime(60);
    expect(takeCalls()).toContain("failed deadline_exceeded");
    open({}, { totalMs: 1_000 });
    handler!.onRoute(route(one));
    takeCalls();
    vi.advanceTimersByTime(1_001);
    expect(takeCalls()).toEqual(["aborted", "one failed", "failed request_timeout"]);
  });

  test("falls back to another model only if no member may have acted on it", () => {
    open({ hasFallback: true });
    handler!.onRefused(noWorkerReady("tiny"));
    expect(takeCalls()).toContain("fell back no_worker_ready");
    open({ hasFallback: true });
    handler!.onRefused(new ApiError(400, "invalid_request_error", "no", { code: "invalid_value" }));
    expect(takeCalls()).toContain("failed invalid_value");
    open({ hasFallback: true, isRepeatable: false });
    handler!.onRoute(route(one));
    life.break(broken);
    expect(takeCalls()).toContain("failed engine_failed");
    hasBegun = true;
    open({ hasFallback: true });
    life.fail(noWorkerReady("tiny"));
    expect(takeCalls()).toContain("failed no_worker_ready");
  });

  test("is retried elsewhere when its member is found to hang, unless the member answers", () => {
    open();
    handler!.onRoute(route(one));
    takeCalls();
    one.hangs.notify("it hangs");
    expect(takeCalls()).toEqual(["aborted", "one failed", "one moved", "applies"]);
    handler!.onRoute(route(two));
    life.onPiece(true);
    takeCalls();
    two.hangs.notify("it hangs");
    expect(takeCalls()).toEqual([]);
    life.end("finished");
  });

  describe("whose member is leaving", () => {
    beforeEach(() => {
      open();
      handler!.onRoute(route(one));
      takeCalls();
    });

    test("stays until another member has capacity, and continues there", () => {
      life.onPiece(true);
      hasBegun = true;
      takeCalls();
      one.evictions.notify("it is leaving");
      expect(takeCalls()).toEqual(["applies"]);
      expect(excluded).toEqual([one]);
      one.evictions.notify("it is leaving");
      expect(takeCalls()).toEqual([]);
      handler!.onRoute(route(two));
      expect(takeCalls()).toEqual(["aborted", "prepared", "one moved", "sent to two"]);
      life.end("finished");
      expect(takeCalls()).toEqual(["two finished"]);
    });

    test("starts over elsewhere if no part of its answer has arrived", () => {
      one.evictions.notify("it is leaving");
      handler!.onRoute(route(two));
      expect(takeCalls()).toEqual(["applies", "aborted", "one moved", "sent to two"]);
      life.end("finished");
    });

    test("stays if no other member has capacity, and searches again later", () => {
      one.evictions.notify("it is leaving");
      handler!.onRefused(noWorkerReady("tiny"));
      expect(takeCalls()).toEqual(["applies"]);
      one.evictions.notify("it is leaving");
      expect(takeCalls()).toEqual(["applies"]);
      life.end("finished");
      expect(takeCalls()).toEqual(["leaves the queue", "one finished"]);
    });

    test("stays if no member can continue its answer, or if it must not be repeated", () => {
      hasBegun = true;
      unable = undefined;
      one.evictions.notify("it is leaving");
      expect(takeCalls()).toEqual([]);
      life.end("finished");
      hasBegun = false;
      open({ isRepeatable: false });
      handler!.onRoute(route(one));
      takeCalls();
      one.evictions.notify("it is leaving");
      expect(takeCalls()).toEqual([]);
      life.end("finished");
    });

    test("cancels the handover when its member fails, and is retried elsewhere", () => {
      one.evictions.notify("it is leaving");
      takeCalls();
      life.break(broken);
      expect(takeCalls()).toEqual(["leaves the queue", "aborted", "one failed", "one moved", "applies"]);
      handler!.onRoute(route(two));
      life.end("finished");
    });

    test("moves as often as its members leave, beyond the migration limit", () => {
      hasBegun = true;
      const members = [one, two];
      for (let move = 0; move < 10; move++) {
        members[move % 2]!.evictions.notify("it is leaving");
        handler!.onRoute(route(members[(move + 1) % 2]!));
      }
      expect(takeCalls()).not.toContain("failed engine_failed");
      life.end("finished");
    });

    test("frees both members when it ends during the handover", async () => {
      hasBegun = true;
      const found = Promise.withResolvers<NextStep<Member>>();
      nextStep = () => found.promise;
      one.evictions.notify("it is leaving");
      handler!.onRoute(route(two));
      takeCalls();
      life.cancel();
      expect(takeCalls()).toEqual(expect.arrayContaining(["one cancelled", "two cancelled"]));
      found.resolve(step);
      await found.promise;
      expect(takeCalls()).toEqual([]);
    });
  });
});
