import { expect, onTestFinished, test } from "vitest";
import { metric, until } from "./metrics.ts";
import { workerPid } from "./process-family.ts";
import { startUp } from "./stator-process.ts";

interface Health {
  models: { status: string; workers: { name: string; status: string }[] }[];
}

test("a worker beyond --index-workers is reported as shut out, and admitted when the other is lost", async () => {
  const stator = startUp("--engine=echo", "--workers=2", "--index-workers=1");
  onTestFinished(async () => void (await stator.stop()));
  const url = await stator.url();
  const statuses = async () => {
    const health = (await (await fetch(`${url}/health`)).json()) as Health;
    return health.models.flatMap(({ workers }) => workers);
  };
  const nameOf = async (status: string) =>
    (await statuses()).find((worker) => worker.status === status)?.name ?? "";
  const ask = (worker: string) =>
    fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-stator-worker": worker },
      body: JSON.stringify({ model: "default", prompt: "Hello", max_tokens: 1 }),
    });
  const [serving, shutOut] = [await nameOf("ready"), await nameOf("shut_out")];
  expect([serving, shutOut].sort()).toEqual(["echo-0", "echo-1"]);
  expect(await metric(url, "stator_router_shut_out_workers")).toBe(1);
  expect(await metric(url, "stator_worker_ready", { worker: shutOut })).toBe(0);
  expect((await ask(serving)).status).toBe(200);
  const early = await ask(shutOut);
  expect([early.status, early.headers.get("retry-after")]).toEqual([503, "2"]);
  expect((await early.json()).error.message).toContain(`the worker '${shutOut}', which it names`);

  process.kill(workerPid(stator, serving), "SIGKILL");
  await until(async () => (await nameOf("ready")) === shutOut);
  expect((await ask(shutOut)).status).toBe(200);
  // The other one comes back and finds its slot taken; a request for it gets a 503, not a 400.
  expect((await ask(serving)).status).toBe(503);
  await until(async () => (await nameOf("shut_out")) === serving);
  expect(await metric(url, "stator_router_shut_out_workers")).toBe(1);
});
