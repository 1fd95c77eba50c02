import { type GenerateRequest, type KvSource, type KvTransfer, type Logger, messageOf } from "#runtime";
import type { Delta, Engine } from "../engine.ts";
import type { KvAgent } from "./agent.ts";
import { KvReading, type TransferBounds } from "./reading.ts";
import { KvUnusableError } from "./types.ts";

/** A delta, with what became of the request's `kvSource` before the first token. */
export interface ImportedDelta extends Delta {
  readonly transfer?: KvTransfer;
}

export interface KvImporterOptions {
  readonly engine: Engine;
  readonly agent: KvAgent;
  readonly bounds: TransferBounds;
  readonly log: Logger;
  /** Called with every transfer, whatever its outcome; the kind is `none` if it ended before one was chosen. */
  onTransfer(transfer: KvTransfer, kind: string): void;
}

type ImportRequest = GenerateRequest & { kvSource: KvSource };

/** Answers requests that name exported KV: from that KV if it can be had, else by computing the prompt. */
export class KvImporter {
  readonly #options: KvImporterOptions;

  constructor(options: KvImporterOptions) {
    this.#options = options;
  }

  /** Like the engine's `generate`. The first delta has `transfer`. */
  async *generate(request: ImportRequest, signal: AbortSignal): AsyncGenerator<ImportedDelta> {
    const { kvSource, ...rest } = request;
    const attempt = new Attempt(request);
    try {
      const deltas = await this.#import(rest, kvSource, attempt, signal);
      if (deltas !== undefined) {
        yield* deltas;
        return;
      }
    } finally {
      attempt.end();
    }
    if (signal.aborted) return;
    yield { tokenIds: [], transfer: this.#report(attempt) };
    yield* this.#options.engine.generate(rest, signal);
  }

  /** @returns the answer, or undefined if the KV is of no use, with the reason in `attempt` */
  async #import(
    request: GenerateRequest,
    source: KvSource,
    attempt: Attempt,
    signal: AbortSignal,
  ): Promise<AsyncIterable<ImportedDelta> | undefined> {
    const { engine, agent, bounds, log } = this.#options;
    try {
      checkSource(engine, request, source);
      await agent.open();
      log.debug("reading KV", { request: request.requestId, tokens: source.tokens, bytes: source.bytes });
      const kv = new KvReading(source, agent, bounds, signal);
      attempt.reading = kv;
      const deltas = engine.importKv!(request, kv, signal)[Symbol.asyncIterator]();
      const step = deltas.next();
      const first = await kv.within(step).catch((error: unknown) => {
        // It may be busy with what has just been given up, and must end on its own.
        step.catch(() => {});
        deltas.return?.()?.catch(() => {});
        throw error;
      });
      attempt.end();
      if (first.done) return none();
      return this.#answer({ ...first.value, transfer: this.#report(attempt) }, deltas);
    } catch (error) {
      if (signal.aborted) throw error;
      attempt.failure =
        error instanceof KvUnusableError
          ? error
          : new KvUnusableError("failed", messageOf(error), { cause: error });
      return undefined;
    }
  }

  async *#answer(first: ImportedDelta, deltas: AsyncIterator<Delta>): AsyncGenerator<ImportedDelta> {
    try {
      yield first;
      for (;;) {
        const { done, value } = await deltas.next();
        if (done) return;
        yield value;
      }
    } finally {
      await deltas.return?.();
    }
  }

  #report(attempt: Attempt): KvTransfer {
    const { request, failure, milliseconds, reading } = attempt;
    const kind = reading?.kind ?? "none";
    const { tokens, bytes } = request.kvSource;
    const outcome = failure?.outcome ?? "transferred";
    const transfer: KvTransfer = {
      outcome,
      microseconds: Math.round(milliseconds * 1000),
      bytes: reading?.received ?? 0,
    };
    const fields = {
      request: request.requestId,
      tokens,
      bytes,
      ms: Math.round(milliseconds * 10) / 10,
      kind,
    };
    if (failure === undefined) this.#options.log.debug("KV received", fields);
    else
      this.#options.log.warn("KV not received; computing the prompt", {
        ...fields,
        outcome,
        reason: failure.message,
      });
    this.#options.onTransfer(transfer, kind);
    return transfer;
  }
}

/** One request's transfer. */
class Attempt {
  readonly request: ImportRequest;
  readonly #started = performance.now();
  reading: KvReading | undefined;
  failure: KvUnusableError | undefined;
  milliseconds = 0;

  constructor(request: ImportRequest) {
    this.request = request;
  }

  end(): void {
    this.milliseconds ||= performance.now() - this.#started;
    this.reading?.close();
  }
}

/** @throws KvUnusableError if the engine cannot use it, as far as its description tells */
function checkSource(engine: Engine, request: GenerateRequest, source: KvSource): void {
  const { kvFormat } = engine.card;
  if (engine.importKv === undefined || kvFormat === undefined)
    throw new KvUnusableError("unsupported", "The engine cannot import KV.");
  if (source.format !== kvFormat)
    throw new KvUnusableError("format", `The KV has the format '${source.format}', not '${kvFormat}'.`);
  if (source.tokens === 0 || source.tokens >= request.tokens.length)
    throw new KvUnusableError(
      "refused",
      `The KV covers ${source.tokens} tokens of a prompt of ${request.tokens.length}; it must cover some, and not the last.`,
    );
  if (request.echoLogprobs)
    throw new KvUnusableError("unsupported", "Log probabilities of the prompt need all of it computed.");
}

async function* none(): AsyncGenerator<ImportedDelta> {}
