import { z } from "zod";

const name = z
  .string()
  .min(1)
  .max(256)
  .refine((text) => !/\p{Cc}/u.test(text), "a name has no control characters.");

const common = {
  lora_name: name.describe("The adapter's name, by which requests ask for it."),
  model: name.nullish().describe("The model; may be left out if only one is meant."),
  base_model_name: name.nullish().describe("Another name of this field."),
};

/** The body of `/v1/load_lora_adapter`, as in vLLM; engines also get the fields that are not listed. */
export const loadRequest = z.looseObject({
  ...common,
  lora_path: z
    .string()
    .min(1)
    .max(4096)
    .describe("The path of the adapter on the machines of the workers and engines."),
  load_inplace: z.boolean().nullish().describe("Whether it replaces an adapter of the same name."),
});

/** The body of `/v1/unload_lora_adapter`, as in vLLM. */
export const unloadRequest = z.looseObject(common);

export type LoadRequest = z.infer<typeof loadRequest>;
export type UnloadRequest = z.infer<typeof unloadRequest>;
