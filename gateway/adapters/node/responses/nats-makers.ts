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
    if (await this.#ask(id, "")) return true;
    await new Promise((resolve) => setTimeout(resolve, GRACE_MS));
    return this.#ask(id, "");
  }

  async cancel(id: string): Promise<void> {
    await this.#ask(id, CANCEL);
  }

  /** @returns false if nobody makes the response */
  async #ask(id: string, question: string, mayRepeat = true): Promise<boolean> {
    const { errors } = await import("@nats-io/transport-node");
    try {
      await this.#logs.connection.request(this.#logs.signalSubject(id), question, { timeout: ANSWER_MS });
      return true;
    } catch (error) {
      if (error instanceof errors.NoRespondersError) return false;
      if (error instanceof errors.RequestError && error.isNoResponders()) return false;
      // It may have ended meanwhile.
      if (error instanceof errors.TimeoutError && mayRepeat) return this.#ask(id, question, false);
      throw error;
    }
  }
}
