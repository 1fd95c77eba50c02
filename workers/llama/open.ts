import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  getLlama,
  getModuleVersion,
  type Llama,
  LlamaLogLevel,
  type LlamaModel,
  NoBinaryFoundError,
} from "node-llama-cpp";
import type { Logger, ModelCard } from "#runtime";
import type { Engine } from "../engine.ts";
import { type CardOptions, poolingTypeOf } from "./card.ts";
import { kvFormat } from "./kv-format.ts";
import { LlamaEngine } from "./llama-engine.ts";
import { NativeContext } from "./media/decoding/native-context.ts";
import { MediaEncoder } from "./media/encoding/media-encoder.ts";
import { MediaProcess } from "./media/encoding/media-process.ts";
import type { ProjectorKinds } from "./media/encoding/messages.ts";
import { featureFormatOf } from "./media/feature-format.ts";
import { LlamaEncoder } from "./media/llama-encoder.ts";
import { findMediaPackages, loadedLibraries } from "./media/packages.ts";
import { ThreadShares } from "./thread-shares.ts";

/** The model's file and names, and run-time options. */
export interface LlamaOptions
  extends Omit<CardOptions, "engineVersion" | "kvFormat" | "media" | "featureFormat"> {
  /** The model's projector, a GGUF file: then prompts can have media. */
  mmproj?: string | undefined;
  /** Whether it is only to encode media with the projector, for other workers. */
  encodesOnly?: boolean | undefined;
  /** Longest prompt plus answer in tokens, at most the model's training context. Default 4,096. */
  contextLength?: number | undefined;
  /** Concurrent requests, each with KV memory for a whole context. Default 4. */
  sequences?: number | undefined;
  /** CPU threads for llama.cpp. Its threads spin while they wait, so those of all workers must fit the cores. */
  threads: number;
  gpu?: "auto" | "cuda" | "vulkan" | "metal" | false | undefined;
  /** LoRA adapters to start with: names and paths of GGUF files. */
  loras?: readonly (readonly [name: string, path: string])[] | undefined;
  /** LoRA adapters in memory at once, each with as much KV memory as the model itself. Default 4. */
  maxLoras?: number | undefined;
  log: Logger;
}

/** Most tokens in one step of llama.cpp. */
const BATCH_SIZE = 512;
const DEFAULT_CONTEXT_LENGTH = 4096;
const DEFAULT_MAX_LORAS = 4;
/** The pooling type of models that score a query and a document together. */
const RANK = 4;

/**
 * Loads a GGUF model into llama.cpp, inside this process.
 * @throws Error if the file is unreadable, its architecture unknown, or the model a reranker
 */
export async function openLlama(options: LlamaOptions): Promise<Engine> {
  const { log } = options;
  const llama = await loadLlama(options);
  if (options.gpu) {
    if (llama.gpu === false) log.warn("found no GPU that llama.cpp can use; using the CPU");
    else log.info("using the GPU", { kind: llama.gpu });
  }
  const vocabOnly = options.encodesOnly === true;
  const model = await llama.loadModel({ modelPath: options.modelPath, vocabOnly }).catch((error: Error) => {
    const advice = "Is the file complete, and its architecture supported by llama.cpp?";
    throw new Error(`Cannot load ${options.modelPath}: ${error.message}. ${advice}`);
  });
  if (poolingTypeOf(model) === RANK) {
    await llama.dispose();
    throw new Error(
      `${options.modelPath} is a reranker (its pooling type is rank), which llama workers do not serve. Use an embedding model, by whose similarities /v1/rerank ranks, or attach a server that runs the reranker.`,
    );
  }
  const settings = {
    sequences: options.sequences ?? 4,
    contextSize: Math.min(options.contextLength ?? DEFAULT_CONTEXT_LENGTH, trainedLength(model)),
    batchSize: BATCH_SIZE,
    // With a sliding window, a prefix is reusable only within its last few hundred tokens.
    swaFullCache: true,
    threads: options.threads,
  };
  const projector = await openProjector(llama, options, settings).catch(async (error: unknown) => {
    await llama.dispose();
    throw error;
  });
  const shared = {
    ...options,
    engineVersion: `node-llama-cpp ${await getModuleVersion()}`,
    media: projector && kindsOf(projector.kinds),
    featureFormat: projector?.featureFormat,
  };
  if (vocabOnly && projector !== undefined) {
    const size = { ...settings, totalSequences: settings.sequences };
    return new LlamaEncoder(llama, model, size, projector.encoder, shared);
  }
  const context = await model.createContext(settings);
  const engine = new LlamaEngine(llama, model, context, {
    ...shared,
    maxLoras: options.maxLoras ?? DEFAULT_MAX_LORAS,
    adapterContexts: {
      create: (filePath) => model.createContext({ ...settings, lora: { adapters: [{ filePath }] } }),
      bytes: await contextBytes(model, settings),
    },
    projector: projector?.native && {
      ...{ encoder: projector.encoder, native: projector.native, sequences: settings.sequences },
    },
    kvFormat: await kvFormat(llama, context, options.modelPath),
  });
  try {
    for (const [name, path] of options.loras ?? []) await engine.lora.load(name, path);
  } catch (error) {
    await engine.close();
    throw error;
  }
  return engine;
}

/** The model's own context length, from its file: llama.cpp does not tell it of a vocabulary alone. */
const trainedLength = ({ fileInsights, trainContextSize }: LlamaModel) =>
  fileInsights.trainContextSize ?? trainContextSize;

/** A loaded projector. */
interface OpenProjector {
  readonly kinds: ProjectorKinds;
  readonly featureFormat: string;
  readonly encoder: MediaEncoder;
  /** Undefined if it only encodes. */
  readonly native: NativeContext | undefined;
}

/** Undefined without a projector. @throws Error that says what to install, or why the projector cannot be loaded */
async function openProjector(
  llama: Llama,
  { mmproj, threads, encodesOnly = false, ...options }: LlamaOptions,
  { contextSize, sequences }: { readonly contextSize: number; readonly sequences: number },
): Promise<OpenProjector | undefined> {
  if (mmproj === undefined && encodesOnly)
    throw new Error("A llama worker with the role encode needs the model's projector: --mmproj FILE.");
  if (mmproj === undefined) return undefined;
  const [modelPath, projectorPath] = [resolve(options.modelPath), resolve(mmproj)];
  if (!existsSync(projectorPath)) throw new Error(`There is no projector ${projectorPath} (--mmproj).`);
  const packages = findMediaPackages(dirname(modelPath));
  const { llama: library, kernels } = loadedLibraries();
  const media = await MediaProcess.open({ packages, modelPath, projectorPath, threads, kernels });
  const shares = new ThreadShares(llama);
  // One thread alone waits for no other, so the rest of llama.cpp can compute with it meanwhile.
  const others = threads > 1 ? () => shares.consumer(threads - 1) : undefined;
  const encoder = new MediaEncoder(media, contextSize, others);
  const found = { kinds: media.kinds, featureFormat: await featureFormatOf(projectorPath), encoder };
  if (encodesOnly) return { ...found, native: undefined };
  const size = { contextLength: contextSize, sequences };
  try {
    const native = await NativeContext.open({ koffi: packages.koffi, library, modelPath, threads, ...size });
    return { ...found, native };
  } catch (error) {
    await encoder.close();
    throw error;
  }
}

function kindsOf({ vision, audio }: ProjectorKinds): ModelCard["media"] {
  return [...(vision ? ["image" as const] : []), ...(audio ? ["audio" as const] : [])];
}

async function contextBytes(
  model: LlamaModel,
  settings: { sequences: number; contextSize: number; batchSize: number; swaFullCache: boolean },
): Promise<number> {
  const needed = { ...settings, modelGpuLayers: model.gpuLayers };
  const { cpuRam, gpuVram } = await model.fileInsights.estimateContextResourceRequirementsV2(needed);
  return cpuRam + gpuVram;
}

async function loadLlama({ gpu = false, threads, log }: LlamaOptions): Promise<Llama> {
  try {
    return await getLlama({
      build: "never",
      gpu,
      maxThreads: threads,
      progressLogs: false,
      logLevel: LlamaLogLevel.warn,
      logger: (level, message) => log.debug(message.trim(), { llama: level }),
    });
  } catch (error) {
    if (!(error instanceof NoBinaryFoundError)) throw error;
    const kind = gpu === false ? "CPU" : gpu;
    const advice =
      gpu === false ? "The system may be too old." : "Is its driver installed? --gpu off uses the CPU.";
    throw new Error(`llama.cpp's build for ${kind} cannot be loaded on this machine. ${advice}`, {
      cause: error,
    });
  }
}
