import { afterEach, expect, test } from "vitest";
import { type Handler, type Instance, PlaneError, type RequestPlaneClient, randomId } from "#runtime";
import { connect, serve } from "#runtime/node";
import { type TokenizingWorker, WorkerCalls } from "./worker-calls.ts";

const servers: { close(): Promise<void> }[] = [];
const clients: RequestPlaneClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) await server.close();
});

async function worker(tokenize: Handler): Promise<TokenizingWorker> {
  const server = await serve(`memory:${randomId()}`, { tokenize });
  servers.push(server);
  const client = await connect(server.address);
  clients.push(client);
  return { state: "ready", client, instance: { id: randomId() } as Instance };
}

const answers: Handler = (payload, call) => {
  call.send(payload);
  call.end();
};
const fails =
  (code: "draining" | "connection_lost" | "internal"): Handler =>
  (_, call) =>
    call.fail(new PlaneError(code, code));
const several = (count: number, handler: Handler) =>
  Promise.all(Array.from({ length: count }, () => worker(handler)));
const call = (workers: readonly TokenizingWorker[]) =>
  new WorkerCalls("tiny", () => workers).call("tokenize", Uint8Array.of(7));

test("any number of workers may be leaving, as long as one answers", async () => {
  const workers = [...(await several(25, fails("draining"))), await worker(answers)];
  const { bytes, instance } = await call(workers);
  expect([...bytes]).toEqual([7]);
  expect(instance).toBe(workers.at(-1)!.instance);
});

test("each worker is asked once, and three may fail", async () => {
  let asked = 0;
  const lost = await several(5, (payload, each) => {
    asked++;
    fails("connection_lost")(payload, each);
  });
  await expect(call(lost)).rejects.toMatchObject({ code: "worker_failed", status: 502 });
  expect(asked).toBe(3);
  const workers = [...lost.slice(0, 2), await worker(answers)];
  expect([...(await call(workers)).bytes]).toEqual([7]);
});

test("without a worker left, the error says why", async () => {
  await expect(call(await several(1, fails("internal")))).rejects.toMatchObject({ code: "worker_failed" });
  await expect(call(await several(2, fails("draining")))).rejects.toMatchObject({ code: "no_worker_ready" });
  await expect(call([])).rejects.toMatchObject({ code: "no_worker_ready" });
  const away = { ...(await worker(answers)), state: "draining" };
  await expect(call([away])).rejects.toMatchObject({ code: "no_worker_ready" });
});
