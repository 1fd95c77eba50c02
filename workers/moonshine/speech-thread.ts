import { Worker } from "node:worker_threads";
import { TranscribeRefusedError } from "../transcribe-handler.ts";
import type { FromThread, ThreadData, ToThread } from "./messages.ts";

type Reply = Exclude<FromThread, { kind: "ready" | "unready" }>;

/** Receives a request's messages until the one that ends its wait. */
interface Waiter {
  onText(text: string): void;
  settle(reply: Reply): void;
  reject(error: Error): void;
}

/** The worker's end of the thread that computes. */
export class SpeechThread {
  readonly #thread: Worker;
  readonly #waiters = new Map<number, Waiter>();
  #requests = 0;
  #isClosing = false;

  private constructor(thread: Worker) {
    this.#thread = thread;
    thread.on("message", (message: FromThread) => this.#onMessage(message));
    thread.on("error", (error) => this.#onEnd(error));
    thread.on("exit", () => this.#onEnd(new Error("The thread of the speech model has ended.")));
  }

  /**
   * Starts the thread and loads the model in it.
   * @throws Error with the reason if the model cannot be loaded
   */
  static async open(data: ThreadData): Promise<SpeechThread> {
    const thread = new Worker(new URL("thread.ts", import.meta.url), { workerData: data });
    await new Promise<void>((resolve, reject) => {
      thread.once("message", (message: FromThread) => {
        if (message.kind === "ready") resolve();
        else reject(new Error(message.kind === "unready" ? message.message : "The thread did not start."));
      });
      thread.once("error", reject);
    }).catch(async (error) => {
      await thread.terminate();
      throw error;
    });
    return new SpeechThread(thread);
  }

  /** A request's audio in the thread. Its methods are called one after another. */
  begin(audio: Uint8Array, temperature: number, signal: AbortSignal): SpeechRequest {
    const id = ++this.#requests;
    const cancelled = new Int32Array(new SharedArrayBuffer(4));
    const onAbort = () => Atomics.store(cancelled, 0, 1);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    return {
      begin: async () => {
        const reply = await this.#ask({ kind: "begin", id, audio, temperature, cancelled });
        if (reply.kind !== "begun") throw unexpected(reply);
        return reply;
      },
      next: async (onText) => {
        const reply = await this.#ask({ kind: "next", id }, onText);
        if (reply.kind !== "window") throw unexpected(reply);
        return reply;
      },
      end: () => {
        signal.removeEventListener("abort", onAbort);
        if (!this.#isClosing) this.#send({ kind: "end", id });
      },
    };
  }

  /** Ends the thread once it has done what it was asked. */
  close(): Promise<void> {
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => this.#thread.once("exit", () => resolve()));
    this.#send({ kind: "close" });
    return closed;
  }

  #ask(message: ToThread & { id: number }, onText: (text: string) => void = () => {}): Promise<Reply> {
    return new Promise((settle, reject) => {
      this.#waiters.set(message.id, { onText, settle, reject });
      this.#send(message);
    });
  }

  #send(message: ToThread): void {
    this.#thread.postMessage(message);
  }

  #onMessage(message: FromThread): void {
    if (message.kind === "ready" || message.kind === "unready") return;
    const waiter = this.#waiters.get(message.id);
    if (message.kind === "text") {
      waiter?.onText(message.text);
      return;
    }
    this.#waiters.delete(message.id);
    if (message.kind !== "failed") waiter?.settle(message);
    else if (message.isAudio) waiter?.reject(new TranscribeRefusedError("audio", message.message));
    else waiter?.reject(new Error(message.message));
  }

  /** Without its thread the worker is of no use: it ends, and whoever supervises it starts another one. */
  #onEnd(error: Error): void {
    for (const waiter of this.#waiters.values()) waiter.reject(error);
    this.#waiters.clear();
    if (this.#isClosing) return;
    this.#isClosing = true;
    setImmediate(() => {
      throw error;
    });
  }
}

export interface SpeechRequest {
  /** Decodes the audio. @throws TranscribeRefusedError if it is not audio */
  begin(): Promise<Extract<FromThread, { kind: "begun" }>>;
  /** Hears the next window. @param onText called with text to append, as it is heard */
  next(onText: (text: string) => void): Promise<Extract<FromThread, { kind: "window" }>>;
  /** Frees the audio. */
  end(): void;
}

const unexpected = ({ kind }: Reply) => new Error(`The speech thread answered '${kind}' out of turn.`);
