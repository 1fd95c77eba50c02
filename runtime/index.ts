/** The distributed runtime's public face: other rooms import from here only. */
export type * from "./discovery/types.ts";
export * from "./generate/index.ts";
export { isId, randomId, requestId } from "./ids.ts";
export type * from "./kv-events/types.ts";
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
export * from "./request-plane/index.ts";
