import type { EngineSpec } from "#gateway";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import type { engineOptions } from "../options/tables.ts";

type EngineOptions = OptionValues<typeof engineOptions>;

/**
 * The engines that the command line and the options name.
 * @throws UsageError where there is none
 */
export function enginesOf(
  command: string,
  options: EngineOptions,
  positionals: readonly string[],
): EngineSpec[] {
  const given = [...positionals.map((url): EngineSpec => ({ url })), ...options.engines];
  if (given.length === 0)
    throw new UsageError(`Which engines? stator ${command} http://127.0.0.1:8001 http://127.0.0.1:8002 …`);
  const endpoint = options["kv-events"];
  const kvEvents = endpoint && { endpoint, replayEndpoint: options["kv-events-replay"] };
  return given.map((spec) => ({
    ...spec,
    apiKey: spec.apiKey ?? options["engine-key"],
    kvEvents: spec.kvEvents ?? (kvEvents || undefined),
  }));
}

/** Where tokenizers are, by model; the empty name stands for all. */
export const tokenizersOf = ({ tokenizer }: EngineOptions) => new Map(tokenizer.map(readTokenizer));

/** `MODEL=DIR`, or a folder for all models. */
function readTokenizer(text: string): [model: string, folder: string] {
  const equals = text.indexOf("=");
  return equals < 0 ? ["", text] : [text.slice(0, equals), text.slice(equals + 1)];
}
