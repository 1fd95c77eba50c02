import { availableParallelism } from "node:os";
import { loadWorker, readTokenizerFile, startWorker } from "#workers";
import { defaultModelFolder, fetchModel } from "../models/index.ts";
import { readOptions, UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import { workerOptions } from "../options/tables.ts";
import { openService, serveUntilStopped } from "../service.ts";
import { tellSupervisor } from "../supervisor-link.ts";
import { type Command, commandHelp } from "./command.ts";

type Options = OptionValues<typeof workerOptions>;

export const workerCommand: Command = {
  help: () =>
    commandHelp(
      "worker ENGINE --discovery file:/DIR [OPTIONS]",
      "ENGINE is llama (llama.cpp, needs no GPU), mocker (a simulated vLLM on a GPU), echo (no model), or the path of a worker module of your own.",
      workerOptions,
    ),
  async run(argv) {
    const { options, positionals } = readOptions(workerOptions, argv, process.env);
    const [engine] = positionals;
    if (engine === undefined)
      throw new UsageError("Which engine? stator worker llama, or echo, or a module's path.");
    const definition = await loadWorker(engine);
    const name = options.name ?? `${definition.name}-${process.pid}`;
    const service = await openService(name, options);
    const worker = await startWorker({
      definition,
      engineOptions: await engineOptions(definition.name, options),
      threads: options.threads ?? availableParallelism(),
      discovery: service.discovery,
      namespace: options.namespace,
      name,
      tags: options.tag,
      listen: options.listen ?? "tcp:127.0.0.1:0",
      opsPort: options["ops-port"],
      log: service.log,
    });
    worker.lost.addEventListener("abort", () => {
      service.lifecycle.shutdown("discovery lost this worker's lease", 1);
    });
    tellSupervisor({ type: "ready", url: worker.opsUrl });
    return serveUntilStopped(service, options, (deadlineMs) => worker.drain(deadlineMs));
  },
};

async function engineOptions(engine: string, options: Options) {
  const gpu = options.gpu === "off" ? false : options.gpu;
  const common = {
    aliases: options.alias,
    contextLength: options["context-length"],
    sequences: options.sequences,
    delayMs: options.delay,
    blockSize: options["block-size"],
    totalBlocks: options["total-blocks"],
    maxBatchedTokens: options["max-batched-tokens"],
    speedup: options.speedup,
    dataParallelSize: options["data-parallel-size"],
    tokenizer: options.tokenizer === undefined ? undefined : await readTokenizerFile(options.tokenizer),
    gpu,
  } as const;
  if (engine !== "llama") return { ...common, modelPath: options.model, modelName: options["model-name"] };
  const model = await fetchModel(options.model, { folder: options["model-folder"] ?? defaultModelFolder() });
  return { ...common, modelPath: model.path, modelName: options["model-name"] ?? model.name };
}
