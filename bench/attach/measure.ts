import { freePort } from "#runtime/node";
import { Background } from "./background.ts";
import { type ClientRun, runClient } from "./client.ts";
import { CONTENDERS, type ContenderName, prepare } from "./contenders.ts";
import type { AttachBenchOptions } from "./options.ts";
import { buildLoad } from "./programs.ts";

/** One run at one concurrency. */
export interface Run extends ClientRun {
  /** CPU seconds of the proxy's processes per million chunks; 0 without a proxy. */
  cpu: number;
  residentBytes: number;
  /** Share of one core that the mock engines used during the run. */
  mockShare: number;
  /** Share of one core that the load client used. */
  clientShare: number;
}

/** Consecutive runs of all contenders. */
export type Round = Partial<Record<ContenderName, Run>>;

export interface Level {
  concurrency: number;
  rounds: Round[];
}

export interface Measurement {
  levels: Level[];
  /** Twice the maximum concurrency, without a proxy: the capacity of mock engines and load client. */
  headroom: { concurrency: number; run: Run };
}

/** Starts everything, measures every contender at every concurrency in every round, and stops everything. */
export async function measure(
  options: AttachBenchOptions,
  onProgress: (text: string) => void,
): Promise<Measurement> {
  const bench = new Bench(options);
  try {
    onProgress("building and installing");
    await bench.start(onProgress);
    const levels = options.concurrency.map((concurrency): Level => ({ concurrency, rounds: [] }));
    for (let round = 0; round < options.rounds; round++) {
      for (const level of levels) {
        onProgress(`round ${round + 1} of ${options.rounds}, ${level.concurrency} streams`);
        level.rounds.push(await bench.round(level.concurrency, round % 2 === 1));
      }
    }
    onProgress("headroom");
    const concurrency = 2 * Math.max(...options.concurrency);
    return { levels, headroom: { concurrency, run: await bench.run("nothing", concurrency) } };
  } finally {
    await bench.stop();
  }
}

class Bench {
  readonly #options: AttachBenchOptions;
  readonly #processes = new Map<ContenderName | "mock", Background>();
  readonly #ports = new Map<ContenderName, readonly number[]>();
  #program = "";
  #seed = 0;

  constructor(options: AttachBenchOptions) {
    this.#options = options;
  }

  async start(onProgress: (text: string) => void): Promise<void> {
    const { contenders, ours, concurrency } = this.#options;
    this.#program = await buildLoad();
    const commands = new Map(
      await Promise.all(contenders.map(async (name) => [name, await prepare(name, ours)] as const)),
    );
    const ports = await this.#startMock();
    this.#ports.set("nothing", ports);
    const urls = ports.map((port) => `http://127.0.0.1:${port}`);
    for (const [name, command] of commands) {
      onProgress(`warming up ${name}`);
      if (command !== undefined) {
        const port = await freePort();
        this.#processes.set(name, new Background(name, command(urls, port, await freePort())));
        this.#ports.set(name, [port]);
        await this.#waitUntilReady(name);
      }
      await this.#load(name, Math.max(...concurrency), WARM_UP_SECONDS);
    }
  }

  /** Runs every contender once. */
  async round(concurrency: number, isReversed: boolean): Promise<Round> {
    const names = CONTENDERS.filter((name) => this.#options.contenders.includes(name));
    const round: Round = {};
    for (const name of isReversed ? names.reverse() : names) round[name] = await this.run(name, concurrency);
    return round;
  }

  async run(name: ContenderName, concurrency: number): Promise<Run> {
    const proxy = this.#processes.get(name);
    const mock = this.#processes.get("mock")!;
    const before = { proxy: proxy?.usage().cpuSeconds ?? 0, mock: mock.usage().cpuSeconds };
    const client = await this.#load(name, concurrency, this.#options.seconds);
    const after = { proxy: proxy?.usage(), mock: mock.usage().cpuSeconds };
    return {
      ...client,
      cpu: (((after.proxy?.cpuSeconds ?? 0) - before.proxy) / client.chunks) * 1e6,
      residentBytes: after.proxy?.residentBytes ?? 0,
      mockShare: (after.mock - before.mock) / client.wallSeconds,
      clientShare: client.cpuSeconds / client.wallSeconds,
    };
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((process) => process.stop()));
  }

  async #startMock(): Promise<number[]> {
    const { engines, chunks, interval, steps } = this.#options;
    const pace = [`interval_us=${1000 * interval}`, `steps=${Number(steps)}`];
    const command = [this.#program, "mock", `engines=${engines}`, `chunks=${chunks}`, ...pace];
    const mock = new Background("The mock engines", command);
    this.#processes.set("mock", mock);
    return (await mock.firstLine()).split(" ").map(Number);
  }

  /** Waits until a complete answer arrives through a proxy. */
  async #waitUntilReady(name: ContenderName): Promise<void> {
    const deadline = performance.now() + READY_SECONDS * 1000;
    for (;;) {
      const problem = await this.#load(name, 1, 1, 1).then(
        ({ firstError }) => firstError,
        (error: Error) => error.message,
      );
      if (problem === null) return;
      this.#processes.get(name)!.check();
      if (performance.now() > deadline) throw new Error(`${name} returns no valid answer: ${problem}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  #load(
    name: ContenderName,
    concurrency: number,
    seconds: number,
    requests = this.#options.requests,
  ): Promise<ClientRun> {
    const { chunks, interval } = this.#options;
    const spread = 1000 * interval * chunks;
    return runClient(this.#program, {
      ports: this.#ports.get(name)!,
      concurrency,
      seconds,
      requests,
      chunks,
      spread_us: concurrency === 1 ? 0 : spread,
      seed: ++this.#seed,
    });
  }
}

/** Enough for an optimising compiler to see every branch. */
const WARM_UP_SECONDS = 3;

const READY_SECONDS = 60;
