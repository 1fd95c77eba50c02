import { describe, expect, onTestFinished, test } from "vitest";
import { createEngineApi } from "../gateway/engines/index.ts";
import { type StandIn, startVllm } from "./index.ts";
import { events, post } from "./test-client.ts";

async function start(): Promise<StandIn> {
  const standIn = await startVllm();
  onTestFinished(() => standIn.close());
  return standIn;
}

const completionsUrl = ({ url }: StandIn) => `${url}/v1/completions`;

describe("an injected fault", () => {
  const body = { model: "tiny", prompt: "x", max_tokens: 8, ignore_eos: true };
  const faulty = async (faults: object) => {
    const standIn = await start();
    expect((await post(`${standIn.url}/stand-in/faults`, faults)).status).toBe(200);
    return standIn;
  };

  test("can be an error for a share of the requests", async () => {
    const standIn = await faulty({ status: 503, share: 0.5 });
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await post(completionsUrl(standIn), body)).status);
    expect(statuses).toEqual([200, 503, 200, 503]);
    await post(`${standIn.url}/stand-in/faults`, {});
    expect((await post(completionsUrl(standIn), body)).status).toBe(200);
  });

  test.each([
    ["bytes that are not HTTP", { garbageHttp: true }],
    ["a connection that closes in mid-answer", { closeAfterChunks: 2 }],
  ])("can be %s", async (_, faults) => {
    const standIn = await faulty(faults);
    await expect(events(post(completionsUrl(standIn), { ...body, stream: true }))).rejects.toThrow();
  });

  test.each([
    ["before its head", { hangBeforeHead: true }, ""],
    ["after some tokens", { hangAfterTokens: 2 }, "data"],
  ])("can be a stall %s", async (_, faults, wanted) => {
    const standIn = await faulty(faults);
    const signal = AbortSignal.timeout(300);
    let text = "";
    const read = async () => {
      const request = { method: "POST", body: JSON.stringify({ ...body, stream: true }), signal };
      const response = await fetch(completionsUrl(standIn), request);
      for await (const chunk of response.body!) text += new TextDecoder().decode(chunk);
    };
    await expect(read()).rejects.toThrow();
    expect(text.slice(0, 4)).toBe(wanted);
  });

  test("can be a chunk that is not JSON", async () => {
    const standIn = await faulty({ garbageSse: true });
    const lines = await events(post(completionsUrl(standIn), { ...body, stream: true }));
    expect(() => lines.slice(0, -1).map((line) => JSON.parse(line))).toThrow();
  });

  test("can be an endless answer, which the gateway does not read to the end", async () => {
    const standIn = await faulty({ endlessBody: true, on: "all" });
    await expect(createEngineApi(standIn.url).getText("/metrics")).rejects.toMatchObject({
      code: "too_large",
    });
  });

  test("must be a known one", async () => {
    const standIn = await start();
    expect((await post(`${standIn.url}/stand-in/faults`, { typo: 1 })).status).toBe(400);
  });
});
