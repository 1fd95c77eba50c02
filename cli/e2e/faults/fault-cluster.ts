import { execFile } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "vitest";
import { until } from "../metrics.ts";
import { family } from "../process-family.ts";
import { StatorProcess } from "../stator-process.ts";
import { type Load, type LoadOptions, startLoad } from "./load.ts";

const WORKER = fileURLToPath(new URL("counting-worker.ts", import.meta.url));
const CROWD = fileURLToPath(new URL("crowd.ts", import.meta.url));
const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

/** How and where a process of a cluster runs. */
export interface LaunchOptions {
  /** The command that starts the program, such as `ip netns exec A`. */
  readonly launcher?: readonly string[];
  readonly flags?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** The URL of its store as reachable from there. */
  readonly discovery?: string;
}

export interface ClusterGateway {
  readonly process: StatorProcess;
  readonly url: string;
  /** Open sockets before any load. */
  readonly sockets: number;
}

/** Gateways and counting workers on one store, for faults under load. Checks that a fault leaks nothing. */
export class FaultCluster implements AsyncDisposable {
  readonly gateways: ClusterGateway[] = [];
  readonly workers = new Map<string, StatorProcess>();
  readonly #crowds: StatorProcess[] = [];
  readonly #launchers = new Map<StatorProcess, readonly string[]>();
  readonly #discovery: string;

  constructor(discovery: string) {
    this.#discovery = discovery;
  }

  /** Starts gateways and workers; resolves when each gateway can use each worker. */
  static async start(
    discovery: string,
    { gateways = 1, workers = 4, ...place }: LaunchOptions & { gateways?: number; workers?: number } = {},
  ): Promise<FaultCluster> {
    const cluster = new FaultCluster(discovery);
    for (let index = 0; index < gateways; index++) await cluster.addGateway(place);
    const names = Array.from({ length: workers }, (_, index) => `worker-${index}`);
    for (const name of names) cluster.addWorker(name, place);
    await cluster.ready(...names);
    return cluster;
  }

  get urls(): string[] {
    return this.gateways.map(({ url }) => url);
  }

  async addGateway({ launcher = [], flags = [], env = {} }: LaunchOptions = {}): Promise<ClusterGateway> {
    const port = flags.some((flag) => flag.startsWith("--port=")) ? [] : ["--port=0"];
    const args = ["gateway", ...port, "--config=none", `--discovery=${this.#discovery}`, "--slow-start=0"];
    const started = new StatorProcess([...args, ...gatewayFlags(flags)], env, [
      ...launcher,
      process.execPath,
      MAIN,
    ]);
    const [, url] = await started.printed(/listening.* url=(http:\S+)/);
    const gateway = { process: started, url: url!, sockets: socketsOf(started.pid) };
    this.gateways.push(gateway);
    return gateway;
  }

  addWorker(name: string, place: LaunchOptions = {}): StatorProcess {
    const { launcher = [], flags = [], env = {}, discovery = this.#discovery } = place;
    const args = ["worker", WORKER, `--name=${name}`, "--config=none", `--discovery=${discovery}`];
    const worker = new StatorProcess([...args, ...workerFlags(flags)], env, [
      ...launcher,
      process.execPath,
      MAIN,
    ]);
    this.workers.set(name, worker);
    this.#launchers.set(worker, launcher);
    return worker;
  }

  /** Starts many workers in one process. */
  addCrowd(name: string, count: number): StatorProcess {
    const crowd = new StatorProcess([CROWD, this.#discovery, name, String(count)], {}, [process.execPath]);
    this.#crowds.push(crowd);
    return crowd;
  }

  /** Waits until every gateway can use these workers. */
  async ready(...names: string[]): Promise<void> {
    for (const { url } of this.gateways)
      await until(async () => {
        const states = await statesAt(url);
        return names.every((name) => states[name] === "ready");
      });
  }

  /** Waits until no gateway has the worker any more. */
  async gone(name: string): Promise<void> {
    for (const { url } of this.gateways) await until(async () => (await statesAt(url))[name] === undefined);
  }

  load(options: Partial<LoadOptions> = {}): Load {
    return startLoad({ urls: this.urls, ...options });
  }

  /**
   * Ends the load, expects that nothing was lost or leaked, and prints the result.
   * @param what the name of the case
   */
  async settle(what: string, load: Load): Promise<void> {
    const { streams, errors, wrong, longestGapMs } = await load.stop();
    const leaked = await this.#leaks();
    const counts = { streams, errors: errors.length, wrong: wrong.length, longestGapMs, ...leaked };
    console.log(
      `${what}: ${Object.entries(counts)
        .map(([name, count]) => `${name} ${count}`)
        .join(", ")}`,
    );
    if (errors.length + wrong.length > 0)
      for (const { process } of this.gateways) console.log(tailOf(process));
    expect({ errors, wrong, ...leaked }).toEqual({
      errors: [],
      wrong: [],
      bookings: 0,
      sequences: 0,
      sockets: 0,
    });
    expect(streams).toBeGreaterThan(0);
  }

  /** Counts resources that are still held after the load; waits a while for their release. */
  async #leaks() {
    const count = async () => ({
      bookings: await this.#sum((url) => bookingsAt(url)),
      sequences: await this.#runningSequences(),
      sockets: this.#extraSockets(),
    });
    const until = performance.now() + 15_000;
    for (;;) {
      const left = await count();
      if (Object.values(left).every((each) => each === 0) || performance.now() > until) return left;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async #sum(of: (url: string) => Promise<number>): Promise<number> {
    const all = await Promise.all(this.#running().map(({ url }) => of(url)));
    return all.reduce((sum, each) => sum + each, 0);
  }

  async #runningSequences(): Promise<number> {
    const all = await Promise.all(
      [...this.workers.values()]
        .filter(({ isRunning }) => isRunning)
        .map((worker) => sequencesOf(worker, this.#launchers.get(worker) ?? [])),
    );
    return all.reduce((sum, each) => sum + each, 0);
  }

  /** Open sockets of gateways beyond those for workers, other gateways and this check. */
  #extraSockets(): number {
    const alive = [...this.workers.values()].filter(({ isRunning }) => isRunning).length;
    const allowed = alive + 2 * this.gateways.length + 2;
    return this.#running().reduce(
      (sum, { process: { pid }, sockets }) => sum + Math.max(0, socketsOf(pid) - sockets - allowed),
      0,
    );
  }

  #running(): ClusterGateway[] {
    return this.gateways.filter(({ process: { isRunning } }) => isRunning);
  }

  /** Stops all processes, and waits until none is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = [
      ...this.gateways.map(({ process: gateway }) => gateway),
      ...this.workers.values(),
      ...this.#crowds,
    ];
    const families = all.filter(({ isRunning }) => isRunning).flatMap(({ pid }) => family(pid));
    for (const each of all) each.signal("SIGCONT");
    await Promise.all(all.map((each) => each.stop()));
    const known = new Set(families.map(({ pid }) => pid));
    await until(async () => [...known].every((pid) => family(pid).length === 0));
  }
}

const GATEWAY_ONLY = /^--(port|host|peer|max-|worker-|idle-|open|processes|remote-)/;
const WORKER_ONLY = /^--(listen|advertise|tls-|drain-within|role|kv-transfer|kv-lease)/;
const gatewayFlags = (flags: readonly string[]) => flags.filter((flag) => !WORKER_ONLY.test(flag));
const workerFlags = (flags: readonly string[]) => flags.filter((flag) => !GATEWAY_ONLY.test(flag));

async function statesAt(url: string): Promise<Record<string, string>> {
  const { data } = (await (await get(`${url}/admin/workers`)).json()) as {
    data: { name: string; state: string }[];
  };
  return Object.fromEntries(data.map(({ name, state }) => [name, state]));
}

async function bookingsAt(url: string): Promise<number> {
  const page = await (await get(`${url}/metrics`)).text();
  const counts = [...page.matchAll(/^stator_worker_active_requests\{.*\} (\d+)$/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** The number of sequences running on a worker, requested from its host. */
async function sequencesOf(worker: StatorProcess, launcher: readonly string[]): Promise<number> {
  const [, url] = / ops=(http:\S+)/.exec(worker.stdout + worker.stderr) ?? [];
  if (url === undefined) return 0;
  const script = `fetch("${url}/health").then(async (answer) => console.log((await answer.json()).running))`;
  const [program, ...args] = [...launcher, process.execPath, "-e", script];
  const { stdout } = await promisify(execFile)(program!, args);
  return Number(stdout);
}

const get = (url: string) => fetch(url, { headers: { connection: "close" } });

function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((name) => {
    try {
      return readlinkSync(`${folder}/${name}`).startsWith("socket:");
    } catch {
      // Closed meanwhile.
      return false;
    }
  }).length;
}

/** The last warnings and errors that a process has logged. */
const tailOf = ({ stdout, stderr }: StatorProcess): string =>
  (stdout + stderr)
    .split("\n")
    .filter((line) => / (warn|error) /.test(line))
    .slice(-60)
    .join("\n");
