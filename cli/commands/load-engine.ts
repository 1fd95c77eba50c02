import { loadWorker, UnknownEngineError, type WorkerDefinition } from "#workers";
import { UsageError } from "../options/read.ts";

/**
 * The engine that a command names.
 * @param option the option that names it; omitted for an argument
 * @throws UsageError if there is none; Error with file and line if its module has an error
 */
export async function loadEngine(nameOrPath: string, option?: string): Promise<WorkerDefinition> {
  try {
    return await loadWorker(nameOrPath);
  } catch (error) {
    if (!(error instanceof UnknownEngineError)) throw error;
    throw new UsageError(option === undefined ? error.message : `${option}: ${error.message}`);
  }
}
