import type { EngineSpec, ListeningOptions } from "#gateway";
import type { engineEncryption } from "../options/groups/access.ts";
import type { engineOptions } from "../options/groups/attach.ts";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";

type EngineOptions = OptionValues<typeof engineOptions>;

/**
 * The engines from the command line and the options.
 * @param comeLater whether there may be none, because discovery adds them
 * @throws UsageError if there are none
 */
export function enginesOf(
  command: string,
  options: EngineOptions,
  positionals: readonly string[],
  comeLater = false,
): EngineSpec[] {
  const given: EngineSpec[] = [
    ...positionals.map((url) => ({ url })),
    ...options.engines,
    ...options.encode.map((url) => ({ url, role: "encode" as const })),
    ...options.prefill.map((url) => ({ url, role: "prefill" as const })),
    ...options.decode.map((url) => ({ url, role: "decode" as const })),
  ];
  if (given.length === 0 && !comeLater)
    throw new UsageError(
      `No engines given. Try: stator ${command} http://127.0.0.1:8001 http://127.0.0.1:8002 …`,
    );
  checkGivenOnce(given);
  return given.map((spec) => completeSpec(spec, options));
}

/** @throws UsageError for an engine that is given twice */
function checkGivenOnce(given: readonly EngineSpec[]): void {
  const roles = new Map<string, EngineSpec["role"]>();
  for (const { url, role } of given) {
    const address = url.replace(/\/+$/, "");
    if (roles.has(address) && roles.get(address) !== role)
      throw new UsageError(
        `${url} is given with two roles. Name it once; without --encode, --prefill and --decode, it does everything.`,
      );
    if (roles.has(address)) throw new UsageError(`${url} is given twice. Name it once.`);
    roles.set(address, role);
  }
}

/** An engine, with the options for all engines as defaults. */
export function completeSpec(spec: EngineSpec, options: EngineOptions): EngineSpec {
  const endpoint = options["kv-events"];
  const leaseSeconds = options["engine-kv-lease"];
  const kvEvents = endpoint && { endpoint, replayEndpoint: options["kv-events-replay"] };
  return {
    ...spec,
    apiKey: spec.apiKey ?? options["engine-key"],
    kvLeaseMs: leaseSeconds === undefined ? undefined : leaseSeconds * 1000,
    kvEvents: spec.kvEvents ?? (kvEvents || undefined),
  };
}

/** Tokenizer folders by model; the empty name stands for all models. */
export const tokenizersOf = ({ tokenizer }: EngineOptions) => new Map(tokenizer.map(readTokenizer));

/** `MODEL=DIR`, or a folder for all models. */
function readTokenizer(text: string): [model: string, folder: string] {
  const equals = text.indexOf("=");
  return equals < 0 ? ["", text] : [text.slice(0, equals), text.slice(equals + 1)];
}

/**
 * The TLS files for connections to engines.
 * @throws UsageError for a certificate without its key, or the reverse
 */
export function engineTlsFiles(
  options: OptionValues<typeof engineEncryption>,
): NonNullable<ListeningOptions["engineTls"]> {
  const { "engine-ca": ca, "engine-tls-cert": cert, "engine-tls-key": key } = options;
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError("--engine-tls-cert and --engine-tls-key must be used together.");
  return { ca, cert, key };
}
