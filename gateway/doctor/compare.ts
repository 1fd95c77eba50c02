import type { Evidence } from "./evidence.ts";
import type { Check } from "./types.ts";

/** Checks that engines serving the same model are interchangeable: a request may go to any of them. */
export function compare(all: readonly Evidence[]): Check[] {
  const models = Map.groupBy(all, ({ model }) => model.name);
  const checks = [...models].flatMap(([model, engines]) =>
    engines.length < 2 ? [] : [compareBlockSizes(model, engines), ...compareTokenizers(model, engines)],
  );
  if (models.size > 1) checks.unshift(noteModels(models));
  return checks;
}

function noteModels(models: ReadonlyMap<string, readonly Evidence[]>): Check {
  const each = Array.from(models, ([model, engines]) => `${model} (${namesOf(engines)})`);
  return {
    id: "same-model",
    status: "note",
    text: `The engines serve different models: ${each.join(", ")}.`,
    cost: "A request can only go to engines that serve its model under that name.",
    fix: "If this should be one model, give it the same name on every engine.",
    flag: commonFlag([...models.values()].flat()),
  };
}

function commonFlag(engines: readonly Evidence[]): string | undefined {
  return engines.every(({ adapter }) => adapter.kind === "vllm" || adapter.kind === "sglang")
    ? "--served-model-name NAME"
    : undefined;
}

function compareBlockSizes(model: string, engines: readonly Evidence[]): Check {
  const id = "same-block-size";
  const sizes = Map.groupBy(engines, ({ blockSize }) => blockSize);
  const [[size] = [0]] = sizes;
  if (sizes.size === 1)
    return { id, status: "ok", text: `All engines of ${model} have blocks of ${size} tokens.` };
  const each = Array.from(sizes, ([tokens, those]) => `${tokens} tokens (${namesOf(those)})`);
  return {
    id,
    status: "problem",
    text: `The engines of ${model} have blocks of different sizes: ${each.join(", ")}.`,
    cost: "A model's router supports one block size: the caches of engines with another one are only predicted.",
    fix: "Start all engines of a model with the same block size.",
    flag: engines.every(({ adapter }) => adapter.kind === "vllm") ? `--block-size ${size}` : undefined,
  };
}

function compareTokenizers(model: string, engines: readonly Evidence[]): Check[] {
  const id = "same-tokenizer";
  const counts = engines.flatMap(({ name, fingerprint }) =>
    fingerprint === undefined ? [] : [{ name, tokens: fingerprint }],
  );
  if (counts.length < 2) return [];
  const groups = Map.groupBy(counts, ({ tokens }) => tokens);
  if (groups.size === 1)
    return [{ id, status: "ok", text: `All engines of ${model} split text into the same tokens.` }];
  const each = Array.from(groups.values(), namesOf);
  return [
    {
      id,
      status: "problem",
      text: `The engines of ${model} split the same text into different tokens: ${each.join(" versus ")}.`,
      cost: "They do not serve the same model, so prompts cannot be matched with all of their caches.",
      fix: "Serve the same model, with the same tokenizer and chat template, under one name.",
    },
  ];
}

const namesOf = (engines: readonly { readonly name: string }[]) => engines.map(({ name }) => name).join(", ");
