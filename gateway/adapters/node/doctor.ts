import type { Logger } from "#runtime";
import type { EngineSpec } from "../../dispatch/engines/engine-spec.ts";
import { checkedSpec } from "../../dispatch/engines/engine-url.ts";
import { type Diagnosis, diagnose, enginesOfGateway } from "../../doctor/index.ts";
import { createEngineApi } from "../../engines/index.ts";
import { createPromptReaderLoader } from "../../pipeline/serving/prompt-readers.ts";
import { nativeEncoderFactory } from "./encoder.ts";
import { nodeFiles } from "./files.ts";

export interface NodeDoctorOptions {
  /** The compiled router core. */
  readonly routerModule: WebAssembly.Module;
  /** Folders or hub ids to read tokenizers from, by model; the empty name stands for all. */
  readonly tokenizers: ReadonlyMap<string, string>;
  /** Longest wait for one answer, connection or event, in milliseconds. */
  readonly timeoutMs: number;
  readonly log: Logger;
}

/**
 * Examines engines, and proves that requests can be routed by what their caches hold. A gateway among the addresses
 * stands for its engines.
 * @throws ApiError for an address that is none
 */
export async function diagnoseEngines(
  given: readonly EngineSpec[],
  { routerModule, tokenizers, timeoutMs, log }: NodeDoctorOptions,
): Promise<Diagnosis> {
  const createApi = ({ url, apiKey }: EngineSpec) => createEngineApi(url, { apiKey, timeoutMs });
  const checked = given.map(checkedSpec);
  const specs = await Promise.all(
    checked.map(async (spec) => {
      const engines = await enginesOfGateway(createApi(spec));
      // A gateway that has none yet is looked at itself, which says so.
      if (engines === undefined || engines.length === 0) return [spec];
      return engines.map((engine) => ({ ...spec, ...engine }));
    }),
  );
  const createEncoder = nativeEncoderFactory(log);
  return diagnose(specs.flat(), {
    routerModule,
    loadPromptReader: createPromptReaderLoader({
      folders: { ...nodeFiles(), createEncoder },
      tokenizers,
      log,
    }),
    createApi,
    waitMs: timeoutMs,
    log,
  });
}
