import { expect, it } from "vitest";
import type { EngineState, WatchedEngine } from "../../models/members/engine-watch.ts";
import { RequestWatch } from "./request-watch.ts";

/** An engine whose checks the test completes. */
class TestEngine implements WatchedEngine {
  state: EngineState = "connecting";
  nextCheckAt = Number.NEGATIVE_INFINITY;
  checks = 0;
  #end: (() => void) | undefined;

  check(): Promise<void> {
    this.checks++;
    return new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  end(state: EngineState): void {
    this.state = state;
    this.nextCheckAt = state === "ready" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    this.#end?.();
  }
}

function watched(...engines: TestEngine[]) {
  const watch = new RequestWatch();
  for (const engine of engines) watch.add(engine);
  const kept: Promise<void>[] = [];
  /** Starts a request, and shows whether it could proceed yet. */
  const request = () => {
    const outcome = { isThrough: false, through: Promise.resolve() };
    outcome.through = watch
      .beforeRequest((work) => kept.push(work))
      .then(() => {
        outcome.isThrough = true;
      });
    return outcome;
  };
  return { watch, request, kept };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

it("holds requests until the engines' first check, which they share", async () => {
  const engine = new TestEngine();
  const { request, kept } = watched(engine);
  const [first, second] = [request(), request()];
  await turn();
  expect([first.isThrough, second.isThrough, engine.checks, kept.length]).toEqual([false, false, 1, 1]);
  engine.end("ready");
  await Promise.all([first.through, second.through]);
});

it("does not hold requests for an engine that is down while another one is ready", async () => {
  const [ready, down] = [new TestEngine(), new TestEngine()];
  const { request } = watched(ready, down);
  const first = request();
  ready.end("ready");
  down.end("down");
  await first.through;
  await request().through;
  expect(down.checks).toBe(2);
});

it("checks an engine again only when that is due, and never after it is gone", async () => {
  const engine = new TestEngine();
  const { watch, request } = watched(engine);
  const first = request();
  engine.end("ready");
  await first.through;
  await request().through;
  expect(engine.checks).toBe(1);
  engine.end("gone");
  watch.wake(engine);
  await request().through;
  expect(engine.checks).toBe(1);
});
