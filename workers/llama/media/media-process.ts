import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type {
  AnsweredToken,
  FromProcess,
  MediaEnd,
  MediaModelOptions,
  MediaQuestion,
  ProjectorKinds,
  ToProcess,
} from "./messages.ts";

export interface AnswerHandler {
  /** @param promptTokens with those of its media */
  onBegun(promptTokens: number): void;
  onToken(token: AnsweredToken): void;
}

/** What a medium became, or why there is nothing. */
export type EncodeEnd = Extract<FromProcess, { kind: "encoded" | "refused" | "failed" }>;

/**
 * llama.cpp with a projector, in a process of its own, because a decoder that crashes on a client's bytes must not end
 * other requests. It does one thing at a time; after a crash, the next one starts it again.
 */
export class MediaProcess {
  readonly #options: MediaModelOptions;
  #child: ChildProcess | undefined;
  #kinds: ProjectorKinds = { vision: false, audio: false };

  private constructor(options: MediaModelOptions) {
    this.#options = options;
  }

  /** @throws Error with the reason if the projector cannot be loaded */
  static async open(options: MediaModelOptions): Promise<MediaProcess> {
    const opened = new MediaProcess(options);
    await opened.#start();
    return opened;
  }

  get kinds(): ProjectorKinds {
    return this.#kinds;
  }

  /**
   * Answers one prompt; the next one must wait for its end.
   * @returns how it ended
   */
  async ask(question: MediaQuestion, handler: AnswerHandler, signal: AbortSignal): Promise<MediaEnd> {
    const end = await this.#work(
      question,
      (message) => {
        if (message.kind === "begun") handler.onBegun(message.promptTokens);
        else if (message.kind === "token") handler.onToken(message);
      },
      signal,
    );
    return end.kind === "encoded" ? FOREIGN : end;
  }

  /** Encodes one medium; the next one must wait for its end. */
  async encode(data: Uint8Array): Promise<EncodeEnd> {
    const end = await this.#work({ kind: "encode", data }, () => {});
    return end.kind === "done" ? FOREIGN : end;
  }

  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGKILL");
    await ended;
  }

  /** @param onMessage is called with all messages but the last */
  async #work(
    order: ToProcess,
    onMessage: (message: FromProcess) => void,
    signal?: AbortSignal,
  ): Promise<WorkEnd> {
    const child = this.#child ?? (await this.#start());
    const end = new Promise<WorkEnd>((resolve) => {
      child.on("message", (message: FromProcess) => {
        if (isEnd(message)) resolve(message);
        else onMessage(message);
      });
      child.once("exit", () => resolve({ kind: "failed", message: "The process has ended." }));
    });
    const stop = () => post(child, { kind: "stop" });
    signal?.addEventListener("abort", stop);
    try {
      post(child, order);
      if (signal?.aborted) stop();
      const result = await end;
      if (result.kind === "failed") this.#discard(child);
      return result;
    } finally {
      signal?.removeEventListener("abort", stop);
      child.removeAllListeners("message");
      child.removeAllListeners("exit");
      child.once("exit", () => this.#forget(child));
    }
  }

  async #start(): Promise<ChildProcess> {
    const child = fork(fileURLToPath(new URL("process.ts", import.meta.url)), [], {
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      serialization: "advanced",
      // Without a PATH, llama.cpp finds no program to decode with.
      env: { ...process.env, PATH: "" },
      execArgv: [],
    });
    const reply = await new Promise<FromProcess>((resolve) => {
      child.once("message", (message: FromProcess) => resolve(message));
      child.once("exit", () => resolve({ kind: "unready", message: ENDED }));
      child.once("error", ({ message }) => resolve({ kind: "unready", message }));
      post(child, { kind: "open", ...this.#options });
    });
    if (reply.kind !== "ready") {
      child.kill("SIGKILL");
      const reason = reply.kind === "unready" ? reply.message : `it answered ${reply.kind}`;
      throw new Error(`Cannot load the projector ${this.#options.projectorPath}: ${reason}.`);
    }
    child.removeAllListeners("exit");
    child.once("exit", () => this.#forget(child));
    this.#kinds = reply.kinds;
    this.#child = child;
    return child;
  }

  #discard(child: ChildProcess): void {
    child.kill("SIGKILL");
    this.#forget(child);
  }

  #forget(child: ChildProcess): void {
    if (this.#child === child) this.#child = undefined;
  }
}

type WorkEnd = Extract<FromProcess, { kind: "encoded" | "done" | "refused" | "failed" }>;

const isEnd = (message: FromProcess): message is WorkEnd => ENDS.has(message.kind);
const ENDS = new Set<FromProcess["kind"]>(["encoded", "done", "refused", "failed"]);

const FOREIGN = { kind: "failed", message: "The process answered another question." } as const;

const ENDED = "llama.cpp ended its process, as it does with a file that is no projector";

/** A process that has just ended takes no messages; its exit is reported. */
function post(child: ChildProcess, message: ToProcess): void {
  if (child.connected) child.send(message, () => {});
}
