import { beforeEach, describe, expect, test, vi } from "vitest";
import { createLogger, createMetrics } from "#runtime";
import { ApiError, engineFailed, noWorkerReady } from "../kernel/errors.ts";
import { createGatewayMetrics } from "../kernel/metrics.ts";
import { Warnings } from "../kernel/warnings.ts";
import { type Member, RequestListeners } from "../models/members/member.ts";
import type { ModelSide } from "../models/model.ts";
import { NO_PREFERENCES } from "../routing/preferences.ts";
import { exactPrompt } from "../routing/prompt.ts";
import type { RouteHandler, RouteSource } from "../routing/queue/route-source.ts";
import type { Route, RouteRequest } from "../routing/route.ts";
import { Life, type LifeJob } from "./life.ts";
import { DEFAULT_REQUEST_OPTIONS } from "./options.ts";
import type { NextStep, Transfer } from "./transfer.ts";

// What a request lives through, with a router and a transfer that do as they are told.

const metrics = createGatewayMetrics(createMetrics({ process: false })).forModel("tiny");
const log = createLogger({ name: "test", write: () => {} });

/** What has happened, in order. */
let told: string[];
let handler: RouteHandler<Member> | undefined;
let excluded: readonly Member[];
let life: Life<Member>;
let hasBegun: boolean;
let step: NextStep<Member>;
let nextStep: () => NextStep<Member> | Promise<NextStep<Member>>;
let unable: readonly Member[] | undefined;
let members: Member[];

const member = (name: string) =>
  ({
    instance: { name },
    isReady: true,
    hangs: new RequestListeners(),
    evictions: new RequestListeners(),
    reportFailure: () => void told.push(`${name} failed`),
  }) as unknown as Member;

function route(worker: Member): Route<Member> {
  const { name } = worker.instance;
  return {
    plan: { decode: { worker, rank: 0, overlapBlocks: 0 } },
    worker,
    rank: 0,
    overlapBlocks: 0,
    firstToken: () => void told.push(`${name} first`),
    grow: (blocks) => void told.push(`${name} grows ${blocks}`),
    report: () => {},
    free: (outcome) => void told.push(`${name} ${outcome}`),
  };
}

const admission: RouteSource<Member> = {
  apply(request: RouteRequest<Member>, by) {
    handler = by;
    excluded = request.excluded;
    told.push("applies");
    return { leave: () => void told.push("leaves the queue") };
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
  send: ({ worker }, isFresh) => void told.push(`sent to ${worker.instance.name}${isFresh ? " anew" : ""}`),
  abort: () => void told.push("aborted"),
  reset: () => {},
  unableToContinue: () => unable,
  nextStep: (bound) => (bound === undefined ? nextStep() : { kind: "give-up", obstacle: bound }),
  failureOf: (cause) => engineFailed(cause),
  onCancelled: (isAnswering) => void told.push(`cancelled${isAnswering ? " answering" : ""}`),
  onFailed: ({ code }) => void told.push(`failed ${code}`),
  onPassedOn: ({ code }) => void told.push(`passed on ${code}`),
};

const [one, two, three] = ["one", "two", "three"].map(member) as [Member, Member, Member];

function open(job: Partial<LifeJob<Member>> = {}, options = {}): void {
  const model = { name: "tiny", blockSize: 16, metrics, admission, members: () => members };
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
  life = new Life(all, transfer, { options: { ...DEFAULT_REQUEST_OPTIONS, ...options }, warnings });
  life.start();
}

/** What has happened since the last time. */
function news(): string[] {
  const since = told;
  told = [];
  return since;
}

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  hasBegun = false;
  members = [one, two, three];
  unable = [];
  nextStep = () => step;
  step = { kind: "move", unable: [], prepare: () => void told.push("prepared") };
  return () => vi.useRealTimers();
});

const broken = { reason: "gone", failure: "lost" } as const;

describe("a request", () => {
  test("that is answered is booked for its first piece, for each block and for its end, once", () => {
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
    expect(news()).toEqual([
      "applies",
      "sent to one",
      "one first",
      "one grows 1",
      "one grows 1",
      "one finished",
    ]);
  });

  test("that fails before its answer is tried elsewhere, and not where it failed", () => {
    open();
    handler!.onRoute(route(one));
    life.break(broken);
    expect(news()).toEqual(["applies", "sent to one", "aborted", "one failed", "one moved", "applies"]);
    expect(excluded).toEqual([one]);
    handler!.onRoute(route(two));
    expect(news()).toEqual(["sent to two anew"]);
    // A second one is lost to it: perhaps it is what crashes them.
    life.break(broken);
    expect(news()).toEqual(["aborted", "two failed", "aborted", "two failed", "failed engine_failed"]);
  });

  test("that no member takes is refused with what the first failure was", () => {
    open({}, { retries: 0 });
    handler!.onRoute(route(one));
    life.break({ ...broken, failure: "unsent" });
    news();
    handler!.onRefused(noWorkerReady("tiny"));
    expect(news()).toEqual(["failed engine_failed"]);
  });

  test("that breaks off moves, and is given up beyond the limit", () => {
    open({}, { migrationLimit: 1 });
    handler!.onRoute(route(one));
    life.onPiece(true);
    hasBegun = true;
    news();
    life.break({ ...broken, failure: "answered" });
    expect(news()).toEqual(["aborted", "one failed", "prepared", "one moved", "applies"]);
    handler!.onRoute(route(two));
    life.onPiece(true);
    news();
    life.break({ ...broken, failure: "answered" });
    expect(news()).toContain("failed engine_failed");
  });

  test("whose client leaves while it waits for where to move has nobody to speak for", () => {
    open();
    handler!.onRoute(route(one));
    life.onPiece(true);
    hasBegun = true;
    life.break({ ...broken, failure: "answered" });
    news();
    life.cancel();
    expect(news()).toEqual(["leaves the queue", "cancelled"]);
  });

  test("whose client leaves while it is answered is cancelled there", () => {
    open();
    handler!.onRoute(route(one));
    life.onPiece(true);
    news();
    life.cancel();
    expect(news()).toEqual(["aborted", "one cancelled", "cancelled answering"]);
  });

  test("that a member refuses at once, and again, waits in the place that it got last", () => {
    const { apply } = admission;
    let count = 0;
    admission.apply = (request, by) => {
      const pending = apply(request, by);
      count++;
      if (count > 2) return { leave: () => void told.push("leaves the third place") };
      by.onRoute(route([one, two][count - 1]!));
      life.refuse(noWorkerReady("tiny"));
      return pending;
    };
    try {
      open();
      vi.advanceTimersByTime(1_000);
      news();
      life.cancel();
      expect(news()).toContain("leaves the third place");
    } finally {
      admission.apply = apply;
    }
  });

  test("ends at its deadline, with the sentence that says whose limit it was", () => {
    open({ preferences: { ...NO_PREFERENCES, deadlineAt: performance.now() + 50 } });
    vi.advanceTimersByTime(60);
    expect(news()).toContain("failed deadline_exceeded");
    open({}, { totalMs: 1_000 });
    handler!.onRoute(route(one));
    news();
    vi.advanceTimersByTime(1_001);
    expect(news()).toEqual(["aborted", "one failed", "failed request_timeout"]);
  });

  test("with a fallback is passed on where nobody has acted on it, and only then", () => {
    open({ hasFallback: true });
    handler!.onRefused(noWorkerReady("tiny"));
    expect(news()).toContain("passed on no_worker_ready");
    open({ hasFallback: true });
    handler!.onRefused(new ApiError(400, "invalid_request_error", "no", { code: "invalid_value" }));
    expect(news()).toContain("failed invalid_value");
    open({ hasFallback: true, isRepeatable: false });
    handler!.onRoute(route(one));
    life.break(broken);
    expect(news()).toContain("failed engine_failed");
    hasBegun = true;
    open({ hasFallback: true });
    life.fail(noWorkerReady("tiny"));
    expect(news()).toContain("failed no_worker_ready");
  });

  test("goes elsewhere when its member is found to hang, unless that answers", () => {
    open();
    handler!.onRoute(route(one));
    news();
    one.hangs.notify("it hangs");
    expect(news()).toEqual(["aborted", "one failed", "one moved", "applies"]);
    handler!.onRoute(route(two));
    life.onPiece(true);
    news();
    two.hangs.notify("it hangs");
    expect(news()).toEqual([]);
    life.end("finished");
  });

  describe("whose member is leaving", () => {
    beforeEach(() => {
      open();
      handler!.onRoute(route(one));
      news();
    });

    test("stays until another member has room, and goes on there", () => {
      life.onPiece(true);
      hasBegun = true;
      news();
      one.evictions.notify("it is leaving");
      expect(news()).toEqual(["applies"]);
      expect(excluded).toEqual([one]);
      one.evictions.notify("it is leaving");
      expect(news()).toEqual([]);
      handler!.onRoute(route(two));
      expect(news()).toEqual(["aborted", "prepared", "one moved", "sent to two"]);
      life.end("finished");
      expect(news()).toEqual(["two finished"]);
    });

    test("begins anew elsewhere if nothing of its answer has come", () => {
      one.evictions.notify("it is leaving");
      handler!.onRoute(route(two));
      expect(news()).toEqual(["applies", "aborted", "one moved", "sent to two"]);
      life.end("finished");
    });

    test("stays if no other member has room, and tries again later", () => {
      one.evictions.notify("it is leaving");
      handler!.onRefused(noWorkerReady("tiny"));
      expect(news()).toEqual(["applies"]);
      one.evictions.notify("it is leaving");
      expect(news()).toEqual(["applies"]);
      life.end("finished");
      expect(news()).toEqual(["leaves the queue", "one finished"]);
    });

    test("stays if nobody can continue its answer, or if it may not be repeated", () => {
      hasBegun = true;
      unable = undefined;
      one.evictions.notify("it is leaving");
      expect(news()).toEqual([]);
      life.end("finished");
      hasBegun = false;
      open({ isRepeatable: false });
      handler!.onRoute(route(one));
      news();
      one.evictions.notify("it is leaving");
      expect(news()).toEqual([]);
      life.end("finished");
    });

    test("leaves the queue for another member when its own fails, and is tried elsewhere", () => {
      one.evictions.notify("it is leaving");
      news();
      life.break(broken);
      expect(news()).toEqual(["leaves the queue", "aborted", "one failed", "one moved", "applies"]);
      handler!.onRoute(route(two));
      life.end("finished");
    });

    test("moves as often as its members leave, whatever the limit of moves after failures", () => {
      hasBegun = true;
      const members = [one, two];
      for (let move = 0; move < 10; move++) {
        members[move % 2]!.evictions.notify("it is leaving");
        handler!.onRoute(route(members[(move + 1) % 2]!));
      }
      expect(news()).not.toContain("failed engine_failed");
      life.end("finished");
    });

    test("frees both members when it ends in the middle of its move", async () => {
      hasBegun = true;
      const found = Promise.withResolvers<NextStep<Member>>();
      nextStep = () => found.promise;
      one.evictions.notify("it is leaving");
      handler!.onRoute(route(two));
      news();
      life.cancel();
      expect(news()).toEqual(expect.arrayContaining(["one cancelled", "two cancelled"]));
      found.resolve(step);
      await found.promise;
      expect(news()).toEqual([]);
    });
  });
});
