import { expect, test } from "vitest";
import { startUp } from "../stator-process.ts";

test("stator up starts prefill and decode workers, and no others by default", async () => {
  const stator = startUp(
    "--engine=mocker",
    "--prefill-workers=1",
    "--decode-workers=2",
    "--speedup=0",
    "--kv-transfer=tcp",
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
  const answer = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "mocker", prompt: "Once upon a time", max_tokens: 6 }),
  });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ usage: { completion_tokens: 6 } });
  expect(await stator.stop()).toBe(0);
});

test("stator up refuses prefill workers whose work nobody continues", async () => {
  const stator = startUp("--engine=mocker", "--prefill-workers=1");
  await stator.printed(/--prefill-workers only compute prompts; add --decode-workers, which answer/);
  expect(await stator.ended()).toBe(2);
});
