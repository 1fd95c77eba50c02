import { afterAll, beforeAll, expect, test } from "vitest";
import { StandInProcess } from "../attach/stand-in-process.ts";
import { clientOf, streamChat } from "../attach/streams.ts";
import type { StatorProcess } from "../stator-process.ts";
import { ask, attach } from "./attached.ts";

let first: StandInProcess;
let second: StandInProcess;
let stator: StatorProcess;
let url: string;

beforeAll(async () => {
  [first, second] = await Promise.all([
    StandInProcess.start("vllm", "--inter-token-ms=5"),
    StandInProcess.start("vllm", "--inter-token-ms=5"),
  ]);
  ({ stator, url } = await attach([first.url]));
});

afterAll(async () => {
  await stator.stop();
});

test("an engine is attached at run time, listed, drained and removed", async () => {
  const attached = await ask(`${url}/admin/workers`, { json: { url: second.url, tags: ["gpu=h100"] } });
  expect(attached.status).toBe(201);
  expect(attached.body).toMatchObject({ name: second.name, state: "ready", kind: "vllm", reason: null });
  for (const name of [undefined, "another"]) {
    const again = await ask(`${url}/admin/workers`, { json: { url: second.url, name } });
    expect(again.status).toBe(409);
    expect(again.body.error?.code).toBe("already_attached");
  }
  const { body: list } = await ask(`${url}/admin/workers`);
  expect(list).toMatchObject({ data: [{ name: first.name }, { name: second.name }] });

  // A stream held on the second engine finishes while that engine drains.
  await second.faults({ hangAfterTokens: 5 });
  const openai = clientOf(url);
  let drained: ReturnType<typeof ask> | undefined;
  const answer = await streamChat(
    openai,
    "A question",
    30,
    () => {
      drained ??= ask(`${url}/admin/workers/${second.name}`, { method: "DELETE" }).finally(() =>
        second.faults({}),
      );
    },
    { tags: ["gpu=h100"] },
  );
  expect(answer.finishReason).toBe("length");
  const { status, body } = await drained!;
  expect([status, body.state]).toEqual([202, "draining"]);
  await stator.printed(new RegExp(`engine detached.*engine=${second.name}`));
  const gone = await ask(`${url}/admin/workers/${second.name}`);
  expect(gone.status).toBe(404);
  expect(gone.body.error?.message).toContain(`Did you mean '${first.name}'?`);
});

test("an engine that is down can be attached, and shows why it is not ready", async () => {
  const { status, body } = await ask(`${url}/admin/workers`, {
    json: { url: "http://127.0.0.1:1", name: "later" },
  });
  expect([status, body.name, body.state]).toEqual([201, "later", "down"]);
  expect(body.reason).toContain("cannot be reached");
  const removed = await ask(`${url}/admin/workers/later?now=true`, { method: "DELETE" });
  expect([removed.status, removed.body.state]).toEqual([202, "gone"]);
});

test("errors name the invalid field of a request", async () => {
  const cases = [
    [{ url: "ftp://engine" }, "url"],
    [{ url: "http://127.0.0.1:1", kv_event: {} }, "kv_event"],
    [{}, "url"],
    [{ url: "http://127.0.0.1:1", tags: ["h100"] }, "tags[0]"],
  ] as const;
  for (const [json, param] of cases) {
    const { status, body } = await ask(`${url}/admin/workers`, { json });
    expect([status, body.error?.param]).toEqual([400, param]);
  }
});
