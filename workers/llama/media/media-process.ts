import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FromProcess, MediaEnd, MediaQuestion, ToProcess } from "./messages.ts";

export interface MediaProcessOptions {
  /** The binding's path. */
  readonly binding: string;
  readonly modelPath: string;
  readonly projectorPath: string;
  readonly contextLength: number;
  readonly threads: number;
}

export interface AnswerHandler {
  /** @param promptTokens with those of its media */
  onBegun(promptTokens: number): void;
  onText(text: string): void;
}

/** The kinds of media that a projector takes. */
export interface ProjectorKinds {
  readonly vision: boolean;
  readonly audio: boolean;
}

/**
 * llama.cpp with a projector, in a process of its own: the binding prints prompts and the beginnings of pictures, which
 * belong into no log, and a decoder that crashes on a client's bytes must not end other requests. It answers one prompt
 * at a time; after a crash, the next one starts it again.
 */
export class MediaProcess {
  readonly #options: MediaProcessOptions;
  #child: ChildProcess | undefined;
  #kinds: ProjectorKinds = { vision: false, audio: false };

  private constructor(options: MediaProcessOptions) {
    this.#options = options;
  }

  /** @throws Error with the reason if the projector cannot be loaded */
  static async open(options: MediaProcessOptions): Promise<MediaProcess> {
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
    const child = this.#child ?? (await this.#start());
    const end = new Promise<MediaEnd>((resolve) => {
      const onMessage = (message: FromProcess) => {
        if (message.kind === "begun") handler.onBegun(message.promptTokens);
        else if (message.kind === "text") handler.onText(message.text);
        else if (message.kind !== "ready" && message.kind !== "unready") resolve(message);
      };
      const onExit = () => resolve({ kind: "failed", message: "The process has ended." });
      child.on("message", onMessage);
      child.once("exit", onExit);
    });
    const stop = () => post(child, { kind: "stop" });
    signal.addEventListener("abort", stop);
    try {
      post(child, question);
      if (signal.aborted) stop();
      const result = await end;
      if (result.kind === "failed") this.#discard(child);
      return result;
    } finally {
      signal.removeEventListener("abort", stop);
      child.removeAllListeners("message");
      child.removeAllListeners("exit");
      child.once("exit", () => this.#forget(child));
    }
  }

  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGKILL");
    await ended;
  }

  async #start(): Promise<ChildProcess> {
    const child = fork(fileURLToPath(new URL("process.ts", import.meta.url)), [], {
      stdio: ["ignore", "ignore", "ignore", "ipc"],
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
    this.#kinds = { vision: reply.vision, audio: reply.audio };
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

const ENDED = "llama.cpp ended its process, as it does with a file that is no projector";

/** A process that has just ended takes no messages; its exit is reported. */
function post(child: ChildProcess, message: ToProcess): void {
  if (child.connected) child.send(message, () => {});
}
