import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { StandInReply, StandInRoute } from "./server.ts";

/** A request's part in a handover of KV blocks. */
export interface Handoff {
  /** The prompt that the KV blocks belong to, from which the answer follows: another one's if they were read too late. */
  readonly tokens: readonly number[];
  /** Whether the prompt is computed elsewhere. */
  readonly isReceived: boolean;
  /** Additional fields of a complete answer, and of its choices. */
  readonly answerFields?: () => Readonly<Record<string, unknown>>;
  readonly choiceFields?: () => Readonly<Record<string, unknown>>;
  /** Waits before the answer ends, as for the decode engine to have fetched the blocks. */
  readonly beforeEnd?: (signal: AbortSignal) => Promise<void>;
}

/** How one engine's requests ask for handovers. */
export interface HandoffDialect {
  /** @returns undefined for a plain request, or a refusal */
  begin(
    body: unknown,
    tokens: readonly number[],
    signal: AbortSignal,
  ): Promise<Handoff | StandInReply | undefined>;
}

/** What another stand-in answers about KV blocks. */
const answerSchema = z.object({
  tokens: z.array(z.number()),
  /** Whether they are still those of the request; if not, they are another one's by now. */
  isValid: z.boolean(),
});

/** The KV blocks that a prefill engine holds for decode engines. */
export class KvExports {
  /** How many requests' blocks are held, and how many leases have run out, reads were too late, and reads were in time. */
  held = 0;
  expired = 0;
  readLate = 0;
  read = 0;
  /** Whether it forgets what it is to hold, as an engine does that restarts. */
  forgets = false;
  readonly #leaseMs: number;
  readonly #tokens = new Map<string, { readonly tokens: readonly number[]; isValid: boolean }>();
  readonly #waiting = new Map<string, () => void>();

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /** @returns the id by which they are read */
  hold(tokens: readonly number[], id: string = randomUUID()): string {
    if (this.forgets) return id;
    const entry = { tokens, isValid: true };
    this.#tokens.set(id, entry);
    this.held++;
    const lease = setTimeout(() => {
      if (!entry.isValid) return;
      entry.isValid = false;
      this.held--;
      this.expired++;
    }, this.#leaseMs);
    lease.unref();
    return id;
  }

  /** Resolves when they have been read. */
  whenRead(id: string, signal: AbortSignal): Promise<void> {
    if (this.#tokens.get(id)?.isValid !== true) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      signal.addEventListener("abort", () => {
        this.#waiting.delete(id);
        this.#free(id);
        resolve();
      });
    });
  }

  /** `GET /stand-in/kv/<id>`: another engine reads them, after which they are freed. */
  readonly route: StandInRoute = ({ path }) => {
    const id = decodeURIComponent(path.split("/").at(-1)!);
    const entry = this.#tokens.get(id);
    if (entry === undefined) return { status: 404, json: {} };
    const { isValid, tokens } = entry;
    if (isValid) this.read++;
    else this.readLate++;
    this.#free(id);
    this.#waiting.get(id)?.();
    this.#waiting.delete(id);
    return { json: { tokens, isValid } };
  };

  /** `GET /stand-in/kv` */
  readonly counts: StandInRoute = () => {
    const { held, expired, readLate, read } = this;
    return { json: { held, expired, readLate, read } };
  };

  #free(id: string): void {
    const entry = this.#tokens.get(id);
    if (entry?.isValid !== true) return;
    entry.isValid = false;
    this.held--;
  }
}

/**
 * Reads KV blocks from another stand-in.
 * @returns the prompt that they belong to; another one if they were read too late; undefined if they cannot be read
 */
export async function readKv(
  origin: string,
  id: string,
  signal: AbortSignal,
): Promise<readonly number[] | undefined> {
  const response = await fetch(`${origin}/stand-in/kv/${encodeURIComponent(id)}`, { signal }).catch(
    () => undefined,
  );
  if (response === undefined || !response.ok) return undefined;
  const { tokens, isValid } = answerSchema.parse(await response.json());
  return isValid ? tokens : tokens.toReversed();
}
