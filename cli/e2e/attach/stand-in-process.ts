import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Faults } from "#stand-ins";
import { afterEveryFile } from "../../../scripts/testing/after-tests.ts";

const main = fileURLToPath(new URL("../../../stand-ins/main.ts", import.meta.url));

const running = new Set<ChildProcess>();

afterEveryFile(async () => {
  await Promise.all(
    Array.from(running, async (child) => {
      child.kill("SIGKILL");
      await once(child, "exit");
    }),
  );
});

interface Ready {
  url: string;
  port: number;
  kvEvents?: { endpoint: string; replayEndpoint: string | null }[];
}

/** An engine's stand-in in a separate process, which can be killed and restarted on the same port. */
export class StandInProcess {
  readonly #kind: string;
  readonly #args: readonly string[];
  #child: ChildProcess;
  #ready: Ready;

  static async start(kind: string, ...args: string[]): Promise<StandInProcess> {
    const { child, ready } = await launch(kind, ["--port=0", ...args]);
    return new StandInProcess(kind, args, child, ready);
  }

  private constructor(kind: string, args: readonly string[], child: ChildProcess, ready: Ready) {
    this.#kind = kind;
    this.#args = args;
    this.#child = child;
    this.#ready = ready;
  }

  get url(): string {
    return this.#ready.url;
  }

  /** Host and port, which are its name in the gateway. */
  get name(): string {
    return new URL(this.url).host;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  /** Restarts it on the same port. */
  async restart(): Promise<void> {
    await this.#restart([`--port=${this.#ready.port}`]);
  }

  /** Restarts it on any free port: while it is down, another process can take its own. */
  async restartAnywhere(): Promise<void> {
    await this.#restart(["--port=0"]);
  }

  async #restart(port: readonly string[]): Promise<void> {
    await this.kill();
    const { child, ready } = await launch(this.#kind, [...port, ...this.#args]);
    this.#child = child;
    this.#ready = ready;
  }

  async faults(faults: Partial<Faults>): Promise<void> {
    await fetch(`${this.url}/stand-in/faults`, { method: "POST", body: JSON.stringify(faults) });
  }
}

async function launch(kind: string, args: readonly string[]): Promise<{ child: ChildProcess; ready: Ready }> {
  const child = spawn(process.execPath, [main, kind, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  let line = "";
  for await (const part of child.stdout!) {
    line += String(part);
    if (line.includes("\n")) break;
  }
  child.stdout!.resume();
  if (line === "") throw new Error(`The stand-in did not start: ${[kind, ...args].join(" ")}`);
  return { child, ready: JSON.parse(line) };
}
