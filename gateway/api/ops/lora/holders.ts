import {
  encodeLoadLoraRequest,
  encodeUnloadLoraRequest,
  loadLoraEndpoint,
  unloadLoraEndpoint,
} from "#runtime";
import { given } from "../../../kernel/json.ts";
import { changeAdapters } from "../../../models/lora/engine-adapters.ts";
import type { EngineConnection } from "../../../models/members/engine-connection.ts";
import type { Member } from "../../../models/members/member.ts";
import type { WorkerConnection } from "../../../models/members/worker-connection.ts";
import type { Model } from "../../../models/model.ts";
import type { OpsDependencies } from "../../dependencies.ts";
import { askWorker, whenKnown } from "../ask-worker.ts";
import type { LoadRequest, UnloadRequest } from "./schemas.ts";

/** A worker or an engine, which can hold LoRA adapters of its model. */
export interface Holder {
  readonly name: string;
  has(adapter: string): boolean;
  /** Resolves once this gateway knows the adapter. @throws ApiError if it refuses, fails, or cannot be reached */
  load(body: LoadRequest): Promise<void>;
  /** Resolves once this gateway knows. @throws ApiError likewise */
  unload(body: UnloadRequest): Promise<void>;
}

/** The model's workers and engines, but for those that are leaving. */
export function holdersOf(
  model: Model,
  { engines, workers }: Pick<OpsDependencies, "engines" | "workers">,
): Holder[] {
  const isStaying = ({ state }: Member) => state !== "draining";
  return [
    ...workers
      .all()
      .filter((worker) => model.members.has(worker) && isStaying(worker))
      .map(workerHolder),
    ...model.engines
      .members()
      .filter(isStaying)
      .flatMap((member) => {
        const engine = engines.engine(member.engine.name);
        return engine === undefined ? [] : [engineHolder(engine, member)];
      }),
  ];
}

/** Longest time for a worker to load an adapter, in milliseconds. */
const LOAD_MS = 120_000;

const workerHolder = (worker: WorkerConnection): Holder => ({
  name: worker.instance.name,
  has: (adapter) => worker.adapters.includes(adapter),
  async load({ lora_name: name, lora_path: path, load_inplace: inPlace }) {
    await askWorker(worker, {
      endpoint: loadLoraEndpoint,
      payload: encodeLoadLoraRequest({ name, path, inPlace: inPlace === true }),
      wish: "load a LoRA adapter",
      advice: "Start it with --lora instead.",
      timeoutMs: LOAD_MS,
    });
    await whenKnown(() => worker.adapters.includes(name));
  },
  async unload({ lora_name: name }) {
    await askWorker(worker, {
      endpoint: unloadLoraEndpoint,
      payload: encodeUnloadLoraRequest(name),
      wish: "unload a LoRA adapter",
      advice: "Start it without --lora instead.",
    });
    await whenKnown(() => !worker.adapters.includes(name));
  },
});

const engineHolder = (engine: EngineConnection, member: Member): Holder => ({
  name: engine.name,
  has: (adapter) => member.adapters.includes(adapter),
  load: (body) => changeAdapters(engine, "load", forEngine(body)),
  unload: (body) => changeAdapters(engine, "unload", forEngine(body)),
});

/** Without what only the gateway reads, and without fields that are null, which vLLM refuses. */
const forEngine = ({ lora_name, model: _, base_model_name: __, ...more }: UnloadRequest) => ({
  lora_name,
  ...given(more),
});
