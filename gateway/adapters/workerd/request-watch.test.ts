import { expect, it } from "vitest";
import type { EngineState, WatchedEngine } from "../../models/members/engine-watch.ts";
import { RequestWatch } from "./request-watch.ts";

/** An engine whose looks the test ends. */
class TestEngine implements WatchedEngine {
  state: EngineState = "connecting";
  lookAt = Number.NEGATIVE_INFINITY;
  looks = 0;
  #end: (() => void) | undefined;

  look(): Promise<void> {
    this.looks++;
    return new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  end(state: EngineState): void {
    this.state = state;
    this.lookAt = state === "ready" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    this.#end?.();
  }
}

function watched(...engines: TestEngine[]) {
  const watch = new RequestWatch();
  for (const engine of engines) watch.add(engine);
  const kept: Promise<void>[] = [];
  /** A request; tells whether it could go on yet. */
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

it("holds requests until engines have been looked at for the first time, once for all", async () => {
  const engine = new TestEngine();
  const { request, kept } = watched(engine);
  const [first, second] = [request(), request()];
  await turn();
  expect([first.isThrough, second.isThrough, engine.looks, kept.length]).toEqual([false, false, 1, 1]);
  engine.end("ready");
  await Promise.all([first.through, second.through]);
});

it("does not hold requests for an engine that is down while another one is ready", async () => {
  const [well, ill] = [new TestEngine(), new TestEngine()];
  const { request } = watched(well, ill);
  const first = request();
  well.end("ready");
  ill.end("down");
  await first.through;
  await request().through;
  expect(ill.looks).toBe(2);
});

it("looks again only when that is due, and at none that is gone", async () => {
  const engine = new TestEngine();
  const { watch, request } = watched(engine);
  const first = request();
  engine.end("ready");
  await first.through;
  await request().through;
  expect(engine.looks).toBe(1);
  engine.end("gone");
  watch.wake(engine);
  await request().through;
  expect(engine.looks).toBe(1);
});
