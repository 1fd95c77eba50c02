import type { ModelRouter } from "../routing/model-router.ts";
import type { RoutedInstance } from "../routing/workers.ts";
import type { RefusedWorker } from "./catalog.ts";
import type { ForwardModel } from "./forward-model.ts";
import type { EngineWorker } from "./members/engine-worker.ts";
import type { WorkerConnection } from "./members/worker-connection.ts";
import type { KeptResources } from "./resource-homes.ts";
import type { ServedModel } from "./served-model.ts";

export type AnyModelRouter = ModelRouter<WorkerConnection> | ModelRouter<EngineWorker>;

/** A worker or engine of a model, for those who ask about it. */
export interface WorkerView {
  readonly instance: RoutedInstance;
  readonly status: string;
  readonly canServe: boolean;
  readonly isShutOut: boolean;
  loads(): ReturnType<AnyModelRouter["loads"]>;
}

/** A model as it is listed. */
export interface ListedModel {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly adapters: readonly string[];
  readonly contextLength: number | undefined;
  readonly created: number;
}

/** A model for those who ask about its workers and its router. */
export interface ModelView extends ListedModel {
  readonly workers: readonly WorkerView[];
  readonly isReady: boolean;
  readonly router: AnyModelRouter;
  /** Requests that wait for a worker with room. */
  readonly waiting: number;
}

/** An attached engine's model that a request names. */
export interface FoundModel {
  readonly model: ForwardModel;
  /** Where the name is that of a LoRA adapter on its weights. */
  readonly adapter: string | undefined;
}

/** The same, where the request may have named it by a name of the operator's. */
export interface NamedModel extends FoundModel {
  /** The name that its engines know it by, where the request gave another one. */
  readonly rename: string | undefined;
}

/** Models of attached engines, as far as requests need them. */
export interface AttachedTargets<View extends ListedModel = ListedModel> {
  /** Whether nothing is attached. */
  readonly isEmpty: boolean;
  /** The model, where there is exactly one. */
  readonly only: FoundModel | undefined;
  /** What engines keep for their clients. */
  readonly resources: KeptResources;
  list(): ForwardModel[];
  /** The model with this name, or of which it is another name or an adapter. */
  find(name: string): FoundModel | undefined;
  views(): View[];
}

/** Models of workers. */
export interface WorkerModels<View extends ListedModel = ListedModel> {
  /** Every model with workers, ready or not. */
  list(): View[];
  /** @throws ApiError 503 for one that cannot answer yet */
  find(name: string): ServedModel | undefined;
  /** Workers that have come, and are not used. */
  refused(): readonly RefusedWorker[];
}
