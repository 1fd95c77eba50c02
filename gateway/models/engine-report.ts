import type { EngineKind, Limitation } from "../engines/types.ts";
import type { Feed } from "../feeds/feed.ts";
import type { PromptReader } from "../prompts/prompt-reader.ts";
import { textReader } from "../prompts/text-reader.ts";
import type { RoutedCard } from "../routing/workers.ts";
import type { EngineConnection } from "./members/engine-connection.ts";
import { roleOf } from "./members/engine-spec.ts";
import type { EngineState } from "./members/engine-watch.ts";

/** The state of an attached engine, for users and the admin API. */
export interface EngineReport {
  readonly name: string;
  readonly url: string;
  readonly state: EngineState;
  /** Why it is not ready. */
  readonly reason: string | undefined;
  readonly kind: EngineKind | undefined;
  readonly role: RoutedCard["role"];
  readonly version: string | undefined;
  readonly models: readonly EngineModelReport[];
  readonly blockSize: number | undefined;
  readonly totalBlocks: number | undefined;
  readonly dataParallelSize: number;
  readonly kvEvents: KvEventsReport;
  readonly limitations: readonly Limitation[];
}

export interface EngineModelReport {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly adapters: readonly string[];
  readonly contextLength: number | undefined;
  /** The source of the tokens by which the router compares prompts. */
  readonly tokens: string;
}

export interface KvEventsReport {
  /** `none`: the gateway predicts the engine's cache from the requests it sends. */
  readonly kind: "zmq" | "poll" | "none";
  readonly endpoints: readonly string[];
  readonly isConnected: boolean;
  readonly batches: number;
  /** How often a batch was missing; undefined if that is not counted. */
  readonly gaps?: number | undefined;
}

/** The parts of an engine that a report needs. */
export interface KnownEngine
  extends Pick<
    EngineConnection,
    "name" | "spec" | "state" | "reason" | "profile" | "sources" | "limitations" | "blockSize"
  > {
  readonly feed: Pick<Feed, "isConnected" | "batches"> | undefined;
}

/** @param promptsOf the prompt reader of a model, if it has one */
export async function reportEngine(
  engine: KnownEngine,
  promptsOf: (model: string) => Promise<PromptReader> | PromptReader | undefined,
): Promise<EngineReport> {
  const { name, spec, state, reason, profile, sources, feed, limitations } = engine;
  const models = await Promise.all(
    (profile?.models ?? []).map(async (model) => {
      const prompts = await promptsOf(model.name);
      const { contextLength, aliases, adapters } = model;
      return { name: model.name, aliases, adapters, contextLength, tokens: prompts?.source ?? "not known" };
    }),
  );
  return {
    name,
    url: spec.url,
    state,
    reason,
    kind: profile?.kind,
    role: roleOf(spec, profile),
    version: profile?.version,
    models,
    blockSize: engine.blockSize,
    totalBlocks: profile?.totalBlocks,
    dataParallelSize: profile?.dataParallelSize ?? 1,
    kvEvents: {
      kind: sources[0]?.kind ?? "none",
      endpoints: sources.flatMap((source) => (source.kind === "zmq" ? [source.endpoint] : [])),
      isConnected: feed?.isConnected ?? false,
      batches: feed?.batches ?? 0,
    },
    limitations: [
      // SGLang's encoders list none.
      ...(profile?.models.length === 0 && profile.role !== "encode" ? [NO_MODEL] : []),
      ...limitations.filter(({ code }) => code !== "tokenizer" || needsTokens(sources, models)),
    ],
  };
}

const NO_MODEL: Limitation = {
  code: "models",
  what: "it serves no model, so it gets no requests",
  flag: undefined,
};

/** Whether there are KV events but no tokenizer to match prompts with them. */
function needsTokens({ length }: KnownEngine["sources"], models: readonly EngineModelReport[]): boolean {
  return length > 0 && models.some(({ tokens }) => tokens === textReader.source);
}
