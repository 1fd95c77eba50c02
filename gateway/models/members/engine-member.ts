import type { EngineAdapter, EngineApi, EngineModel, EngineProfile } from "../../engines/types.ts";
import type { RoutedInstance } from "../../routing/workers.ts";
import type { EngineSpec } from "./engine-spec.ts";
import type { Member, RequestListeners } from "./member.ts";
import type { ObservedAnswer } from "./observed-limitations.ts";

/** An attached engine, as a target of requests. */
export interface EngineTarget {
  readonly name: string;
  /** Scheme, host and port. */
  readonly origin: string;
  /** The prefix before `/v1` in the engine's paths. */
  readonly basePath: string;
  readonly spec: Pick<EngineSpec, "apiKey" | "kvLeaseMs">;
  readonly api: EngineApi;
  /** Undefined until it has been probed. */
  readonly profile:
    | Pick<EngineProfile, "bootstrapPort" | "kvLeaseMs" | "paths" | "takesEncoded" | "version">
    | undefined;
  /** Undefined until its kind is known. */
  readonly adapter: EngineAdapter | undefined;
  readonly state: string;
  /** Whether the engine can continue a partial answer in a chat's last message. */
  readonly continuesMessages: boolean;
  /** See `Member`; shared by all its models. */
  readonly hangs: RequestListeners;
  readonly evictions: RequestListeners;
  reportSuccess(): void;
  reportFailure(reason: string, isUnreachable: boolean): void;
  /** Its models may have changed. */
  rereadModels(): void;
  /** Observes a complete answer. */
  observe(answer: ObservedAnswer): void;
}

/** One model of an attached engine, to which requests are forwarded as bytes. */
export abstract class EngineMember<Engine extends EngineTarget = EngineTarget> implements Member {
  readonly kind = "engine";
  readonly created = undefined;
  readonly engine: Engine;
  instance: RoutedInstance;
  /** As the engine lists it now; its adapters may change. */
  model: EngineModel;
  abstract readonly isPredicted: boolean;

  constructor(engine: Engine, instance: RoutedInstance, model: EngineModel) {
    this.engine = engine;
    this.instance = instance;
    this.model = model;
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

  get hangs(): RequestListeners {
    return this.engine.hangs;
  }

  get evictions(): RequestListeners {
    return this.engine.evictions;
  }

  reportSuccess(): void {
    this.engine.reportSuccess();
  }

  reportFailure(reason: string, isUnreachable: boolean): void {
    this.engine.reportFailure(reason, isUnreachable);
  }

  abstract shareAt(now: number): number;
  abstract followEvents(): void;
  abstract noteUnreadable(what: string): void;
  abstract noteBlockSize(tokens: number): void;
}
