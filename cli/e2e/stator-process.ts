import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEveryFile } from "../../scripts/testing/after-tests.ts";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

/** Running processes; all are stopped after the test file, whatever its tests do. */
const running = new Set<StatorProcess>();

afterEveryFile(async () => {
  for (const stator of running) stator.signal("SIGKILL");
  await Promise.all(Array.from(running, (stator) => stator.ended()));
});

/** A `stator` command in a separate process, as a user would start it. */
export class StatorProcess {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  #listeners: (() => void)[] = [];
  stdout = "";
  stderr = "";

  /** @param launcher the program that runs the command, such as npm */
  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}, launcher = [process.execPath, main]) {
    this.#process = spawn(launcher[0]!, [...launcher.slice(1), ...args], {
      // There is no load balancer to wait for.
      env: { ...withoutStator(process.env), STATOR_DRAIN_DELAY: "0", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      // A separate process group, so that signals to it do not reach the test runner.
      detached: true,
    });
    running.add(this);
    this.#ended = once(this.#process, "close").then(() => {
      running.delete(this);
      this.#wake();
    });
    this.#process.stdout!.on("data", (chunk) => this.#hear(() => (this.stdout += chunk)));
    this.#process.stderr!.on("data", (chunk) => this.#hear(() => (this.stderr += chunk)));
  }

  get pid(): number {
    return this.#process.pid!;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** The gateway's URL, once the command has announced that it is ready. */
  async url(): Promise<string> {
    const [, url] = await this.printed(/ at (http:\/\/[^\s/]+)\/v1 with /);
    return url!;
  }

  /**
   * Waits for output that matches `pattern`.
   * @throws Error with the output if the process exits without it
   */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(`${this.stdout}\n${this.stderr}`);
      if (match !== null) return match;
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) {
        await this.#ended;
        const last = pattern.exec(`${this.stdout}\n${this.stderr}`);
        if (last !== null) return last;
        throw new Error(`stator ended without printing ${pattern}:\n${this.stdout}\n${this.stderr}`);
      }
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
  }

  /** Sends a signal only to the process. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Sends a signal to the whole process group, as a terminal does for Ctrl-C. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  /** Waits for the exit. @returns the exit code, or the signal's name */
  async ended(): Promise<number | NodeJS.Signals> {
    await this.#ended;
    return this.#process.exitCode ?? this.#process.signalCode!;
  }

  /** Stops the process cleanly, whatever it is doing. */
  async stop(): Promise<number | NodeJS.Signals> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.signal("SIGTERM");
    return this.ended();
  }

  #hear(append: () => void): void {
    append();
    this.#wake();
  }

  #wake(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}

/** `stator up` on a free port, with the default model unless given another. */
export const startUp = (...args: string[]) => new StatorProcess(["up", "--port=0", "--config=none", ...args]);

function withoutStator(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("STATOR_")));
}

/** The same through `npm start` in this checkout. */
export const startByNpm = (...args: string[]) =>
  new StatorProcess(["--port=0", "--config=none", ...args], {}, ["npm", "start", "--"]);
