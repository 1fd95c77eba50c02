import { afterAll, beforeAll, expect, test } from "vitest";
import { StandInProcess } from "../../cli/e2e/attach/stand-in-process.ts";
import { clientOf, streamChat } from "../../cli/e2e/attach/streams.ts";

/** A gateway on a host, in front of engines. */
export interface HostedGateway {
  readonly url: string;
  /** Shuts it down. @returns the exit code, or the signal's name */
  stop(): Promise<number | string>;
}

export interface HostTraits {
  /** Whether it can follow KV events; otherwise, caches are predicted. */
  readonly hasEvents: boolean;
}

const BLOCK = 16;
const TOKENS = 60;

/** What a gateway must do on every runtime, in front of two vLLM stand-ins. */
export function gatewaySuite(
  start: (engines: readonly string[]) => Promise<HostedGateway>,
  { hasEvents }: HostTraits,
): void {
  let engines: StandInProcess[];
  let gateway: HostedGateway;

  beforeAll(async () => {
    const args = ["--inter-token-ms=10", "--kv-port=0", "--replay-port=0"];
    engines = await Promise.all([0, 1].map(() => StandInProcess.start("vllm", ...args)));
    gateway = await start(engines.map(({ url }) => url));
  }, 60_000);

  afterAll(async () => {
    expect(await gateway.stop()).toBe(0);
  });

  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${gateway.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-stator-explain": "1", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });

  async function ask(content: string) {
    const response = await post("/v1/chat/completions", {
      model: "tiny",
      max_tokens: 4,
      temperature: 0,
      messages: [{ role: "user", content }],
    });
    expect(response.status).toBe(200);
    const answer = (await response.json()) as {
      usage: { prompt_tokens_details: { cached_tokens: number } };
    };
    return {
      worker: response.headers.get("x-stator-worker"),
      overlap: Number(response.headers.get("x-stator-overlap-blocks")),
      cached: answer.usage.prompt_tokens_details.cached_tokens,
    };
  }

  test("sends requests with a shared prefix to the engine that has it", async () => {
    for (let topic = 0; topic < 4; topic++) {
      const prefix = `Topic ${topic}: ${"a long text that all of these begin with. ".repeat(8)}`;
      const first = await ask(`${prefix}One.`);
      const second = await ask(`${prefix}Two.`);
      expect(second.worker).toBe(first.worker);
      expect(second.cached).toBeGreaterThan(prefix.length - 2 * BLOCK);
      if (hasEvents) expect(second.overlap * BLOCK).toBe(second.cached);
      else expect(second.overlap).toBeGreaterThan(0);
    }
  });

  test("passes a stream through unchanged", async () => {
    const body = {
      model: "tiny",
      stream: true,
      max_tokens: 8,
      temperature: 0,
      messages: [{ role: "user", content: "Hello" }],
    };
    const through = await post("/v1/chat/completions", body);
    expect(through.headers.get("content-type")).toContain("text/event-stream");
    const direct = await fetch(`${engines[0]!.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const bare = (text: string) => text.replace(/"id":"[^"]*"/g, "").replace(/"created":\d+/g, "");
    expect(bare(await through.text())).toBe(bare(await direct.text()));
  });

  test("continues an answer when its engine is killed", { timeout: 30_000 }, async () => {
    const question = "What comes next?";
    const truth = await streamChat(clientOf(engines[0]!.url), question, TOKENS);
    const openai = clientOf(gateway.url);
    let killed: Promise<void> | undefined;
    let victim: StandInProcess | undefined;
    const answer = await streamChat(openai, question, TOKENS, (text) => {
      if (text.length < 10 || killed !== undefined) return;
      killed = (async () => {
        victim = await busy();
        await victim.kill();
      })();
    });
    await killed;
    expect(answer.text).toBe(truth.text);
    expect(answer.ids.size).toBe(1);
    expect(answer.usage?.completion_tokens).toBe(TOKENS);
    await victim!.restart();
  });

  test("stops the engine when the client disconnects", { timeout: 30_000 }, async () => {
    const abort = new AbortController();
    const response = await fetch(`${gateway.url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: "tiny",
        prompt: "Once",
        stream: true,
        max_tokens: 4000,
        ignore_eos: true,
      }),
      signal: abort.signal,
    });
    await response.body!.getReader().read();
    await busy();
    abort.abort();
    while ((await running()).some((count) => count > 0)) await pause();
  });

  test("answers bad requests in the API's format", async () => {
    const unknown = await post("/v1/chat/completions", { model: "tinny", messages: [] });
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ error: { code: "model_not_found", param: "model" } });
    const malformed = await post("/v1/chat/completions", "{");
    expect(malformed.status).toBe(400);
    expect(await malformed.json()).toMatchObject({ error: { code: "invalid_json" } });
    const tooLong = await post("/v1/completions", { model: "tiny", prompt: "x".repeat(9000) });
    expect(tooLong.status).toBe(400);
    const other = await fetch(`${gateway.url}/v2/nothing`);
    expect(other.status).toBe(404);
  });

  test("serves its health and metrics", async () => {
    const health = await fetch(`${gateway.url}/health`);
    expect(await health.json()).toMatchObject({ models: [{ name: "tiny", status: "ready" }] });
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    expect(metrics).toMatch(/requests_total\{[^}]*model="tiny"/);
    const models = await (await fetch(`${gateway.url}/v1/models`)).json();
    expect(models).toMatchObject({ data: [{ id: "tiny", max_model_len: 8192 }] });
  });

  /** The number of running requests on each engine. */
  async function running(): Promise<number[]> {
    return Promise.all(
      engines.map(async ({ url }) => {
        const text = await (await fetch(`${url}/metrics`)).text();
        return Number(/^vllm:num_requests_running\{[^}]*\} (\S+)/m.exec(text)?.[1] ?? 0);
      }),
    );
  }

  /** Waits until an engine is running a request, and returns it. */
  async function busy(): Promise<StandInProcess> {
    for (;;) {
      const index = (await running()).findIndex((count) => count > 0);
      if (index >= 0) return engines[index]!;
      await pause();
    }
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 10));
