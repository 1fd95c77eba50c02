import type { ListeningGateway, ModelNames } from "#gateway";
import type { Logger } from "#runtime";
import { UsageError } from "../options/read.ts";

interface Options {
  "model-alias": readonly (readonly [alias: string, model: string])[];
  "model-fallback"?: readonly (readonly [model: string, other: string])[];
}

/**
 * Aliases and fallbacks, from the flags.
 * @throws UsageError for an alias of two models, of itself or of another alias, and for a model that is its own
 * fallback
 */
export function modelNames({ "model-alias": given, "model-fallback": pairs = [] }: Options): ModelNames {
  const aliases = new Map<string, string>();
  for (const [alias, model] of given) {
    const before = aliases.get(alias);
    if (before !== undefined && before !== model)
      throw new UsageError(`--model-alias ${alias} stands for two models, ${before} and ${model}.`);
    if (alias === model) throw new UsageError(`--model-alias ${alias}=${model} is an alias of itself.`);
    aliases.set(alias, model);
  }
  for (const [alias, model] of aliases) {
    if (aliases.has(model))
      throw new UsageError(
        `--model-alias ${alias}=${model}: ${model} is an alias too; write ${alias}=${aliases.get(model)}.`,
      );
  }
  const fallbacks = new Map<string, string[]>();
  const meant = (name: string) => aliases.get(name) ?? name;
  for (const [model, other] of pairs) {
    if (meant(model) === meant(other))
      throw new UsageError(`--model-fallback ${model}=${other}: the fallback must be another model.`);
    const others = fallbacks.get(model);
    if (others === undefined) fallbacks.set(model, [other]);
    else others.push(other);
  }
  return { aliases, fallbacks };
}

/** Warns of models in aliases and fallbacks that no engine serves yet: they may join later, or be misspelt. */
export function warnOfMissing(models: ListeningGateway["models"], log: Logger): void {
  for (const model of models.missing()) {
    log.warn("--model-alias or --model-fallback names a model that no engine serves yet", { model });
  }
}
