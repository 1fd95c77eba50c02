import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FromProcess, ProjectorKinds, ProjectorOptions, ToProcess } from "./messages.ts";

/** What a medium became, or why there is nothing. */
export type EncodeEnd = Extract<FromProcess, { kind: "encoded" | "refused" | "failed" }>;
export type MeasureEnd = Extract<FromProcess, { kind: "measured" | "refused" | "failed" }>;

/**
 * mtmd with a projector, in a process of its own, because a decoder that crashes on a client's bytes must not end requests.
 * It does one thing at a time; after a crash, the next one starts it again.
 */
export class MediaProcess {
  readonly #options: ProjectorOptions;
  #child: ChildProcess | undefined;
  #kinds: ProjectorKinds = { vision: false, audio: false };

  private constructor(options: ProjectorOptions) {
    this.#options = options;
  }

  /** @throws Error with the reason if the projector cannot be loaded */
  static async open(options: ProjectorOptions): Promise<MediaProcess> {
    const opened = new MediaProcess(options);
    await opened.#start();
    return opened;
  }

  get kinds(): ProjectorKinds {
    return this.#kinds;
  }

  /**
   * Encodes one medium; the next order must wait for its end.
   * @param most tokens that it may be; if it is more, it is only measured
   */
  encode(data: Uint8Array, most: number): Promise<EncodeEnd | MeasureEnd> {
    return this.#work({ kind: "encode", data, most });
  }

  /** Counts the tokens of one medium; the next order must wait for its end. */
  async measure(data: Uint8Array): Promise<MeasureEnd> {
    const end = await this.#work({ kind: "measure", data });
    return end.kind === "encoded" ? FOREIGN : end;
  }

  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGKILL");
    await ended;
  }

  async #work(order: ToProcess): Promise<EncodeEnd | MeasureEnd> {
    const child = this.#child ?? (await this.#start());
    const end = await this.#reply(child, order, "The process has ended.");
    child.once("exit", () => this.#forget(child));
    if (end.kind === "ready" || end.kind === "unready") return FOREIGN;
    if (end.kind === "failed") this.#discard(child);
    return end;
  }

  async #start(): Promise<ChildProcess> {
    const child = fork(fileURLToPath(new URL("process.ts", import.meta.url)), [], {
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      serialization: "advanced",
      // Without a PATH, llama.cpp finds no program to decode with.
      // Its threads sleep while they wait, because others compute meanwhile.
      env: { ...process.env, PATH: "", OMP_WAIT_POLICY: "PASSIVE" },
      execArgv: [],
    });
    const reply = await this.#reply(child, { kind: "open", ...this.#options }, ENDED);
    if (reply.kind !== "ready") {
      child.kill("SIGKILL");
      const reason = "message" in reply ? reply.message : `it answered ${reply.kind}`;
      throw new Error(`Cannot load the projector ${this.#options.projectorPath}: ${reason}.`);
    }
    child.once("exit", () => this.#forget(child));
    this.#kinds = reply.kinds;
    this.#child = child;
    return child;
  }

  /** @param ended the failure if the process ends before it replies */
  async #reply(child: ChildProcess, order: ToProcess, ended: string): Promise<FromProcess> {
    try {
      return await new Promise<FromProcess>((resolve) => {
        const fail = (message: string) => resolve({ kind: "failed", message });
        child.once("message", (message: FromProcess) => resolve(message));
        child.once("exit", () => fail(ended));
        child.once("error", ({ message }) => fail(message));
        post(child, order);
      });
    } finally {
      for (const event of ["message", "exit", "error"]) child.removeAllListeners(event);
      // A late error, as of a process that cannot be killed, has no one to tell.
      child.on("error", () => {});
    }
  }

  #discard(child: ChildProcess): void {
    child.kill("SIGKILL");
    this.#forget(child);
  }

  #forget(child: ChildProcess): void {
    if (this.#child === child) this.#child = undefined;
  }
}

const FOREIGN = { kind: "failed", message: "The process answered another order." } as const;

const ENDED = "llama.cpp ended its process, as it does with a file that is no projector";

/** A process that has just ended takes no messages; its exit is reported. */
function post(child: ChildProcess, message: ToProcess): void {
  if (child.connected) child.send(message, () => {});
}
