import type { HttpCall, HttpError, HttpHead, HttpReceiver, HttpTransport } from "./types.ts";

/**
 * A transport for one request that catches errors thrown by its receiver. The callbacks run in socket events, where
 * an uncaught error would end the process.
 * @param onFault called with each error, at most once per callback
 */
export function contained(transport: HttpTransport, onFault: (error: unknown) => void): HttpTransport {
  return {
    call(request, receiver, timeouts) {
      try {
        return transport.call(request, new ContainedReceiver(receiver, onFault), timeouts);
      } catch (error) {
        // Deferred, because the caller does not have the call yet.
        queueMicrotask(() => onFault(error));
        return NO_CALL;
      }
    },
    reply: (...given) => transport.reply(...given),
    close: () => transport.close(),
  };
}

const NO_CALL: HttpCall = { cancel() {}, pause() {}, resume() {} };

class ContainedReceiver implements HttpReceiver {
  readonly #receiver: HttpReceiver;
  readonly #onFault: (error: unknown) => void;

  constructor(receiver: HttpReceiver, onFault: (error: unknown) => void) {
    this.#receiver = receiver;
    this.#onFault = onFault;
  }

  onHead(head: HttpHead): void {
    try {
      this.#receiver.onHead(head);
    } catch (error) {
      this.#onFault(error);
    }
  }

  onBytes(wire: Uint8Array, isFramed: boolean): boolean {
    try {
      return this.#receiver.onBytes(wire, isFramed);
    } catch (error) {
      this.#onFault(error);
      return false;
    }
  }

  onEnd(wire: Uint8Array, isFramed: boolean): boolean {
    try {
      return this.#receiver.onEnd(wire, isFramed);
    } catch (error) {
      this.#onFault(error);
      return false;
    }
  }

  onError(error: HttpError): void {
    try {
      this.#receiver.onError(error);
    } catch (fault) {
      this.#onFault(fault);
    }
  }
}
