import type { Channel } from "../../remote/messages.ts";

/** This process's end of Node's channel to a parent or child process. */
export interface IpcEnd {
  send?: ((message: object) => unknown) | undefined;
  readonly connected: boolean;
  on(event: "message", listener: (message: unknown) => void): unknown;
}

/**
 * Messages over Node's channel between parent and child, which must use structured clone. Messages sent in one turn
 * of the event loop are batched.
 */
export class IpcChannel<Out, In> implements Channel<Out, In> {
  readonly #end: IpcEnd;
  #outgoing: Out[] = [];
  #onMessage: ((message: In) => void) | undefined;
  /** Messages that arrived before `onMessage` was set. */
  #early: In[] = [];

  constructor(end: IpcEnd) {
    this.#end = end;
    end.on("message", (messages) => {
      // Messages that are not lists are between supervisor and child.
      if (Array.isArray(messages)) for (const message of messages as In[]) this.#take(message);
    });
  }

  set onMessage(onMessage: (message: In) => void) {
    this.#onMessage = onMessage;
    for (const message of this.#early.splice(0)) onMessage(message);
  }

  send(message: Out): void {
    this.#outgoing.push(message);
    if (this.#outgoing.length === 1) setImmediate(() => this.#flush());
  }

  #take(message: In): void {
    if (this.#onMessage === undefined) this.#early.push(message);
    else this.#onMessage(message);
  }

  #flush(): void {
    const messages = this.#outgoing;
    this.#outgoing = [];
    // The other end may exit at any moment; the process's supervisor handles that.
    if (this.#end.connected) this.#end.send?.(messages);
  }
}
