import type { NatsLogs } from "#runtime/node";

const ANSWER_MS = 2_000;
/** A maker that has just lost its connection gets a moment to come back, in milliseconds. */
const GRACE_MS = 500;

const CANCEL = "cancel";

/** Who makes responses, in whichever process: NATS knows who listens for messages about them. */
export class Makers {
  readonly #logs: NatsLogs;

  constructor(logs: NatsLogs) {
    this.#logs = logs;
  }

  /** This process makes a response. @returns stops telling so */
  make(id: string, onCancel: () => void): () => void {
    const subscription = this.#logs.connection.subscribe(this.#logs.signalSubject(id), {
      callback: (_error, message) => {
        if (message.string() === CANCEL) onCancel();
        message.respond();
      },
    });
    // Questions that are on their way are still answered.
    return () => void subscription.drain().catch(() => {});
  }

  /** Whether somebody is making a response. */
  async isMade(id: string): Promise<boolean> {
    if (await this.#asks(id)) return true;
    await new Promise((resolve) => setTimeout(resolve, GRACE_MS));
    return this.#asks(id);
  }

  /** Asks the maker to stop, if there is one. It may be suspended, and stops later. */
  async cancel(id: string): Promise<void> {
    this.#logs.connection.publish(this.#logs.signalSubject(id), CANCEL);
    await this.#logs.connection.flush();
  }

  /** Whether somebody says that it makes the response. One who is silent although NATS is there is suspended or dead. */
  async #asks(id: string): Promise<boolean> {
    const { errors } = await import("@nats-io/transport-node");
    try {
      await this.#logs.connection.request(this.#logs.signalSubject(id), "", { timeout: ANSWER_MS });
      return true;
    } catch (error) {
      if (error instanceof errors.NoRespondersError) return false;
      if (error instanceof errors.RequestError && error.isNoResponders()) return false;
      if (!(error instanceof errors.TimeoutError)) throw error;
      // Throws if NATS itself is silent.
      await this.#logs.isThere();
      return false;
    }
  }
}
