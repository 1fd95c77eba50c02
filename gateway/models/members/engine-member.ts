import type { EngineAdapter, EngineApi, EngineModel } from "../../engines/types.ts";
import type { EngineSpec } from "./engine-spec.ts";
import type { Member } from "./member.ts";
import type { ObservedAnswer } from "./observed-limitations.ts";

/** An attached engine, for whoever sends it requests and sees its answers. */
export interface EngineTarget {
  readonly name: string;
  /** Scheme, host and port. */
  readonly origin: string;
  /** What comes before `/v1` in the engine's paths. */
  readonly basePath: string;
  readonly spec: Pick<EngineSpec, "apiKey">;
  readonly api: EngineApi;
  /** Undefined until it is known what it is. */
  readonly adapter: EngineAdapter | undefined;
  readonly state: string;
  /** Whether a chat's last message may be a partial answer that the engine continues. */
  readonly continuesMessages: boolean;
  /** It may serve other models than it listed last. */
  rereadModels(): void;
  /** A whole answer has come. */
  observe(answer: ObservedAnswer): void;
}

/** One model of an attached engine, which is sent requests as they come. */
export interface EngineMember extends Member {
  readonly kind: "engine";
  readonly engine: EngineTarget;
  /** As the engine lists it now: its adapters come and go. */
  readonly model: EngineModel;
}
