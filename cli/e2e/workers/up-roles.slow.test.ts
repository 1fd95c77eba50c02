import { expect, test } from "vitest";
import { metric } from "../metrics.ts";
import { startUp } from "../stator-process.ts";

test("stator up starts prefill and decode workers, and divides long prompts between them", async () => {
  const stator = startUp(
    "--engine=mocker",
    "--prefill-workers=1",
    "--decode-workers=2",
    "--speedup=0",
    "--kv-transfer=tcp",
    "--remote-prefill-min-tokens=16",
  );
  const url = await stator.url();
  expect(stator.stdout).toContain("with 3 workers");
  const { models } = (await (await fetch(`${url}/health`)).json()) as {
    models: { workers: { name: string; role: string }[] }[];
  };
  const roles = models[0]!.workers.map(({ name, role }) => [name, role]);
  expect(Object.fromEntries(roles)).toEqual({
    "mocker-prefill-0": "prefill",
    "mocker-decode-0": "decode",
    "mocker-decode-1": "decode",
  });
  const complete = (prompt: string) =>
    fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-stator-explain": "true" },
      body: JSON.stringify({ model: "mocker", prompt, max_tokens: 6 }),
    });
  const answers = [await complete("Once upon a time, in a house by the sea"), await complete("Short")];
  for (const answer of answers)
    expect(await answer.json()).toMatchObject({ usage: { completion_tokens: 6 } });
  const workers = (name: string) => answers.map(({ headers }) => headers.get(name));
  expect(workers("x-stator-prefill-worker")).toEqual(["mocker-prefill-0", null]);
  for (const worker of workers("x-stator-worker")) expect(worker).toMatch(/^mocker-decode-/);
  const decisions = await (await fetch(`${url}/v1/router/decisions`)).json();
  expect(decisions).toMatchObject({
    data: [{ prefill_here: "short" }, { prefill_worker: { name: "mocker-prefill-0" } }],
  });
  expect(await metric(url, "stator_prefills_total", { place: "remote" })).toBe(1);
  expect(await metric(url, "stator_prefills_total", { place: "local", reason: "short" })).toBe(1);
  expect(await metric(url, "stator_kv_transfer_bytes_total", {})).toBeGreaterThan(0);
  expect(await stator.stop()).toBe(0);
});

test("stator up refuses prefill workers whose work nobody continues", async () => {
  const stator = startUp("--engine=mocker", "--prefill-workers=1");
  await stator.printed(/--prefill-workers only compute prompts; add --decode-workers, which answer/);
  expect(await stator.ended()).toBe(2);
});
