import { expect, test } from "vitest";
import {
  createLogger,
  encodeGenerateRequest,
  instanceEndpoint,
  openMemoryDiscovery,
  randomId,
} from "#runtime";
import { connect } from "#runtime/node";
import { defineWorker } from "./define-worker.ts";
import { openEcho } from "./echo/engine.ts";
import { requestFor } from "./engine.suite.ts";
import { startWorker } from "./host.ts";

test.each([0, 2])("a worker that leaves logs its %i requests, and no other calls", async (count) => {
  const lines: string[] = [];
  const gate = Promise.withResolvers<void>();
  let running = 0;
  const definition = defineWorker({
    name: "gated",
    open: () => ({
      ...openEcho(),
      async *generate() {
        running++;
        await gate.promise;
        yield { tokenIds: [], finish: "stop" as const };
      },
    }),
  });
  const discovery = openMemoryDiscovery(randomId());
  const { instance, drain } = await startWorker({
    definition,
    engineOptions: {},
    threads: 1,
    discovery,
    namespace: "test",
    name: "gated-0",
    listen: `memory:${randomId()}`,
    opsPort: 0,
    log: createLogger({
      name: "test",
      format: "json",
      write(line) {
        lines.push(line);
        if (line.includes("draining")) gate.resolve();
      },
    }),
  });
  const client = await connect(instance.address);
  const call = (endpoint: string, payload: Uint8Array, onMessage = () => {}) =>
    new Promise<void>((onEnd, onError) => {
      client.call(endpoint, payload, { onMessage, onEnd, onError });
    });
  const isFollowing = Promise.withResolvers<void>();
  const calls = [call(instanceEndpoint, new Uint8Array(0), isFollowing.resolve)];
  await isFollowing.promise;
  const request = encodeGenerateRequest(requestFor(Uint32Array.of(1)));
  for (let index = 0; index < count; index++) calls.push(call("generate", request));
  await expect.poll(() => running).toBe(count);
  await drain({ withinMs: 10_000, deadlineMs: 10_000 });
  await Promise.all(calls);
  const logged = lines.map((line) => JSON.parse(line)).filter(({ message }) => message === "draining");
  expect(logged).toMatchObject(count === 0 ? [] : [{ requests: count }]);
  await client.closed;
  await discovery.close();
});
