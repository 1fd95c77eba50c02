import { randomId } from "#runtime";
import type { EngineModel, EngineProfile } from "../../engines/types.ts";
import type { RoutedInstance, RoutedWorker } from "../../routing/workers.ts";
import { driftRemedies } from "../drift-remedies.ts";
import type { EngineConnection } from "./engine-connection.ts";
import type { EngineMember, HangListeners } from "./member.ts";

/** What is taken of an engine that does not tell. */
export const UNKNOWN_ENGINE = { blockSize: 16, maxBatchedTokens: 8_192, maxSequences: 256 };

/** One model of an engine that this process watches. */
export class AttachedMember implements EngineMember {
  readonly kind = "engine";
  readonly instance: RoutedInstance;
  readonly engine: EngineConnection;
  model: EngineModel;
  readonly created = undefined;
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

  get state(): string {
    return this.engine.state;
  }

  get isReady(): boolean {
    return this.engine.state === "ready";
  }

  get aliases(): readonly string[] {
    return this.model.aliases;
  }

  get adapters(): readonly string[] {
    return this.model.adapters;
  }

  get contextLength(): number | undefined {
    return this.model.contextLength;
  }

  get isPredicted(): boolean {
    return this.engine.isPredicted;
  }

  get hangs(): HangListeners {
    return this.engine.hangs;
  }

  shareAt(now: number): number {
    return this.engine.shareAt(now);
  }

  reportSuccess(): void {
    this.engine.reportSuccess();
  }

  reportFailure(reason: string, isUnreachable: boolean): void {
    this.engine.reportFailure(reason, isUnreachable);
  }

  followEvents(): void {
    this.engine.followEvents();
  }

  noteUnreadable(what: string): void {
    this.engine.noteUnreadable(what);
  }

  noteBlockSize(tokens: number): void {
    this.engine.eventBlockSize = tokens;
  }
}
