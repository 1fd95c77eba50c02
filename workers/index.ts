/** The workers' public exports. */

export { textFormat } from "#runtime";
export { decodeAudio } from "./audio/decode.ts";
export {
  defineWorker,
  type EngineOptions,
  type WorkerContext,
  type WorkerDefinition,
} from "./define-worker.ts";
export type {
  Delta,
  Encoded,
  Engine,
  EngineMedium,
  EngineRequest,
  EngineStats,
  KvEventSource,
  LoraAdapters,
  Prefilled,
  TokenLogprob,
} from "./engine.ts";
export { startWorker, type WorkerHost } from "./host.ts";
export type { WorkerHostOptions } from "./host-options.ts";
export type { KvTransferOptions } from "./kv/serve.ts";
export { type KvExport, type KvImport, KvUnusableError } from "./kv/types.ts";
export type { ZmqEventsOptions } from "./kv-events.ts";
export type { BlockListener } from "./mocker/block-pool.ts";
export { parseFault } from "./mocker/faults/parse.ts";
export { type ScheduledRequest, Scheduler, type SchedulerOptions } from "./mocker/scheduler.ts";
export { H100_8B, type StepTiming, stepTime } from "./mocker/timing.ts";
export type { KvEventsPrivacy } from "./private-kv-events.ts";
export { type PromptlessModel, promptlessEngine } from "./promptless-engine.ts";
export { engineNames, loadWorker, UnknownEngineError } from "./registry.ts";
export { type SpeechModel, speechEngine } from "./speech-engine.ts";
export { defineTextWorker, type TextRequest, type TextWorker } from "./text/define-text-worker.ts";
export { readTokenizerFile, type TokenizerFile } from "./tokenizer-file.ts";
export { TranscribeRefusedError } from "./transcribe-handler.ts";
