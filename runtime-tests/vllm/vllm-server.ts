import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePortRanges } from "../../runtime/free-ports.ts";

/** Tokens in a KV block: vLLM's CPU attention requires a multiple of 32. */
export const BLOCK_SIZE = 32;
export const MODEL = "tiny";

export interface VllmOptions {
  /** Number of KV blocks. Default: as many as fit into 1 GiB, which no test fills. */
  blocks?: number;
  /** Default true. */
  kvEvents?: boolean;
  prefixCaching?: boolean;
  reportsCachedTokens?: boolean;
  /** Its part in disaggregated serving, with NIXL. Default: none. */
  role?: "prefill" | "decode";
  /** Its part in encoding, with the folder through which embeddings travel. Default: none. */
  encoder?: { role: "producer" | "consumer"; folder: string };
  /** For how long a prefill engine holds KV blocks, in seconds. Default 30. */
  leaseSeconds?: number;
  /** Data-parallel ranks. Default 1. */
  ranks?: number;
  /** Whether it plays a script (`writeScriptedModel`). Default false. */
  isScripted?: boolean;
  /** Whether it takes media (`writeMediaModel`). Default false. */
  takesMedia?: boolean;
  /** Whether it takes LoRA adapters, and loads them while it runs (`updated`). Default: it takes none. */
  loras?: "fixed" | "updated";
}

/** Maximum time until a server answers; two that start together on two busy cores take a minute. */
const START_MS = 240_000;
/** How long killed processes may take to end. Those that nobody reaps stay in their group. */
const END_MS = 10_000;

/** Running servers, which are killed when this process ends. */
const running = new Set<VllmServer>();
process.on("exit", () => {
  for (const server of running) server.kill();
});

/** The Python with vLLM from `npm run test:vllm`. @throws Error if not run by it */
export function vllmPython(): string {
  const python = process.env.VLLM_PYTHON;
  if (python === undefined) throw new Error("Run these tests with `npm run test:vllm`.");
  return python;
}

/** Writes the tiny model's folder, with a tokenizer trained on this project's documents. Different prompts give different answers. */
export const writeTinyModel = (folder: string) => writeModel("tiny_model.py", [], folder);

/** The same for a model that sees, or sees and hears (`media_model.py`). Different media give different answers. */
export const writeMediaModel = (kind: "qwen2vl" | "omni", folder: string) =>
  writeModel("media_model.py", [kind], folder);

/** Writes pictures, sounds and videos into a folder (`media_files.py`). */
export function writeMediaFiles(folder: string): void {
  execFileSync(vllmPython(), [join(import.meta.dirname, "media_files.py"), folder], {
    stdio: ["ignore", 2, 2],
  });
}

/** The same for a model that plays a script: it calls tools (`scripted_model.py`). */
export const writeScriptedModel = (folder: string) => writeModel("scripted_model.py", [], folder);

function writeModel(script: string, flags: string[], folder: string): void {
  const root = join(import.meta.dirname, "..", "..");
  const texts = globSync("{README.md,docs/*.md}", { cwd: root }).sort();
  execFileSync(vllmPython(), [join(import.meta.dirname, script), ...flags, folder, ...texts], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
}

/** Writes a LoRA adapter for the tiny model in this folder. Adapters of different seeds give different answers. */
export function writeTinyLora(model: string, folder: string, seed: number): void {
  const script = join(import.meta.dirname, "tiny_lora.py");
  execFileSync(vllmPython(), [script, model, folder, String(seed)], { stdio: ["ignore", 2, 2] });
}

/** A real vLLM. */
export class VllmServer implements AsyncDisposable {
  readonly url: string;
  /** How long it took to answer, in milliseconds. */
  startMs = 0;
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  #output = "";

  readonly #folder: string;
  readonly #ports: Ports;

  /** Starts a server and waits until it answers. @throws Error with its output if it does not */
  static async start(folder: string, options: VllmOptions = {}): Promise<VllmServer> {
    // Each rank has its own, one after another.
    const [api, events, replay, side] = await freePortRanges(4, options.ranks ?? 1);
    const ports = { api: api!, events: events!, replay: replay!, side: side! };
    return new VllmServer(folder, ports, options).#whenUp();
  }

  private constructor(folder: string, ports: Ports, options: VllmOptions) {
    const { blocks, kvEvents = true, prefixCaching = true, reportsCachedTokens = true } = options;
    const {
      role,
      leaseSeconds = 30,
      ranks = 1,
      isScripted = false,
      takesMedia = false,
      encoder,
      loras,
    } = options;
    this.#folder = folder;
    this.#ports = ports;
    this.url = `http://127.0.0.1:${ports.api}`;
    const kvEventsConfig = {
      enable_kv_cache_events: true,
      publisher: "zmq",
      endpoint: `tcp://*:${ports.events}`,
      replay_endpoint: `tcp://*:${ports.replay}`,
    };
    const args = [
      ["-m", "vllm.entrypoints.openai.api_server", "--model", folder],
      role === undefined ? [] : ["--kv-transfer-config", JSON.stringify(transferConfig(role, leaseSeconds))],
      encoder === undefined
        ? []
        : ["--ec-transfer-config", JSON.stringify(encoderConfig(encoder)), "--enable-request-id-headers"],
      takesMedia ? ["--limit-mm-per-prompt", '{"image":4,"video":2,"audio":4}'] : [],
      isScripted ? ["--reasoning-parser", "qwen3"] : [],
      loras === undefined ? [] : ["--enable-lora", "--max-lora-rank", "8", "--max-loras", "2"],
      ["--seed", "1", "--served-model-name", MODEL, "--host", "127.0.0.1", "--port", String(ports.api)],
      ["--max-model-len", isScripted ? "131072" : "4096", "--dtype", "float32", "--enforce-eager"],
      ["--block-size", String(BLOCK_SIZE), "--gpu-memory-utilization", "0.2"],
      ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"],
      blocks === undefined ? [] : ["--num-gpu-blocks-override", String(blocks)],
      ranks === 1 ? [] : ["--data-parallel-size", String(ranks)],
      [
        prefixCaching && encoder?.role !== "producer"
          ? "--enable-prefix-caching"
          : "--no-enable-prefix-caching",
      ],
      reportsCachedTokens ? ["--enable-prompt-tokens-details"] : [],
      kvEvents && encoder?.role !== "producer" ? ["--kv-events-config", JSON.stringify(kvEventsConfig)] : [],
    ];
    this.#process = spawn(vllmPython(), args.flat(), {
      env: {
        ...process.env,
        HF_HUB_OFFLINE: "1",
        VLLM_NO_USAGE_STATS: "1",
        // A killed server leaves its sockets there. Not TMPDIR, which would hide what earlier servers have compiled.
        VLLM_RPC_BASE_PATH: folder,
        VLLM_SERVER_DEV_MODE: "1",
        // It keeps Responses, for `previous_response_id`.
        VLLM_ENABLE_RESPONSES_API_STORE: "1",
        ...(loras === "updated" && { VLLM_ALLOW_RUNTIME_LORA_UPDATING: "1" }),
        VLLM_CPU_OMP_THREADS_BIND: "nobind",
        VLLM_CPU_KVCACHE_SPACE: "1",
        VLLM_NIXL_SIDE_CHANNEL_HOST: "127.0.0.1",
        VLLM_NIXL_SIDE_CHANNEL_PORT: String(ports.side),
        UCX_TLS: "tcp,sysv,posix,self",
        // Threads that wait for each other spin, and a tiny model needs only one.
        OMP_NUM_THREADS: "1",
        // On busy cores, compiling for the first log probabilities takes longer than the engine waits.
        TORCHDYNAMO_DISABLE: "1",
      },
      stdio: ["ignore", "pipe", "pipe"],
      // In its own process group, because its engine is another process.
      detached: true,
    });
    running.add(this);
    this.#ended = once(this.#process, "close").then(() => running.delete(this));
    for (const stream of [this.#process.stdout!, this.#process.stderr!])
      stream.on("data", (chunk) => {
        this.#output = (this.#output + chunk).slice(-20_000);
      });
  }

  /** Starts it again at the same addresses after it has ended. */
  again(options: VllmOptions = {}): Promise<VllmServer> {
    return new VllmServer(this.#folder, this.#ports, options).#whenUp();
  }

  /** What it has printed lately. */
  get output(): string {
    return this.#output;
  }

  /** Kills all of its processes at once, like a crash. */
  kill(): void {
    try {
      process.kill(-this.#process.pid!, "SIGKILL");
    } catch {
      // It has already ended.
    }
  }

  /** Kills it and waits for the end of all its processes, as a busy machine needs a moment to end the killed. */
  async stop(): Promise<void> {
    this.kill();
    await this.#ended;
    const deadline = performance.now() + END_MS;
    while (this.#hasProcesses && performance.now() < deadline) await sleep(50);
  }

  get #hasProcesses(): boolean {
    try {
      return process.kill(-this.#process.pid!, 0);
    } catch {
      return false;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #whenUp(): Promise<this> {
    const started = performance.now();
    try {
      while (!(await this.#answers())) {
        const { exitCode, signalCode } = this.#process;
        if (exitCode !== null || signalCode !== null)
          throw new Error(`vLLM ended (${signalCode ?? exitCode}):\n${this.#output}`);
        if (performance.now() > started + START_MS) throw new Error(`vLLM is not up:\n${this.#output}`);
        await sleep(200);
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.startMs = performance.now() - started;
    return this;
  }

  #answers(): Promise<boolean> {
    return fetch(`${this.url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  }
}

interface Ports {
  readonly api: number;
  readonly events: number;
  readonly replay: number;
  /** Where NIXL's agents meet. */
  readonly side: number;
}

const transferConfig = (role: "prefill" | "decode", leaseSeconds: number) => ({
  kv_connector: "NixlConnector",
  kv_role: role === "prefill" ? "kv_producer" : "kv_consumer",
  kv_buffer_device: "cpu",
  kv_connector_extra_config: { kv_lease_duration: leaseSeconds },
});

const encoderConfig = ({ role, folder }: NonNullable<VllmOptions["encoder"]>) => ({
  ec_connector: "ECExampleConnector",
  ec_role: `ec_${role}`,
  ec_connector_extra_config: { shared_storage_path: folder },
});
