import type { JsonValue } from "./discovery/types.ts";
import { type Instance, instanceValue } from "./model-card.ts";
import type { Handler, ServerCall } from "./request-plane/types.ts";

/**
 * The endpoint at which a worker or a gateway says what it is: its value for discovery, as JSON; a worker again with
 * `drainWithinMs` once it is leaving. The call ends with that message.
 */
export const instanceEndpoint = "instance";

/** The side of that endpoint that says so. */
export class InstanceAnnouncer {
  readonly #calls = new Set<ServerCall>();
  #message: Uint8Array | undefined;
  #isLeaving = false;

  /** Callers that come before the first announcement wait for it. */
  readonly handler: Handler = (_payload, call) => {
    this.#calls.add(call);
    call.signal.addEventListener("abort", () => this.#calls.delete(call), { once: true });
    this.#send(call);
  };

  /** Tells all callers what the worker is now. */
  announce(instance: Instance): void {
    this.#isLeaving = instance.drainWithinMs !== undefined;
    this.announceValue(instanceValue(instance));
  }

  /** The same for any value of discovery. */
  announceValue(value: { [key: string]: JsonValue }): void {
    this.#message = new TextEncoder().encode(JSON.stringify(value));
    for (const call of [...this.#calls]) this.#send(call);
  }

  #send(call: ServerCall): void {
    if (this.#message === undefined) return;
    call.send(this.#message);
    if (!this.#isLeaving) return;
    // A draining worker waits for its calls to end.
    this.#calls.delete(call);
    call.end();
  }
}

/** Decodes a message of that endpoint. @returns undefined if it is something else */
export function decodeAnnouncement(bytes: Uint8Array): { [key: string]: JsonValue } | undefined {
  try {
    const value = JSON.parse(new TextDecoder().decode(bytes)) as JsonValue;
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as { [key: string]: JsonValue })
      : undefined;
  } catch {
    return undefined;
  }
}
