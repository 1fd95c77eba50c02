import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type Usage, usageOf } from "./process-usage.ts";

/** A command that runs in the background in its own process group, and ends with the benchmark. */
export class Background {
  readonly #child: ChildProcess;
  readonly #name: string;
  /** The end of its output. */
  #output = "";
  #problem: string | undefined;

  constructor(name: string, [program, ...args]: readonly string[]) {
    this.#name = name;
    this.#child = spawn(program!, args, { stdio: ["pipe", "pipe", "pipe"], detached: true });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-2000);
      });
    this.#child.on("error", (error) => {
      this.#problem = error.message;
    });
    process.on("exit", this.#kill);
  }

  /** @throws Error with the end of its output, if it has ended */
  check(): void {
    const { exitCode, signalCode } = this.#child;
    const problem = this.#problem ?? exitCode ?? signalCode;
    if (problem !== null) throw new Error(`${this.#name} ended (${problem}):\n${this.#output.trim()}`);
  }

  usage(): Usage {
    this.check();
    return usageOf(this.#child.pid!);
  }

  /** The first line of its output. */
  async firstLine(): Promise<string> {
    while (!this.#output.includes("\n")) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      this.check();
    }
    return this.#output.slice(0, this.#output.indexOf("\n"));
  }

  async stop(): Promise<void> {
    if (this.#problem !== undefined || this.#child.exitCode !== null || this.#child.signalCode !== null)
      return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    const late = setTimeout(this.#kill, 5_000);
    await exited;
    clearTimeout(late);
    process.off("exit", this.#kill);
    this.#kill();
  }

  /** Kills the remaining processes of the group. */
  readonly #kill = (): void => {
    try {
      process.kill(-this.#child.pid!, "SIGKILL");
    } catch {
      // None are left.
    }
  };
}
