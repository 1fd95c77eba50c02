import type { LlamaContext } from "node-llama-cpp";
import { poolingTypeOf } from "../card.ts";
import { ContextEngine, type SharedParts } from "../engine.ts";
import type { AdapterFiles } from "./adapters.ts";
import { checkLoraFile, refused } from "./check-file.ts";
import { FreshPaths } from "./fresh-paths.ts";

/** Makes contexts like the model's own, each with an adapter. */
export interface AdapterContexts {
  create(loraPath: string): Promise<LlamaContext>;
  /** About how much memory one takes. */
  readonly bytes: number;
}

/** Reads adapters for a model, and makes their contexts. */
export function adapterFiles(
  shared: SharedParts,
  { create, bytes }: AdapterContexts,
): AdapterFiles<ContextEngine> {
  const paths = new FreshPaths();
  const { model, log } = shared;
  const make = async (name: string, path: string) => {
    const context = new ContextEngine(await create(path), shared, name);
    log.info("a LoRA adapter has its own KV memory now", {
      adapter: name,
      megabytes: Math.round(bytes / 1e6),
    });
    return context;
  };
  return {
    async read(name, given) {
      if (poolingTypeOf(model) !== undefined) throw refused("Embedding models take no LoRA adapters.");
      await checkLoraFile(given, model.fileInfo.metadata.general.architecture);
      return paths.use(given, async (path) => ({
        context: await make(name, path).catch((cause: Error) => {
          throw refused(
            `llama.cpp cannot use the LoRA adapter ${given}: ${cause.message}. Was it made for another model?`,
            cause,
          );
        }),
        reopen: () => make(name, path),
      }));
    },
  };
}
