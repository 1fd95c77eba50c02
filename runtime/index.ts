/** The distributed runtime's public face: other rooms import from here only. */
export * from "./discovery/index.ts";
export * from "./generate/index.ts";
export { isId, randomId, requestId } from "./ids.ts";
export * from "./kv-events/index.ts";
export {
  createLogger,
  type LogFields,
  type LogFormat,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  logLevels,
} from "./log.ts";
export { type Instance, instanceSchema, type ModelCard, modelCardSchema } from "./model-card.ts";
export { nearest } from "./nearest.ts";
export * from "./request-plane/index.ts";
export { decodeByteLevel, decodeSentencePiece } from "./token-bytes.ts";
