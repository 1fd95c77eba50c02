import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROMPT, type RecordedAnswer, rawRequest, record } from "./answer.ts";
import { runLoad } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { ServerProcess, serverEntry } from "./server-process.ts";
import type { BareStart } from "./servers/bare.ts";
import type { EngineRun } from "./servers/engine.ts";
import type { GatewayStart } from "./servers/gateway.ts";
import type { WorkerStart } from "./servers/worker.ts";

/** One run of one server at one concurrency. */
export interface Run {
  ttftMs: number[];
  /** CPU seconds per million streamed tokens. */
  cpu: number;
  /** The same of the worker's process, if it has its own. */
  workerCpu: number;
  /** Below 1 if tokens that the worker sent together share an event. */
  eventsPerToken: number;
  /** Share of one core that the load client used. */
  clientShare: number;
}

export interface Level {
  concurrency: number;
  bare: Run[];
  gateway: Run[];
  /** CPU seconds per million tokens of the engine alone; empty if the worker has its own process. */
  engineCpu: number[];
}

/**
 * Measures all servers at every concurrency. Their runs alternate, so that other load on the machine affects all
 * equally.
 */
export async function measure(options: BenchOptions, onProgress: (text: string) => void): Promise<Level[]> {
  const folder = await mkdtemp(join(tmpdir(), "stator-bench-"));
  const bench = new Bench(options, folder);
  try {
    onProgress("warming up");
    await bench.start();
    const levels = options.concurrency.map((concurrency): Level => {
      return { concurrency, bare: [], gateway: [], engineCpu: [] };
    });
    for (let repeat = 1; repeat <= options.repeat; repeat++) {
      for (const level of levels) {
        onProgress(`run ${repeat} of ${options.repeat}, concurrency ${level.concurrency}`);
        level.bare.push(await bench.load("bare", level.concurrency));
        level.gateway.push(await bench.load("gateway", level.concurrency));
        if (options.plane === "memory") level.engineCpu.push(await bench.engineAlone(level.concurrency));
      }
    }
    return levels;
  } finally {
    await bench.stop();
    await rm(folder, { recursive: true });
  }
}

class Bench {
  readonly #options: BenchOptions;
  readonly #folder: string;
  readonly #request: Buffer;
  readonly #servers = {
    bare: new ServerProcess(serverEntry("bare")),
    gateway: new ServerProcess(serverEntry("gateway")),
    engine: new ServerProcess(serverEntry("engine")),
    worker: new ServerProcess(serverEntry("worker")),
  };
  readonly #ports = { bare: 0, gateway: 0 };
  #expected: RecordedAnswer | undefined;

  constructor(options: BenchOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
    this.#request = rawRequest(options.tokens);
  }

  /** Starts the servers, checks that both stream the same bytes, and warms them up. */
  async start(): Promise<void> {
    const { interval: delayMs, tokens, concurrency } = this.#options;
    const { bare, engine } = this.#servers;
    this.#ports.gateway = await this.#startGateway();
    this.#expected = await this.#recordWhenReady();
    const { headers, events } = this.#expected;
    await engine.ask("start", { delayMs });
    this.#ports.bare = await bare.ask<number>("start", { headers, events, delayMs } satisfies BareStart);
    const replayed = await record(this.#ports.bare, tokens);
    if (replayed.events.join("") !== events.join(""))
      throw new Error("The bare server streams different bytes.");
    const most = Math.max(...concurrency);
    const requests = Math.ceil(WARM_UP_TOKENS / (tokens * most));
    for (const server of ["bare", "gateway"] as const) await this.load(server, most, requests);
    if (this.#options.plane === "memory") await this.engineAlone(most, requests);
  }

  async load(
    server: "bare" | "gateway",
    concurrency: number,
    requests = this.#options.requests,
  ): Promise<Run> {
    const tokens = concurrency * requests * this.#options.tokens;
    const { worker } = this.#servers;
    const before = await Promise.all([this.#servers[server].cpuSeconds(), worker.cpuSeconds()]);
    const clientBefore = process.cpuUsage();
    const { ttftMs, events, wallMs } = await runLoad({
      port: this.#ports[server],
      request: this.#request,
      concurrency,
      requests,
      expected: this.#expected!,
      spreadMs: this.#spreadMs,
    });
    const client = process.cpuUsage(clientBefore);
    const after = await Promise.all([this.#servers[server].cpuSeconds(), worker.cpuSeconds()]);
    return {
      ttftMs,
      cpu: ((after[0] - before[0]) / tokens) * 1e6,
      workerCpu: ((after[1] - before[1]) / tokens) * 1e6,
      // The role, the end and [DONE] are events without a token.
      eventsPerToken: (events - 3 * concurrency * requests) / tokens,
      clientShare: (client.user + client.system) / 1000 / wallMs,
    };
  }

  /** CPU seconds per million tokens of the engine alone. */
  async engineAlone(concurrency: number, requests = this.#options.requests): Promise<number> {
    const { tokens } = this.#options;
    const { engine } = this.#servers;
    const before = await engine.cpuSeconds();
    const run: EngineRun = { concurrency, requests, tokens, spreadMs: this.#spreadMs, prompt: PROMPT };
    await engine.ask("run", run);
    const after = await engine.cpuSeconds();
    return ((after - before) / (concurrency * requests * tokens)) * 1e6;
  }

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.#servers).map((server) => server.stop()));
  }

  /** Streams start evenly over the duration of one. */
  get #spreadMs(): number {
    return this.#options.interval * this.#options.tokens;
  }

  async #startGateway(): Promise<number> {
    const { gateway, worker } = this.#servers;
    const { plane, interval } = this.#options;
    if (plane === "memory") {
      const start: GatewayStart = { discovery: "memory:bench", echoDelayMs: interval };
      return gateway.ask<number>("start", start);
    }
    const discovery = `file:${join(this.#folder, "discovery")}`;
    const listen = `unix:${join(this.#folder, "echo.sock")}`;
    await worker.ask("start", { discovery, listen, echoDelayMs: interval } satisfies WorkerStart);
    return gateway.ask<number>("start", { discovery, echoDelayMs: undefined } satisfies GatewayStart);
  }

  /** Retries, because the gateway connects to its worker only after it listens. */
  async #recordWhenReady(): Promise<RecordedAnswer> {
    const deadline = performance.now() + 10_000;
    for (;;) {
      try {
        return await record(this.#ports.gateway, this.#options.tokens);
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
}

/** Enough for the optimising compiler to see every branch. */
const WARM_UP_TOKENS = 10_000;
