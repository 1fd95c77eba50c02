import type { Logger } from "#runtime";
import { askGateway, combine, type Diagnosis, diagnose, membersOfGateway } from "../../doctor/index.ts";
import { createEngineApi } from "../../engines/index.ts";
import { invalidRequest } from "../../kernel/errors.ts";
import type { EngineSpec } from "../../models/members/engine-spec.ts";
import { checkedSpec } from "../../models/members/engine-url.ts";
import { createPromptReaderLoader } from "../../models/prompt-readers.ts";
import type { EngineTlsFiles } from "../listening.ts";
import { openKvFeed } from "../sockets.ts";
import { readEngineTls } from "./access/tls-files.ts";
import { nativeEncoderFactory } from "./encoder.ts";
import { nodeFiles } from "./files.ts";
import { createTlsFetch } from "./http/tls-fetch.ts";

export interface NodeDoctorOptions {
  /** The compiled router core. */
  readonly routerModule: WebAssembly.Module;
  /** Folders or hub ids to read tokenizers from, by model; the empty name is the default. */
  readonly tokenizers: ReadonlyMap<string, string>;
  /** Certificates for `https:` addresses; default: the system's. */
  readonly engineTls?: EngineTlsFiles | undefined;
  /** Timeout of each answer, connection or event, in milliseconds. */
  readonly timeoutMs: number;
  readonly log: Logger;
}

/** The most timeouts in sequence that a gateway needs to examine its engines. */
const WAITS = 10;

/**
 * Examines engines, and proves that requests can be routed by what their caches hold. A gateway among the addresses
 * examines its own engines; its key is not sent to them.
 * @throws ApiError for an invalid address, AccessError for unusable certificates
 */
export async function diagnoseEngines(
  given: readonly EngineSpec[],
  { routerModule, tokenizers, engineTls, timeoutMs, log }: NodeDoctorOptions,
): Promise<Diagnosis> {
  const tls = await readEngineTls(engineTls ?? {});
  const fetch = tls && createTlsFetch(tls);
  const createApi = ({ url, apiKey }: EngineSpec, limitMs = timeoutMs) =>
    createEngineApi(url, { apiKey, timeoutMs: limitMs, fetch });
  const found = await Promise.all(
    given.map(checkedSpec).map(async (spec): Promise<EngineSpec[] | Diagnosis> => {
      const { engines = [], hasWorkers } = (await membersOfGateway(createApi(spec))) ?? {};
      if (engines.length === 0 && hasWorkers)
        throw invalidRequest(
          `${spec.url} is a gateway with workers of its own and no engines: their KV events are part of it, and GET /admin/workers tells their state. Name engines, or a gateway with engines; --isolation examines any gateway, and --discovery a cluster.`,
        );
      // A gateway without engines is examined itself, which reports that.
      if (engines.length === 0) return [spec];
      const theirs = await askGateway(createApi(spec, timeoutMs * WAITS), timeoutMs);
      // An older gateway lists its engines without their keys, and its own key is not for them.
      return theirs ?? engines.map((engine) => ({ ...spec, apiKey: undefined, ...engine }));
    }),
  );
  const specs = found.flatMap((each) => (Array.isArray(each) ? each : []));
  const theirs = found.filter((each): each is Diagnosis => !Array.isArray(each));
  const createEncoder = nativeEncoderFactory(log);
  const own = await diagnose(specs, {
    routerModule,
    openKvFeed,
    loadPromptReader: createPromptReaderLoader({
      folders: { ...nodeFiles(), createEncoder },
      tokenizers,
      log,
    }),
    createApi,
    waitMs: timeoutMs,
    log,
  });
  return combine([own, ...theirs]);
}
