import { randomId, type ZmqPosition } from "#runtime";
import type { EngineModel, EngineProfile } from "../../engines/types.ts";
import type { RoutedInstance, RoutedWorker } from "../../routing/workers.ts";
import { driftFixes } from "../drift-fixes.ts";
import type { EngineConnection } from "./engine-connection.ts";
import { EngineMember } from "./engine-member.ts";
import { roleOf } from "./engine-spec.ts";

/** Assumed for engines that do not report these. */
export const UNKNOWN_ENGINE = { blockSize: 16, maxBatchedTokens: 8_192, maxSequences: 256 };

/** One model of an engine that is attached to this process. */
export class AttachedMember extends EngineMember<EngineConnection> {
  readonly fixes: NonNullable<RoutedWorker["fixes"]>;

  constructor(engine: EngineConnection, profile: EngineProfile, model: EngineModel) {
    super(engine, instanceOf(engine, profile), model);
    this.fixes = driftFixes(engine, profile);
  }

  /** The engine's role has changed. */
  rereadRole(profile: EngineProfile): void {
    const { instance, engine } = this;
    this.instance = { ...instance, card: { ...instance.card, ...disaggregationOf(engine, profile) } };
  }

  get isPredicted(): boolean {
    return this.engine.isPredicted;
  }

  get startedAt(): number | undefined {
    return this.engine.profile?.startedAt;
  }

  positionOf(rank: number): ZmqPosition | undefined {
    return this.engine.feed?.positionOf(rank);
  }

  shareAt(now: number): number {
    return this.engine.shareAt(now);
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

const instanceOf = (engine: EngineConnection, profile: EngineProfile): RoutedInstance => ({
  id: randomId(),
  sharedId: engine.spec.url,
  name: engine.name,
  card: {
    ...disaggregationOf(engine, profile),
    tags: [...(engine.spec.tags ?? [])],
    blockSize: engine.blockSize ?? UNKNOWN_ENGINE.blockSize,
    totalBlocks: profile.totalBlocks ?? 0,
    maxBatchedTokens: profile.maxBatchedTokens ?? UNKNOWN_ENGINE.maxBatchedTokens,
    maxSequences: profile.maxSequences ?? UNKNOWN_ENGINE.maxSequences,
    dataParallelSize: profile.dataParallelSize,
  },
});

/** Engines of one kind hand KV blocks to each other, if their operator or they themselves say which part they have. */
function disaggregationOf(
  { spec, adapter }: EngineConnection,
  profile: EngineProfile,
): Pick<RoutedInstance["card"], "role" | "kvFormat" | "needsPrefill"> {
  const role = roleOf(spec, profile);
  const disaggregation = adapter?.disaggregation;
  if (role === "aggregated" || disaggregation === undefined) return { role };
  return { role, kvFormat: profile.kind, needsPrefill: role === "decode" && !disaggregation.decodesAlone };
}
