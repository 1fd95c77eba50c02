import type { DriverContext } from "../driver.ts";
import { isTransferErrorCode, messageOf, TransferError } from "../errors.ts";
import { ByteReader } from "../wire/bytes.ts";
import { type Addon, EventKind, type NativeAgent } from "./addon.ts";

export interface CallResult {
  readonly payload: Buffer;
  readonly number: bigint;
}

interface Pending {
  resolve(result: CallResult): void;
  reject(error: TransferError): void;
}

/** Matches the addon's events to the calls that wait for them. */
export class AgentCalls {
  readonly #native: NativeAgent;
  readonly #context: DriverContext;
  readonly #pending = new Map<number, Pending>();
  readonly #closed = Promise.withResolvers<void>();
  #isClosing = false;
  #nextOperation = 1;
  #nextTransfer = 1;

  /** @throws TransferError `unavailable` if the library cannot be loaded */
  constructor(addon: Addon, library: string, context: DriverContext, parameters: readonly string[]) {
    this.#context = context;
    try {
      this.#native = new addon.NativeAgent(
        library,
        context.id,
        parameters,
        context.stallTimeoutMs * 1_000,
        (kind, operation, code, message, payload, number) => {
          if (kind === EventKind.result) this.#settle(operation, code, message, { payload, number });
          else if (kind === EventKind.notification) this.#notified(payload);
          else if (kind === EventKind.closed) this.#closed.resolve();
        },
      );
    } catch (cause) {
      throw new TransferError("unavailable", messageOf(cause), { cause });
    }
  }

  /** A number for a new transfer. */
  nextTransfer(): number {
    return this.#nextTransfer++;
  }

  /** @throws TransferError with the addon's code */
  call(start: (agent: NativeAgent, operation: number) => void): Promise<CallResult> {
    if (this.#isClosing) return Promise.reject(closed());
    const operation = this.#nextOperation++;
    return new Promise((resolve, reject) => {
      this.#pending.set(operation, { resolve, reject });
      if (this.#pending.size === 1) this.#native.keepAlive(true);
      start(this.#native, operation);
    });
  }

  /** For calls without a result; does nothing once the agent closes, because that ends everything. */
  send(start: (agent: NativeAgent) => void): void {
    if (!this.#isClosing) start(this.#native);
  }

  /** Stops the agent: its transfers are aborted, and it releases requests, peers, memory, backends and itself. */
  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      this.#native.keepAlive(true);
      this.#native.stop();
    }
    await this.#closed.promise;
    for (const { reject } of this.#pending.values()) reject(closed());
    this.#pending.clear();
  }

  #settle(operation: number, code: string, message: string, result: CallResult): void {
    const pending = this.#pending.get(operation);
    if (pending === undefined) return;
    this.#pending.delete(operation);
    if (this.#pending.size === 0 && !this.#isClosing) this.#native.keepAlive(false);
    if (code === "") pending.resolve(result);
    else pending.reject(new TransferError(isTransferErrorCode(code) ? code : "failed", `${message}.`));
  }

  #notified(payload: Buffer): void {
    try {
      const reader = new ByteReader(payload, "The notification");
      const [from, message] = [reader.text(), reader.bytes()];
      this.#context.onNotification(from, message);
    } catch {
      // Not from an agent of ours.
    }
  }
}

const closed = () => new TransferError("aborted", "The agent is closed.");
