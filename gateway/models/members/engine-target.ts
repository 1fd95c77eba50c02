import type { EngineModel } from "../../engines/types.ts";
import type { RoutedWorker } from "../../routing/workers.ts";
import type { EngineSpec } from "./engine-spec.ts";
import type { HangListeners } from "./hang-listeners.ts";
import type { ObservedAnswer } from "./observed-lacks.ts";

/** An attached engine, for whoever sends it requests and sees its answers. */
export interface EngineTarget {
  readonly name: string;
  /** Scheme, host and port. */
  readonly origin: string;
  /** What comes before `/v1` in the engine's paths. */
  readonly basePath: string;
  readonly spec: Pick<EngineSpec, "apiKey">;
  /** Whether a chat's last message may be a partial answer that the engine continues. */
  readonly continuesMessages: boolean;
  /** Told when checks have found that it answers nothing any more. */
  readonly hangs: HangListeners;
  /** A request has had its answer, or as much of it as its client waited for. */
  reportSuccess(): void;
  /**
   * A request failed by the engine's fault.
   * @param isUnreachable whether not even a connection came about
   */
  reportFailure(reason: string, isUnreachable: boolean): void;
  /** It may serve other models than it listed last. */
  rereadModels(): void;
  /** A whole answer has come. */
  observe(answer: ObservedAnswer): void;
}

/** An attached engine as one of its models' routers sees it. */
export interface TargetWorker extends RoutedWorker {
  readonly engine: EngineTarget;
  readonly model: EngineModel;
}
