import { expect, test } from "vitest";
import { createLogger, instanceEndpoint, openMemoryDiscovery, randomId } from "#runtime";
import { connect } from "#runtime/node";
import { startWorker } from "./host.ts";
import { loadWorker } from "./registry.ts";

test("a worker says what it is, and again when it leaves, as in discovery", async () => {
  const discovery = openMemoryDiscovery(randomId());
  const worker = await startWorker({
    definition: await loadWorker("echo"),
    engineOptions: {},
    threads: 1,
    discovery,
    namespace: "test",
    name: "echo-0",
    listen: `memory:${randomId()}`,
    opsPort: 0,
    log: createLogger({ name: "test", level: "error" }),
  });
  const { id, address } = worker.instance;
  const client = await connect(address);
  const messages: unknown[] = [];
  const ended = Promise.withResolvers<void>();
  client.call(instanceEndpoint, new Uint8Array(0), {
    onMessage: (bytes) => void messages.push(JSON.parse(new TextDecoder().decode(bytes))),
    onEnd: ended.resolve,
    onError: ended.reject,
  });
  await expect.poll(() => messages).toHaveLength(1);
  const registered = (await discovery.get("instances/")).get(`instances/${id}`);
  expect(messages[0]).toEqual(registered);
  await worker.drain({ withinMs: 700, deadlineMs: 10_000 });
  await ended.promise;
  expect(messages[1]).toEqual({ ...Object(registered), drainWithinMs: 700 });
  await client.closed;
  await discovery.close();
});
