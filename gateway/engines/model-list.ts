import { z } from "zod";
import { EngineApiError } from "./errors.ts";
import { getAs } from "./read.ts";
import type { EngineApi, EngineModel } from "./types.ts";

const modelSchema = z.looseObject({
  id: z.string(),
  owned_by: z.string().nullish().catch(undefined),
  /** vLLM, SGLang: the path of the weights, or of a LoRA adapter. */
  root: z.string().nullish().catch(undefined),
  /** vLLM, SGLang: a LoRA adapter's model. */
  parent: z.string().nullish().catch(undefined),
  max_model_len: z.number().nullish().catch(undefined),
  /** llama.cpp: all its names. */
  aliases: z.array(z.string()).nullish().catch(undefined),
});

export type ModelEntry = z.output<typeof modelSchema>;

const listSchema = z.looseObject({ data: z.array(modelSchema) });

/** The entries of `/v1/models`; undefined if the server does not have the route. @throws EngineApiError */
export async function readModelList(api: EngineApi): Promise<ModelEntry[] | undefined> {
  return (await getAs(api, "/v1/models", listSchema))?.data;
}

/** The same, grouped by weights. @throws EngineApiError also if the server does not have the route */
export async function readModels(api: EngineApi): Promise<EngineModel[]> {
  const models = await readModelList(api);
  if (models !== undefined) return groupModels(models);
  const message = `${api.url} has no /v1/models: it does not speak OpenAI's API.`;
  throw new EngineApiError("not_readable", message);
}

/** Whether the list names this kind of server as an owner. */
export function isOwnedBy(models: readonly ModelEntry[] | undefined, owner: string): boolean {
  return models?.some(({ owned_by }) => owned_by === owner) ?? false;
}

/** Groups the entries for the same weights: aliases and LoRA adapters. */
export function groupModels(listed: readonly ModelEntry[]): EngineModel[] {
  const groups = new Map<string, ModelEntry[]>();
  for (const model of listed) {
    if (model.parent) continue;
    const source = model.root ?? model.id;
    groups.set(source, [...(groups.get(source) ?? []), model]);
  }
  return Array.from(groups.values(), ([first, ...others]): EngineModel => {
    const { id: name, root, owned_by, max_model_len } = first!;
    const aliases = [...others.map(({ id }) => id), ...(first!.aliases ?? [])].filter(
      (alias) => alias !== name,
    );
    const names = [name, ...aliases, root];
    return {
      name,
      owner: owned_by ?? undefined,
      aliases,
      adapters: listed.filter(({ parent }) => parent && names.includes(parent)).map(({ id }) => id),
      contextLength: max_model_len ?? undefined,
      source: root ?? undefined,
      chatTemplate: undefined,
    };
  });
}
