import type { Channel } from "../../remote/messages.ts";

/** This process's end of Node's channel to a parent or child process. */
export interface IpcEnd {
  send?: ((message: object) => unknown) | undefined;
  readonly connected: boolean;
  on(event: "message", listener: (message: unknown) => void): unknown;
}

/**
 * Messages over Node's channel between parent and child, which must serialize by structured clone. What is sent in one
 * turn of the event loop goes as one.
 */
export class IpcChannel<Out, In> implements Channel<Out, In> {
  readonly #end: IpcEnd;
  #waiting: Out[] = [];
  #onMessage: ((message: In) => void) | undefined;
  /** What came before anybody listened. */
  #early: In[] = [];

  constructor(end: IpcEnd) {
    this.#end = end;
    end.on("message", (messages) => {
      // What is no list is between supervisor and child.
      if (Array.isArray(messages)) for (const message of messages as In[]) this.#take(message);
    });
  }

  set onMessage(onMessage: (message: In) => void) {
    this.#onMessage = onMessage;
    for (const message of this.#early.splice(0)) onMessage(message);
  }

  send(message: Out): void {
    this.#waiting.push(message);
    if (this.#waiting.length === 1) setImmediate(() => this.#flush());
  }

  #take(message: In): void {
    if (this.#onMessage === undefined) this.#early.push(message);
    else this.#onMessage(message);
  }

  #flush(): void {
    const messages = this.#waiting;
    this.#waiting = [];
    // The other end may go at any moment; whoever watches the process sees to what becomes of that.
    if (this.#end.connected) this.#end.send?.(messages);
  }
}
