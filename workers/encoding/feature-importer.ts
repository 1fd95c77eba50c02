import { type GenerateRequest, type KvSource, type Logger, messageOf, type PromptMedium } from "#runtime";
import type { EngineMedium, EngineRequest } from "../engine.ts";
import type { KvAgent } from "../kv/agent.ts";
import { KvReading, type TransferBounds } from "../kv/reading.ts";
import { KvUnusableError } from "../kv/types.ts";

export interface FeatureImporterOptions {
  /** The card's `featureFormat`; undefined if the engine uses no features of other workers. */
  readonly format: string | undefined;
  readonly agent: KvAgent;
  readonly bounds: TransferBounds;
  readonly log: Logger;
  /** Called with every transfer. @param kind `none` if it ended before one was chosen */
  onTransfer(outcome: string, kind: string, bytes: number): void;
}

/** Reads what encode workers have made of a request's media. What cannot be had, the engine encodes itself. */
export class FeatureImporter {
  readonly #options: FeatureImporterOptions;

  constructor(options: FeatureImporterOptions) {
    this.#options = options;
  }

  /** @throws the signal's reason if it aborts */
  async resolve(request: GenerateRequest, signal: AbortSignal): Promise<EngineRequest> {
    const { media } = request;
    if (media === undefined || media.every(({ features }) => features === undefined)) return request;
    const resolved = media.map((medium) => this.#resolve(request.requestId, medium, signal));
    return { ...request, media: await Promise.all(resolved) };
  }

  async #resolve(
    requestId: string,
    { features, ...medium }: PromptMedium,
    signal: AbortSignal,
  ): Promise<EngineMedium> {
    if (features === undefined) return medium;
    const { agent, bounds, log, onTransfer } = this.#options;
    const fields = { request: requestId, kind: medium.kind, bytes: features.bytes };
    let reading: KvReading | undefined;
    try {
      this.#check(features);
      await agent.open();
      reading = new KvReading(features, agent, bounds, signal);
      // A copy, as the memory is used again. (`slice` of a Buffer is none.)
      const encoded = new Uint8Array(await reading.read());
      onTransfer("transferred", reading.kind ?? "none", encoded.length);
      log.debug("features received", { ...fields, transfer: reading.kind });
      return { ...medium, encoded };
    } catch (error) {
      signal.throwIfAborted();
      const outcome = error instanceof KvUnusableError ? error.outcome : "failed";
      onTransfer(outcome, reading?.kind ?? "none", 0);
      log.warn("features not received; encoding the medium", {
        ...fields,
        outcome,
        reason: messageOf(error),
      });
      return medium;
    } finally {
      reading?.close();
    }
  }

  /** @throws KvUnusableError if the engine cannot use them */
  #check(source: KvSource): void {
    const { format } = this.#options;
    if (format === undefined)
      throw new KvUnusableError("unsupported", "The engine cannot use features of other workers.");
    if (source.format !== format)
      throw new KvUnusableError(
        "format",
        `The features have the format '${source.format}', not '${format}'.`,
      );
  }
}
