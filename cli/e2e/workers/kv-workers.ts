import { existsSync } from "node:fs";
import { join } from "node:path";
import { openTransferAgent, type TransferKind } from "#native";
import { requestFor } from "../../../workers/engine.suite.ts";
import {
  type Answer,
  type PrefillCall,
  readMetric,
  WorkerClient,
} from "../../../workers/kv/testing-worker.ts";
import { StatorProcess } from "../stator-process.ts";

/** NIXL, where `npm run test:native` has installed it. */
const INSTALLED = join(import.meta.dirname, "../../../runtime-tests/nixl/.venv");
if (existsSync(INSTALLED)) process.env.NIXL_PREFIX ??= INSTALLED;

/** Why KV cannot travel this way here; undefined if it can. */
export async function whyNot(kind: TransferKind | "auto"): Promise<string | undefined> {
  try {
    await (await openTransferAgent({ name: "test", kind }))[Symbol.asyncDispose]();
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** A worker in a process of its own, and a client that plays the gateway. */
export class KvWorker {
  readonly process: StatorProcess;
  client: WorkerClient;
  readonly #address: string;
  readonly #opsUrl: string;

  private constructor(process: StatorProcess, client: WorkerClient, address: string, opsUrl: string) {
    this.process = process;
    this.client = client;
    this.#address = address;
    this.#opsUrl = opsUrl;
  }

  static async start(folder: string, name: string, ...args: string[]): Promise<KvWorker> {
    const process = new StatorProcess([
      ...["worker", "llama", `--discovery=file:${join(folder, "discovery")}`, "--config=none"],
      ...[`--name=${name}`, "--listen=tcp:127.0.0.1:0", "--context-length=512", "--threads=1"],
      ...["--log-level=debug", ...args],
    ]);
    const [, address, ops] = await process.printed(/worker is ready.* address=(\S+) ops=(\S+)/);
    return new KvWorker(process, await WorkerClient.connect(address!), address!, ops!);
  }

  /** Connects anew, after the process has stood still for so long that it may have been given up. */
  async reconnect(): Promise<void> {
    this.client.close();
    this.client = await WorkerClient.connect(this.#address);
  }

  metric(name: string): Promise<Record<string, number>> {
    return readMetric(this.#opsUrl, name);
  }

  /** What it still holds: exports, requests, sequences. */
  async held(): Promise<number[]> {
    const names = ["kv_exports", "kv_export_bytes", "running_requests", "waiting_requests"];
    const samples = await Promise.all(names.map((name) => this.metric(`worker_${name}`)));
    return samples.map((sample) => sample[""]!);
  }

  async health(): Promise<unknown> {
    return (await fetch(`${this.#opsUrl}/health`)).json();
  }

  /** Kills the process, and waits until it is gone. */
  async kill(): Promise<void> {
    this.process.signal("SIGKILL");
    await this.process.ended();
  }
}

/** What `held` says when nothing is. */
export const NOTHING = [0, 0, 0, 0];

/** Tokens of the whole answer. */
export const LENGTH = 16;

/** The answer that one worker gives alone. */
export const answerOf = (worker: KvWorker, prompt: Uint32Array): Promise<Answer> =>
  worker.client.generate(requestFor(prompt, { maxTokens: LENGTH }));

export const prefillOf = (worker: KvWorker, prompt: Uint32Array): Promise<PrefillCall> =>
  worker.client.prefill(requestFor(prompt, { maxTokens: LENGTH }));

/** The request for the decode worker. */
export const continuation = (prompt: Uint32Array, call: PrefillCall, change: object = {}) =>
  requestFor(Uint32Array.from([...prompt, ...call.tokens]), {
    maxTokens: LENGTH - call.tokens.length,
    kvSource: { ...call.response.kv!, ...change },
  });
