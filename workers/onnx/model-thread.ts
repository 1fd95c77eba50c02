import { Worker } from "node:worker_threads";
import type { FromThread, ThreadRequest, ToThread } from "./messages.ts";

/** How a thread is started. */
export interface ThreadOptions {
  /** The file that it runs, which calls `serveModel`. */
  readonly script: URL;
  /** What it needs to load the model. */
  readonly data: object;
  /** What it computes, for messages: `the speech model`. */
  readonly model: string;
  /** The error for a request that the thread refused. */
  toRefusal(refusal: string, message: string): Error;
}

/** Receives a request's parts until its result. */
interface Waiter<Part, Result> {
  onPart(part: Part): void;
  settle(result: Result): void;
  reject(error: Error): void;
}

/**
 * The worker's end of a thread in which a model computes: ONNX Runtime's Node binding would keep the worker's own thread from
 * answering anyone.
 */
export class ModelThread<Request extends ThreadRequest, Part, Result> {
  readonly #thread: Worker;
  readonly #toRefusal: ThreadOptions["toRefusal"];
  readonly #waiters = new Map<number, Waiter<Part, Result>>();
  #requests = 0;
  #isClosing = false;

  private constructor(thread: Worker, { model, toRefusal }: ThreadOptions) {
    this.#thread = thread;
    this.#toRefusal = toRefusal;
    thread.on("message", (message: FromThread<Part, Result>) => this.#onMessage(message));
    thread.on("error", (error) => this.#onEnd(error));
    thread.on("exit", () => this.#onEnd(new Error(`The thread of ${model} has ended.`)));
  }

  /**
   * Starts the thread and loads the model in it.
   * @throws Error with the reason if the model cannot be loaded
   */
  static async open<Request extends ThreadRequest, Part, Result>(
    options: ThreadOptions,
  ): Promise<ModelThread<Request, Part, Result>> {
    const thread = new Worker(options.script, { workerData: options.data });
    await new Promise<void>((resolve, reject) => {
      thread.once("message", (message: FromThread<Part, Result>) => {
        if (message.kind === "ready") resolve();
        else reject(new Error(message.kind === "unready" ? message.message : "The thread did not start."));
      });
      thread.once("error", reject);
    }).catch(async (error) => {
      await thread.terminate();
      throw error;
    });
    return new ModelThread(thread, options);
  }

  /** An id for a new request. */
  nextId(): number {
    return ++this.#requests;
  }

  /**
   * Sends a request and awaits its result; one at a time for each id.
   * @param onPart called with what comes before the result
   * @param transfer memory that moves to the thread
   * @throws Error of `toRefusal` if the request is to blame
   */
  ask(
    request: Request,
    onPart: (part: Part) => void = () => {},
    transfer: ArrayBuffer[] = [],
  ): Promise<Result> {
    if (this.#isClosing) return Promise.reject(new Error("The thread is closed."));
    return new Promise((settle, reject) => {
      this.#waiters.set(request.id, { onPart, settle, reject });
      this.#post(request, transfer);
    });
  }

  /** Sends a request that has no result. */
  tell(request: Request): void {
    if (!this.#isClosing) this.#post(request);
  }

  /** Ends the thread once it has done what it was asked. */
  close(): Promise<void> {
    if (this.#isClosing) return Promise.resolve();
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => this.#thread.once("exit", () => resolve()));
    this.#post({ kind: "close" });
    return closed;
  }

  #post(message: ToThread<Request>, transfer: ArrayBuffer[] = []): void {
    this.#thread.postMessage(message, transfer);
  }

  #onMessage(message: FromThread<Part, Result>): void {
    if (message.kind === "ready" || message.kind === "unready") return;
    const waiter = this.#waiters.get(message.id);
    if (message.kind === "part") {
      waiter?.onPart(message.part);
      return;
    }
    this.#waiters.delete(message.id);
    if (message.kind === "done") waiter?.settle(message.result);
    else if (message.refusal === undefined) waiter?.reject(new Error(message.message));
    else waiter?.reject(this.#toRefusal(message.refusal, message.message));
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
