import type { HttpCall, HttpError, HttpHead, HttpReceiver, HttpTransport } from "./types.ts";

/**
 * A transport for one request, which alone a fault of its receiver's strikes: the callbacks run in events of sockets,
 * where nobody catches what they throw.
 * @param onFault is told of it, at most once for each callback
 */
export function contained(transport: HttpTransport, onFault: (error: unknown) => void): HttpTransport {
  return {
    call(request, receiver, timeouts) {
      try {
        return transport.call(request, new ContainedReceiver(receiver, onFault), timeouts);
      } catch (error) {
        // Whoever calls is still to take note of the call.
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
