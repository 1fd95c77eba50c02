import { afterEach, expect, test } from "vitest";
import { cancelFlag } from "./cancel-flag.ts";
import { ModelThread } from "./model-thread.ts";
import type { CountingData, CountRequest } from "./testing/counting-thread.ts";

let thread: ModelThread<CountRequest, number, string> | undefined;
afterEach(async () => {
  await thread?.close();
  thread = undefined;
});

async function open(data: CountingData = {}): Promise<ModelThread<CountRequest, number, string>> {
  thread = await ModelThread.open<CountRequest, number, string>({
    script: new URL("testing/counting-thread.ts", import.meta.url),
    data,
    model: "the counting model",
    toRefusal: (refusal, message) => new RangeError(`${refusal}: ${message}`),
  });
  return thread;
}

test("requests are answered in order, each with its parts", async () => {
  const { ask, ids } = await opened();
  const parts: number[] = [];
  const asked = [2, 0, 3].map((to, index) =>
    ask({ kind: "count", id: ids[index]!, to }, (part) => parts.push(part)),
  );
  expect(await Promise.all(asked)).toEqual(["request 1", "request 2", "request 3"]);
  expect(parts).toEqual([1, 2, 1, 2, 3]);
});

test("a request that is to blame is refused, and another failure is the model's", async () => {
  const { ask, ids } = await opened();
  const refused = ask({ kind: "refuse", id: ids[0]!, to: 0 });
  const failed = ask({ kind: "fail", id: ids[1]!, to: 0 });
  await expect(refused).rejects.toEqual(new RangeError("too far: cannot refuse"));
  await expect(failed).rejects.toEqual(new Error("cannot fail"));
});

test("a thread that computes sees that its request is cancelled", async () => {
  const { ask, ids } = await opened();
  const controller = new AbortController();
  const { shared, release } = cancelFlag(controller.signal);
  const waiting = ask({ kind: "wait", id: ids[0]!, to: 0, cancelled: shared });
  controller.abort();
  expect(await waiting).toBe("cancelled");
  release();
});

test("a flag of a signal that is aborted already is raised", async () => {
  expect(cancelFlag(AbortSignal.abort()).shared[0]).toBe(1);
});

test("what has no result is told", async () => {
  const { ask, ids } = await opened();
  thread!.tell({ kind: "forget", id: ids[0]!, to: 0 });
  expect(await ask({ kind: "count", id: ids[1]!, to: 0 })).toBe("request 2");
});

test("closing answers what was asked, and nothing more is taken", async () => {
  const { ask, ids } = await opened();
  const asked = ask({ kind: "count", id: ids[0]!, to: 1 });
  const closing = thread!.close();
  expect(await asked).toBe("request 1");
  await closing;
  await expect(ask({ kind: "count", id: ids[1]!, to: 1 })).rejects.toThrow("The thread is closed.");
  await thread!.close();
});

test("a model that cannot be loaded says why", async () => {
  await expect(open({ broken: "There is no model." })).rejects.toThrow("There is no model.");
});

/** A thread's `ask`, and ids for three requests. */
async function opened() {
  const counting = await open();
  return {
    ask: counting.ask.bind(counting),
    ids: [counting.nextId(), counting.nextId(), counting.nextId()],
  };
}
