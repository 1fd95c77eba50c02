import type { EngineSpec, ListeningOptions } from "#gateway";
import type { engineEncryption } from "../options/access.ts";
import type { engineOptions } from "../options/attach.ts";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";

type EngineOptions = OptionValues<typeof engineOptions>;

/**
 * The engines that the command line and the options name.
 * @param comeLater whether there need not be one: others find them
 * @throws UsageError where there is none
 */
export function enginesOf(
  command: string,
  options: EngineOptions,
  positionals: readonly string[],
  comeLater = false,
): EngineSpec[] {
  const given = [...positionals.map((url): EngineSpec => ({ url })), ...options.engines];
  if (given.length === 0 && !comeLater)
    throw new UsageError(`Which engines? stator ${command} http://127.0.0.1:8001 http://127.0.0.1:8002 …`);
  return given.map((spec) => completeSpec(spec, options));
}

/** An engine with what the options say of all engines, where it says nothing itself. */
export function completeSpec(spec: EngineSpec, options: EngineOptions): EngineSpec {
  const endpoint = options["kv-events"];
  const kvEvents = endpoint && { endpoint, replayEndpoint: options["kv-events-replay"] };
  return {
    ...spec,
    apiKey: spec.apiKey ?? options["engine-key"],
    kvEvents: spec.kvEvents ?? (kvEvents || undefined),
  };
}

/** Where tokenizers are, by model; the empty name stands for all. */
export const tokenizersOf = ({ tokenizer }: EngineOptions) => new Map(tokenizer.map(readTokenizer));

/** `MODEL=DIR`, or a folder for all models. */
function readTokenizer(text: string): [model: string, folder: string] {
  const equals = text.indexOf("=");
  return equals < 0 ? ["", text] : [text.slice(0, equals), text.slice(equals + 1)];
}

/**
 * The certificates to speak with engines by.
 * @throws UsageError for a certificate without its key
 */
export function engineTlsFiles(
  options: OptionValues<typeof engineEncryption>,
): NonNullable<ListeningOptions["engineTls"]> {
  const { "engine-ca": ca, "engine-tls-cert": cert, "engine-tls-key": key } = options;
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError("--engine-tls-cert and --engine-tls-key go together.");
  return { ca, cert, key };
}
