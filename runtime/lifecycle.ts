import { constants } from "node:os";
import { endProcess } from "./end-process.ts";
import type { LogFields, Logger } from "./log.ts";

export interface LifecycleOptions {
  log: Logger;
  /** Milliseconds for all steps together; after that the process exits with code 1. Default 30,000. */
  deadlineMs?: number;
  /**
   * Whether a supervisor started this process, with an IPC channel to it. Then the process leaves Ctrl-C, which
   * reaches the whole group, to the supervisor, shuts down when the channel closes (a killed supervisor cannot send
   * signals), and logs clean shutdowns only at level debug. Default false.
   */
  supervised?: boolean;
  /**
   * Signals within this many milliseconds count as one: Ctrl-C reaches the whole process group, and parents such as
   * npm forward it once more. Default 500.
   */
  sameStopMs?: number;
}

/** `remainingMs`: how much of the deadline is left. */
export type ShutdownStep = (remainingMs: number) => void | Promise<void>;

/** The shutdown of this process. */
export interface Lifecycle {
  /** Aborted when the shutdown begins; the reason is its cause as text. */
  readonly stopping: AbortSignal;
  /** Adds a shutdown step; steps run one after another, in the order added. */
  onShutdown(name: string, step: ShutdownStep): void;
  /** Begins the shutdown, unless it has begun; then the process exits with `exitCode` (default 0). */
  shutdown(reason: string, exitCode?: number): void;
}

/**
 * Manages this process's shutdown; call it once, early. SIGTERM, SIGINT and SIGHUP (a closed terminal) run the shutdown
 * steps and exit with code 0, or 1 if a step failed; a later second signal exits at once. An uncaught exception or
 * rejection is logged with its stack, and the process shuts down with code 1.
 *
 * @example
 * const lifecycle = manageLifecycle({ log });
 * lifecycle.onShutdown("drain calls", (remainingMs) => server.drain(remainingMs));
 */
export function manageLifecycle(options: LifecycleOptions): Lifecycle {
  const lifecycle = new ProcessLifecycle(options);
  const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
  for (const signal of signals) {
    const ignored = signal === "SIGINT" && options.supervised;
    process.on(signal, () => {
      if (!ignored) lifecycle.signalled(signal);
    });
  }
  process.on("uncaughtException", (error, origin) => lifecycle.crashed(error, origin));
  if (options.supervised) {
    if (process.connected) process.once("disconnect", () => lifecycle.shutdown("the supervisor is gone"));
    else options.log.warn("no channel to a supervisor: this process will not notice if it is killed");
  }
  // The reader of our output may be gone; that must not abort the shutdown.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  return lifecycle;
}

class ProcessLifecycle implements Lifecycle {
  readonly #log: Logger;
  readonly #deadlineMs: number;
  readonly #sameStopMs: number;
  readonly #isSupervised: boolean;
  readonly #stopping = new AbortController();
  readonly #steps: { name: string; step: ShutdownStep }[] = [];
  #exitCode = 0;
  #signalledAt = Number.NEGATIVE_INFINITY;

  constructor({ log, deadlineMs = 30_000, sameStopMs = 500, supervised = false }: LifecycleOptions) {
    this.#log = log;
    this.#isSupervised = supervised;
    this.#deadlineMs = deadlineMs;
    this.#sameStopMs = sameStopMs;
  }

  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  onShutdown(name: string, step: ShutdownStep): void {
    this.#steps.push({ name, step });
  }

  shutdown(reason: string, exitCode = 0): void {
    this.#exitCode ||= exitCode;
    if (this.#stopping.signal.aborted) return;
    this.#logProgress("shutting down", { reason });
    this.#stopping.abort(reason);
    void this.#run();
  }

  signalled(signal: "SIGTERM" | "SIGINT" | "SIGHUP"): void {
    if (performance.now() - this.#signalledAt < this.#sameStopMs) return;
    this.#signalledAt = performance.now();
    if (this.#stopping.signal.aborted) {
      this.#log.warn("exiting at once", { signal });
      process.exit(128 + constants.signals[signal]);
    }
    this.shutdown(signal);
  }

  crashed(error: Error, origin: string): void {
    this.#log.error(origin === "unhandledRejection" ? "unhandled rejection" : "uncaught exception", {
      error,
    });
    this.shutdown("a crash", 1);
  }

  #logProgress(message: string, fields: LogFields): void {
    if (this.#isSupervised && this.#exitCode === 0) this.#log.debug(message, fields);
    else this.#log.info(message, fields);
  }

  async #run(): Promise<void> {
    const end = performance.now() + this.#deadlineMs;
    let current = "";
    setTimeout(() => {
      this.#log.error("shutdown took too long", { step: current, deadlineMs: this.#deadlineMs });
      process.exit(1);
    }, this.#deadlineMs);
    for (const { name, step } of this.#steps) {
      current = name;
      this.#log.debug("shutdown step", { step: name });
      try {
        await step(Math.max(0, end - performance.now()));
      } catch (error) {
        this.#log.error("shutdown step failed", { step: name, error });
        this.#exitCode ||= 1;
      }
    }
    this.#logProgress("stopped", { exitCode: this.#exitCode });
    await endProcess(this.#exitCode);
  }
}
