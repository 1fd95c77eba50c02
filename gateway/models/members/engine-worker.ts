import { randomId } from "#runtime";
import type { EngineModel, EngineProfile } from "../../engines/types.ts";
import type { RoutedInstance, RoutedWorker } from "../../routing/workers.ts";
import { driftRemedies } from "../drift-remedies.ts";
import type { EngineConnection } from "./engine-connection.ts";
import type { TargetWorker } from "./engine-target.ts";
import type { HangListeners } from "./hang-listeners.ts";

/** What is taken of an engine that does not tell. */
export const UNKNOWN_ENGINE = { blockSize: 16, maxBatchedTokens: 8_192, maxSequences: 256 };

/** An attached engine as one of its models' routers sees it. */
export class EngineWorker implements TargetWorker {
  readonly instance: RoutedInstance;
  readonly engine: EngineConnection;
  /** As the engine lists it now: its adapters come and go. */
  model: EngineModel;
  readonly remedies: NonNullable<RoutedWorker["remedies"]>;

  constructor(engine: EngineConnection, profile: EngineProfile, model: EngineModel) {
    this.engine = engine;
    this.model = model;
    this.remedies = driftRemedies(engine, profile);
    this.instance = {
      id: randomId(),
      name: engine.name,
      card: {
        tags: [...(engine.spec.tags ?? [])],
        blockSize: engine.blockSize ?? UNKNOWN_ENGINE.blockSize,
        totalBlocks: profile.totalBlocks ?? 0,
        maxBatchedTokens: profile.maxBatchedTokens ?? UNKNOWN_ENGINE.maxBatchedTokens,
        maxSequences: profile.maxSequences ?? UNKNOWN_ENGINE.maxSequences,
        dataParallelSize: profile.dataParallelSize,
      },
    };
  }

  get isReady(): boolean {
    return this.engine.state === "ready";
  }

  shareAt(now: number): number {
    return this.engine.shareAt(now);
  }

  get hangs(): HangListeners {
    return this.engine.hangs;
  }

  reportSuccess(): void {
    this.engine.reportSuccess();
  }

  reportFailure(reason: string, isUnreachable: boolean): void {
    this.engine.reportFailure(reason, isUnreachable);
  }
}
