import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { nearest } from "#runtime";
import { defineWorker, type WorkerDefinition } from "./define-worker.ts";
import { importModule, located } from "./load-module.ts";

/** The built-in engines. Each is loaded only when used. */
const ENGINES: Record<string, () => Promise<WorkerDefinition>> = {
  llama: async () => {
    const { openLlama } = await import("./llama/open.ts");
    return defineWorker({
      name: "llama",
      open({ log, threads, role, options }) {
        if (options.modelPath === undefined)
          throw new Error("The llama engine needs a model: --model FILE.gguf.");
        const encodesOnly = role === "encode";
        return openLlama({ ...options, modelPath: options.modelPath, encodesOnly, threads, log });
      },
    });
  },
  mocker: async () => {
    const [{ openMocker }, { simulateLoading }] = await Promise.all([
      import("./mocker/engine.ts"),
      import("./mocker/start-up.ts"),
    ]);
    return defineWorker({
      name: "mocker",
      async open({ log, options }) {
        await simulateLoading(options.startupSeconds ?? 0, log);
        return openMocker({ ...options, log });
      },
    });
  },
  moonshine: async () => {
    const { openMoonshine } = await import("./moonshine/open.ts");
    return defineWorker({
      name: "moonshine",
      open({ log, threads, options }) {
        if (options.modelPath === undefined)
          throw new Error("The moonshine engine needs a model: --model FOLDER. See docs/speech.md.");
        return openMoonshine({ ...options, modelPath: options.modelPath, threads, log });
      },
    });
  },
  ocr: async () => {
    const { openOcr } = await import("./ocr/engine.ts");
    return defineWorker({
      name: "ocr",
      open({ log, threads, options }) {
        if (options.modelPath === undefined)
          throw new Error("The ocr engine needs its models: --model FOLDER. See docs/ocr.md.");
        // The model that clients name is another one.
        return openOcr({ modelPath: options.modelPath, threads, log });
      },
    });
  },
  echo: async () => {
    const { openEcho } = await import("./echo/engine.ts");
    return defineWorker({ name: "echo", open: ({ options }) => openEcho(options) });
  },
};

export const engineNames = Object.keys(ENGINES);

/** There is no engine of a given name, or no worker at a given path; the message says which there are. */
export class UnknownEngineError extends Error {
  override name = "UnknownEngineError";
}

/**
 * Finds an engine by its name, or a worker module by its path.
 * @throws UnknownEngineError with the nearest name if there is neither; Error with file and line if the module has an
 *   error
 */
export async function loadWorker(nameOrPath: string): Promise<WorkerDefinition> {
  const builtIn = Object.hasOwn(ENGINES, nameOrPath) ? ENGINES[nameOrPath] : undefined;
  if (builtIn !== undefined) return builtIn();
  if (!/[./\\]/.test(nameOrPath)) {
    const suggestion = nearest(nameOrPath, engineNames);
    throw new UnknownEngineError(
      `There is no engine '${nameOrPath}'.${suggestion ? ` Did you mean '${suggestion}'?` : ""} ` +
        `Engines: ${engineNames.join(", ")}; or the path of a worker module.`,
    );
  }
  const path = resolve(nameOrPath);
  if (!existsSync(path)) throw new UnknownEngineError(`There is no worker module ${path}.`);
  const { default: definition } = await importModule(path);
  if (!isWorkerDefinition(definition)) {
    throw new UnknownEngineError(`${nameOrPath} does not export a worker as its default: see defineWorker.`);
  }
  return {
    name: definition.name,
    async open(context) {
      try {
        return await definition.open(context);
      } catch (error) {
        throw located(error, path);
      }
    },
  };
}

function isWorkerDefinition(value: unknown): value is WorkerDefinition {
  return typeof value === "object" && value !== null && "open" in value && "name" in value;
}
