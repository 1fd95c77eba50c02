import { afterEach, expect, test } from "vitest";
import {
  createLogger,
  createMetrics,
  encodeKvEvents,
  type Handler,
  type KvEvent,
  type RequestPlaneServer,
  randomId,
  type ServerCall,
} from "#runtime";
import { connect, serve } from "#runtime/node";
import { createGatewayMetrics } from "../kernel/metrics.ts";
import { LocalModel } from "../models/local-model.ts";
import { type Member, RequestListeners } from "../models/members/member.ts";
import type { WarmStart } from "../models/warm-start.ts";
import { DEFAULT_ROUTING } from "../routing/options.ts";
import { exactPrompt } from "../routing/prompt.ts";
import { routerModule } from "../routing/test-model.ts";
import { encodeIndexMessage } from "./index-message.ts";
import { INDEX_ENDPOINT, IndexServer } from "./index-server.ts";
import { WarmStarts } from "./warm-starts.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const lines: string[] = [];
const log = createLogger({ name: "test", write: (line) => lines.push(line), colour: false });
const POSITION = { sequence: 7, digest: Uint8Array.of(1) };

function modelWith(warmStart?: WarmStart): LocalModel {
  const metrics = createGatewayMetrics(createMetrics({ process: false }));
  return new LocalModel("m", 16, { routerModule, routing: DEFAULT_ROUTING, metrics, log, warmStart });
}

/** An engine that all gateways know by its name. */
function engine(name: string, more: Partial<Member> = {}): Member {
  const card = {
    role: "aggregated" as const,
    tags: [],
    blockSize: 16,
    totalBlocks: 1_000,
    maxBatchedTokens: 8_192,
    maxSequences: 256,
    dataParallelSize: 1,
  };
  return {
    kind: "engine",
    state: "ready",
    isReady: true,
    isPredicted: false,
    aliases: [],
    adapters: [],
    contextLength: undefined,
    created: undefined,
    hangs: new RequestListeners(),
    evictions: new RequestListeners(),
    instance: { id: randomId(), sharedId: name, name, card },
    positionOf: () => POSITION,
    shareAt: () => 1,
    reportSuccess() {},
    reportFailure() {},
    followEvents() {},
    noteUnreadable() {},
    noteBlockSize() {},
    ...more,
  };
}

/** The first `blocks` blocks of a prompt that repeats a token. */
function store(model: LocalModel, member: Member, token: number, blocks: number): void {
  const event: KvEvent = {
    type: "stored",
    blockHashes: BigUint64Array.from({ length: blocks }, (_, index) => BigInt(token * 1_000 + index)),
    parentHash: undefined,
    tokenIds: new Uint32Array(blocks * 16).fill(token),
    blockSize: 16,
  };
  model.applyPayload(member, encodeKvEvents({ timestamp: 0, events: [event], dataParallelRank: 0 }));
}

const overlap = (model: LocalModel, token: number): number => {
  const prompt = exactPrompt(new Uint32Array(16 * 20).fill(token));
  return 20 - model.router.uncachedTokens({ prompt, salt: undefined }) / 16;
};

async function listen(handler: Handler): Promise<RequestPlaneServer> {
  const server = await serve(`memory:${randomId()}`, { [INDEX_ENDPOINT]: handler });
  closing.push(() => server.close());
  return server;
}

function warmStarts(servers: readonly RequestPlaneServer[], limitMs?: number): WarmStarts {
  const all = servers.map(({ address }, index) => ({ id: `g${index}`, address, startedAt: index }));
  const starts = new WarmStarts({ gateways: () => all, connect, defer: setImmediate, log, limitMs });
  closing.push(() => starts.close());
  return starts;
}

/** A gateway that has five blocks of token 1 of engine `a`, and six of token 2 of engine `b`. */
async function settled(): Promise<RequestPlaneServer> {
  const model = modelWith();
  const [a, b] = [engine("a"), engine("b")];
  for (const member of [a, b]) model.join(member);
  store(model, a, 1, 5);
  store(model, b, 2, 6);
  const server = new IndexServer({ modelOf: () => model, isWarming: () => false, defer: setImmediate, log });
  return listen(server.handle);
}

test("members get the same copy, whether they join before it arrives or later", async () => {
  const starts = warmStarts([await settled()]);
  const model = modelWith(starts);
  const [a, b] = [engine("a"), engine("b")];
  model.join(a);
  expect(model.isWarming).toBe(true);
  expect(await starts.take(model, a)).toMatchObject([{ worker: "a", rank: 0, position: { sequence: 7 } }]);
  expect([overlap(model, 1), overlap(model, 2)]).toEqual([5, 0]);
  model.join(b);
  await starts.take(model, b);
  expect([overlap(model, 1), overlap(model, 2)]).toEqual([5, 6]);
  expect(model.isWarming).toBe(false);
  expect(starts.blocks).toBe(11);
});

test("an engine that joins anew, or after the start, gets nothing", async () => {
  const starts = warmStarts([await settled()]);
  const model = modelWith(starts);
  const before = engine("a");
  model.join(before);
  await starts.take(model, before);
  model.leave(before, true);
  const again = engine("a");
  model.join(again);
  expect(starts.take(model, again)).toBeUndefined();
  starts.close();
  const late = engine("b");
  model.join(late);
  expect(starts.take(model, late)).toBeUndefined();
  expect([overlap(model, 1), overlap(model, 2)]).toEqual([0, 0]);
});

test("blocks of an engine whose events are not followed here are left out", async () => {
  const starts = warmStarts([await settled()]);
  const model = modelWith(starts);
  const silent = engine("a", { isPredicted: true });
  model.join(silent);
  expect(await starts.take(model, silent)).toMatchObject([{ position: undefined }]);
  expect(overlap(model, 1)).toBe(0);
});

test("an engine that leaves during the transfer keeps nothing, and others get theirs", async () => {
  const starts = warmStarts([await settled()]);
  const model = modelWith(starts);
  const [a, b] = [engine("a"), engine("b")];
  for (const member of [a, b]) model.join(member);
  model.leave(a, true);
  expect(await starts.take(model, b)).toHaveLength(1);
  expect([overlap(model, 1), overlap(model, 2)]).toEqual([0, 6]);
});

test("a gateway that never ends is given up at the limit", async () => {
  const calls: ServerCall[] = [];
  const slow = await listen((_, call) => {
    calls.push(call);
    const head = { blockSize: 16, isBlockSizeConfirmed: true, ranks: [] };
    // It is never silent for long.
    const send = () => {
      if (call.signal.aborted) return;
      call.send(encodeIndexMessage({ kind: "head", head }));
      setTimeout(send, 20);
    };
    send();
  });
  const starts = warmStarts([slow], 200);
  const model = modelWith(starts);
  const member = engine("a");
  model.join(member);
  expect(await starts.take(model, member)).toEqual([]);
  expect(calls[0]?.signal.aborted).toBe(true);
  expect(lines.at(-1)).toContain("starting without what other gateways know of a model's caches model=m");
});

test("several gateways at once get their copies, one after the other", async () => {
  const server = await settled();
  const models = await Promise.all(
    [1, 2, 3].map(async () => {
      const starts = warmStarts([server]);
      const model = modelWith(starts);
      const members = [engine("a"), engine("b")];
      for (const member of members) model.join(member);
      for (const member of members) await starts.take(model, member);
      return model;
    }),
  );
  for (const model of models) expect([overlap(model, 1), overlap(model, 2)]).toEqual([5, 6]);
});
