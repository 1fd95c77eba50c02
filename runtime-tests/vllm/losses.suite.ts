import { describe, expect, test } from "vitest";
import { Recorder } from "./recorder.ts";
import { ask, attach, BLOCKS, cachedTokens, eventually, freshText, post, type Setup } from "./setup.ts";
import { BLOCK_SIZE, type VllmServer } from "./vllm-server.ts";
import { wordsOnly } from "./words.ts";

/** Long enough for the engine to be killed during the answer. */
const ANSWER_TOKENS = 600;
/** How many events of the answer to wait for before that. */
const EVENTS_BEFORE = 30;

/** Answers, and the knowledge of caches, when an engine dies and comes back. */
export function suiteOfLosses(setup: Setup): void {
  describe("When a vLLM is killed", () => {
    test("during a stream, the other one continues exactly where it broke off", async () => {
      const [first, second] = setup.servers;
      await using one = await Recorder.open(first.url);
      await using other = await Recorder.open(second.url);
      const { stator, url } = await attach([one.url]);
      // The second one is added later, so that the first one answers.
      await (await post(url, "/admin/workers", { url: other.url, model: undefined })).text();
      for (const each of [one, other]) await becomesReady(url, new URL(each.url).host);
      const prompt = freshText(100);
      const body = {
        prompt,
        max_tokens: ANSWER_TOKENS,
        temperature: 0,
        seed: 1,
        ignore_eos: true,
        ...(await wordsOnly(first.url)),
      };
      const whole = await (await post(second.url, "/v1/completions", body)).json();
      const before = one.generations.length;
      const response = await post(url, "/v1/completions", { ...body, stream: true });
      const [from, to] = one.generations.length > before ? [one, other] : [other, one];
      const victim = from === one ? first : second;
      const text = await readText(response, EVENTS_BEFORE, () => victim.kill());
      await victim.stop();
      const [continued] = to.generations;
      const asked = JSON.parse(continued!.request);
      const beforeIt = textOf(Buffer.concat(from.generations.at(-1)!.answer).toString());
      expect(beforeIt.length).toBeGreaterThan(0);
      expect(asked.prompt).toBe(prompt + beforeIt);
      expect(asked.max_tokens).toBeLessThan(ANSWER_TOKENS);
      expect(text).toBe(beforeIt + textOf(Buffer.concat(continued!.answer).toString()));
      expect(text.length).toBeGreaterThan(beforeIt.length);
      expect(text).toBe(whole.choices[0].text);
      await stator.stop();
      setup.servers = await restarted(setup.servers, victim);
    });

    test("and restarted, it rejoins with an empty cache", async () => {
      const [path, body] = ["/v1/completions", { prompt: freshText(400), max_tokens: 1 }];
      const victim = setup.servers[0];
      const name = new URL(victim.url).host;
      const toVictim = { ...body, stator: { worker: name } };
      const ready = () => becomesReady(setup.url, name);
      // It has just been restarted, which this gateway may not have noticed yet.
      await ready();
      expect((await ask(setup.url, path, toVictim)).status).toBe(200);
      expect((await ask(setup.url, path, toVictim)).overlapTokens).toBeGreaterThan(10 * BLOCK_SIZE);
      await victim.stop();
      setup.servers = await restarted(setup.servers, victim);
      await ready();
      const first = await ask(setup.url, path, toVictim);
      expect(first).toMatchObject({ engine: name, overlapTokens: 0 });
      expect(cachedTokens(first) ?? 0).toBe(0);
      const again = await ask(setup.url, path, toVictim);
      expect(again.overlapTokens).toBeGreaterThan(10 * BLOCK_SIZE);
      expect(again.overlapTokens - cachedTokens(again)!).toBeLessThanOrEqual(BLOCK_SIZE);
    });
  });
}

/** Waits until a gateway sends requests to an engine. */
export const becomesReady = (url: string, name: string) =>
  eventually(
    async () => ((await stateOf(url, name)) === "ready" ? true : undefined),
    `the engine ${name} is ready`,
  );

async function restarted(servers: Setup["servers"], victim: VllmServer): Promise<Setup["servers"]> {
  const [first, second] = servers;
  const again = await victim.again({ blocks: BLOCKS });
  return victim === first ? [again, second] : [first, again];
}

/** The engine's state according to the gateway. */
export async function stateOf(url: string, name: string): Promise<string | undefined> {
  const { data } = await (await fetch(`${url}/admin/workers`)).json();
  return data.find((worker: { name: string }) => worker.name === name)?.state;
}

/** The text of a streamed completion. `onEvents` is called once, after this many events. */
async function readText(response: Response, events: number, onEvents: () => void): Promise<string> {
  const decoder = new TextDecoder();
  let all = "";
  let isCalled = false;
  for await (const part of response.body ?? []) {
    all += decoder.decode(part, { stream: true });
    if (isCalled || all.split("\n\n").length <= events) continue;
    isCalled = true;
    onEvents();
  }
  return textOf(all);
}

/** The text of complete events of a streamed completion. */
function textOf(stream: string): string {
  return stream
    .split("\n\n")
    .slice(0, -1)
    .filter((event) => event.startsWith("data: {"))
    .map((event) => JSON.parse(event.slice("data: ".length)).choices[0]?.text ?? "")
    .join("");
}
