import { type ChildProcess, spawn } from "node:child_process";
import { ownArguments } from "../self.ts";
import { type ChildMessage, SUPERVISED } from "../supervisor-link.ts";
import { watchLiveness } from "./liveness.ts";

export interface ChildOptions {
  /** Name for logs: `gateway`, `llama-0`. */
  name: string;
  /** Arguments of the `stator` command. */
  args: readonly string[];
  /** Called at each spawn, first or restart. */
  onStart?(child: ChildProcess): void;
  onReady(url: string): void;
  /** Watches for hangs and returns a function that stops it. Default: polls `/live` at the child's address. */
  watch?(child: ChildProcess, onHang: () => void): () => void;
  /** How long the child can be unresponsive before it is killed, in milliseconds. */
  hangTimeoutMs: number;
  /** Called when the child exits unexpectedly. If this returns true, it is restarted after `delayMs`. */
  onCrash(reason: string, delayMs: number): boolean;
}

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;
/** After this uptime, a child's restart delay is reset. */
const HEALTHY_AFTER_MS = 60_000;

/** A child process that is restarted with backoff when it exits unexpectedly. */
export class SupervisedChild {
  readonly name: string;
  readonly #options: ChildOptions;
  #process: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #isStopping = false;
  #delayMs = FIRST_DELAY_MS;
  #startedAt = 0;
  #restart: NodeJS.Timeout | undefined;
  #stopWatching: (() => void) | undefined;
  #hung = false;

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  start(): void {
    this.#startedAt = Date.now();
    const child = spawn(process.execPath, ownArguments(this.#options.args), {
      env: childEnvironment(this.name),
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
    });
    this.#process = child;
    this.#options.onStart?.(child);
    child.on("message", (message: ChildMessage) => {
      if (message.type === "ready") this.#onReady(child, message.url);
    });
    this.#ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        resolve();
        this.#onExit(signal ?? `exit code ${code}`);
      });
      child.once("error", (error) => {
        resolve();
        this.#onExit(error.message);
      });
    });
  }

  /** Expects the child to exit from now on: a signal to the process group may stop it before `stop` does. */
  expectEnd(): void {
    this.#isStopping = true;
    this.#stopWatching?.();
    clearTimeout(this.#restart);
  }

  /** Asks the child to drain, and kills it if it has not exited by the deadline. */
  async stop(deadlineMs: number): Promise<void> {
    this.expectEnd();
    if (this.#process === undefined) return;
    this.#process.kill("SIGTERM");
    const kill = setTimeout(() => this.#process?.kill("SIGKILL"), deadlineMs);
    await this.#ended;
    clearTimeout(kill);
  }

  #onReady(child: ChildProcess, url: string): void {
    const { onReady, watch, hangTimeoutMs } = this.#options;
    onReady(url);
    const onHang = () => {
      this.#hung = true;
      child.kill("SIGKILL");
    };
    this.#stopWatching?.();
    this.#stopWatching = watch?.(child, onHang) ?? watchLiveness(url, hangTimeoutMs, onHang);
  }

  /** Kills the child at once. */
  kill(): void {
    this.#isStopping = true;
    clearTimeout(this.#restart);
    this.#process?.kill("SIGKILL");
  }

  #onExit(reason: string): void {
    this.#process = undefined;
    this.#stopWatching?.();
    if (this.#isStopping) return;
    const cause = this.#hung ? `it did not answer for ${this.#options.hangTimeoutMs / 1000} s` : reason;
    this.#hung = false;
    if (Date.now() - this.#startedAt > HEALTHY_AFTER_MS) this.#delayMs = FIRST_DELAY_MS;
    if (!this.#options.onCrash(cause, this.#delayMs)) return;
    this.#restart = setTimeout(() => this.start(), this.#delayMs);
    this.#delayMs = Math.min(this.#delayMs * 2, MAX_DELAY_MS);
  }
}

/** Without `STATOR_…` variables: the supervisor passes all options as flags, and a child must not read them twice. */
function childEnvironment(name: string): NodeJS.ProcessEnv {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("STATOR_")));
  return { ...env, [SUPERVISED]: name };
}
