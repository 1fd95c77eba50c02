import type { ModelCard } from "#runtime";
import type { Engine } from "./engine.ts";
import { promptlessEngine } from "./promptless-engine.ts";

/** What a speech model has of its own. */
export interface SpeechModel extends Pick<Engine, "stats" | "close"> {
  readonly name: string;
  readonly aliases?: readonly string[] | undefined;
  readonly engine: ModelCard["engine"];
  /** Whether it can translate speech into English too. */
  readonly translates: boolean;
  /** Whether it gives the times of words. */
  readonly wordTimes: boolean;
  /** Requests that it takes at once. */
  readonly maxSequences: number;
  readonly transcribe: NonNullable<Engine["transcribe"]>;
}

/** The engine of a model that only turns speech into text. */
export function speechEngine(model: SpeechModel): Engine {
  const { name, aliases, engine, wordTimes, maxSequences, stats, close, transcribe } = model;
  return {
    ...promptlessEngine({
      ...{ name, aliases, engine, wordTimes, maxSequences },
      apis: model.translates ? ["transcriptions", "translations"] : ["transcriptions"],
      nature: "This is a speech model; it answers no prompts.",
    }),
    ...{ stats, close, transcribe },
  };
}
