import type { RequestPlaneClient } from "./types.ts";

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;

export interface ReconnectorOptions {
  connect(): Promise<RequestPlaneClient>;
  /** Uses a new connection; resolves when it should be replaced. */
  use(client: RequestPlaneClient): Promise<void>;
  onUnreachable(error: unknown): void;
}

/** Connects until it is stopped, again whenever a connection has ended, with pauses that double while attempts fail. */
export class Reconnector {
  readonly #options: ReconnectorOptions;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(options: ReconnectorOptions) {
    this.#options = options;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  open(): void {
    void this.#run(FIRST_RETRY_MS);
  }

  /** Makes no more connections. Does not close one in use. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#retry);
  }

  async #run(retryMs: number): Promise<void> {
    let nextMs = Math.min(retryMs * 2, LAST_RETRY_MS);
    try {
      const client = await this.#options.connect();
      if (this.#isStopped) return client.close();
      nextMs = FIRST_RETRY_MS;
      await this.#options.use(client);
    } catch (error) {
      this.#options.onUnreachable(error);
    }
    if (!this.#isStopped) this.#retry = setTimeout(() => void this.#run(nextMs), retryMs);
  }
}
