import { afterEach, describe, expect, test } from "vitest";
import {
  createLogger,
  DeltaDecoder,
  encodeGenerateRequest,
  PlaneError,
  type RequestPlaneClient,
  type RequestPlaneServer,
} from "#runtime";
import { connect, serve } from "#runtime/node";
import { openEcho } from "./echo/engine.ts";
import { requestFor } from "./engine.suite.ts";
import type { Delta, Engine } from "./engine.ts";
import { generateHandler } from "./generate-handler.ts";

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

let server: RequestPlaneServer;
let client: RequestPlaneClient;

afterEach(async () => {
  client.close();
  await server.close();
});

/** Serves an engine with these answers, and counts its calls. */
async function start(generate: (signal: AbortSignal) => AsyncIterable<Delta>) {
  const counted = { requests: 0, tokens: 0 };
  const metrics = {
    requests: { inc: () => counted.requests++ },
    tokens: { inc: (count: number) => (counted.tokens += count) },
  };
  const engine: Engine = { ...openEcho(), generate: (_request, signal) => generate(signal) };
  const log = createLogger({ name: "test", write: () => {} });
  server = await serve("memory:generate-handler", {
    generate: generateHandler(engine, engine.card, metrics, log),
  });
  client = await connect(server.address);
  return counted;
}

interface Message {
  tokens: number[];
  echo: boolean;
  finish: string | undefined;
}

/** The messages of one call, and how it ended. */
function call(
  request = requestFor(Uint32Array.of(1)),
): Promise<{ messages: Message[]; error: PlaneError | undefined }> {
  const decoder = new DeltaDecoder();
  const messages: Message[] = [];
  return new Promise((resolve) =>
    client.call("generate", encodeGenerateRequest(request), {
      onMessage(bytes) {
        decoder.read(bytes);
        const { echo, finish } = decoder;
        messages.push({ tokens: [...decoder.tokens.subarray(0, decoder.count)], echo, finish });
      },
      onEnd: () => resolve({ messages, error: undefined }),
      onError: (error) => resolve({ messages, error }),
    }),
  );
}

describe("generate handler", () => {
  test("deltas yielded at once are one message, and each step is one", async () => {
    const counted = await start(async function* () {
      yield { tokenIds: [1] };
      yield { tokenIds: [2, 3] };
      await nextTurn();
      yield { tokenIds: [4] };
      await nextTurn();
      yield { tokenIds: [5], finish: "stop" };
    });
    expect(await call()).toEqual({
      messages: [
        { tokens: [1, 2, 3], echo: false, finish: undefined },
        { tokens: [4], echo: false, finish: undefined },
        { tokens: [5], echo: false, finish: "stop" },
      ],
      error: undefined,
    });
    expect(counted).toEqual({ requests: 1, tokens: 5 });
  });

  test("any number of deltas at once arrives, in order", async () => {
    const tokenIds = Array.from({ length: 100_000 }, (_, index) => index % 200);
    await start(async function* () {
      yield { tokenIds, echo: true };
      yield { tokenIds };
      yield { tokenIds: tokenIds.slice(0, 5), finish: "length" };
    });
    const { messages, error } = await call(requestFor(Uint32Array.of(1), { maxTokens: 200_000 }));
    expect(error).toBeUndefined();
    const answer = messages.filter(({ echo }) => !echo).flatMap(({ tokens }) => tokens);
    const echoed = messages.filter(({ echo }) => echo).flatMap(({ tokens }) => tokens);
    expect(echoed).toEqual(tokenIds);
    expect(answer).toEqual([...tokenIds, ...tokenIds.slice(0, 5)]);
    expect(messages.at(-1)!.finish).toBe("length");
  });

  test("the prompt's tokens are kept separate from the answer's, and do not count as output", async () => {
    const counted = await start(async function* () {
      yield { tokenIds: [7, 8], echo: true };
      yield { tokenIds: [1], finish: "length" };
    });
    expect((await call()).messages).toEqual([
      { tokens: [7, 8], echo: true, finish: undefined },
      { tokens: [1], echo: false, finish: "length" },
    ]);
    expect(counted.tokens).toBe(1);
  });

  test.each([
    ["no tokens", new Uint32Array(0), "The prompt has 0 tokens"],
    ["more tokens than the context", new Uint32Array(8192), "The prompt has 8192 tokens"],
    ["tokens outside the vocabulary", Uint32Array.of(258), "not in the vocabulary"],
  ])("refuses a prompt with %s before the engine hears of it", async (_, prompt, sentence) => {
    const counted = await start(async function* () {});
    const { error } = await call(requestFor(prompt));
    expect(error?.code).toBe("invalid_request");
    expect(error?.message).toContain(sentence);
    expect(counted.requests).toBe(0);
  });

  test("refuses a nonexistent data-parallel rank", async () => {
    const counted = await start(async function* () {
      yield { tokenIds: [], finish: "stop" };
    });
    expect((await call(requestFor(Uint32Array.of(1), { dataParallelRank: 0 }))).error).toBeUndefined();
    const { error } = await call(requestFor(Uint32Array.of(1), { dataParallelRank: 1 }));
    expect(error).toMatchObject({
      code: "invalid_request",
      message: "There is no data-parallel rank 1; this worker has 1, from 0.",
    });
    expect(counted.requests).toBe(1);
  });

  test("an engine that throws fails the call after the tokens it yielded", async () => {
    await start(async function* () {
      yield { tokenIds: [1] };
      await nextTurn();
      throw new Error("out of memory");
    });
    const { messages, error } = await call();
    expect(messages.map(({ tokens }) => tokens)).toEqual([[1]]);
    expect(error).toBeInstanceOf(PlaneError);
    expect(error?.code).toBe("internal");
  });

  test("an engine waits for a slow reader", async () => {
    let yielded = 0;
    await start(async function* (signal) {
      while (!signal.aborted && yielded < 100_000) {
        yielded++;
        yield { tokenIds: [1] };
        await nextTurn();
      }
      yield { tokenIds: [], finish: "length" };
    });
    const call = client.call(
      "generate",
      encodeGenerateRequest(requestFor(Uint32Array.of(1))),
      { onMessage() {}, onEnd() {}, onError() {} },
      { windowBytes: 1024 },
    );
    call.pause();
    let before = -1;
    while (yielded !== before || yielded === 0) {
      before = yielded;
      for (let turn = 0; turn < 20; turn++) await nextTurn();
    }
    expect(yielded).toBeLessThan(200);
    call.cancel();
  });
});
