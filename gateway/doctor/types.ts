import type { EngineReport } from "../models/engine-report.ts";

/** What a check is about. */
export type CheckId =
  | "answers"
  | "test-request"
  | "prefix-caching"
  | "kv-events"
  | "kv-events-connection"
  | "kv-events-arrive"
  | "kv-events-readable"
  | "block-size"
  | "tokens"
  | "prediction"
  | "cached-tokens"
  | "media"
  | "replay"
  | "load"
  | "kv-handoff"
  | "same-block-size"
  | "same-tokenizer"
  | "same-model";

/** The result of one check, in words for readers who do not know KV events. */
export interface Check {
  readonly id: CheckId;
  /**
   * `problem`: something keeps KV routing from working fully, and can be fixed. `note`: the same, but minor or not
   * fixable. `skipped`: could not be checked because of something else.
   */
  readonly status: "ok" | "problem" | "note" | "skipped";
  /** What was observed, as a sentence. */
  readonly text: string;
  /** What it costs, as a sentence. */
  readonly cost?: string | undefined;
  /** What to do about it, as a sentence. */
  readonly fix?: string | undefined;
  /** The engine's flag that fixes it, as typed on its command line. */
  readonly flag?: string | undefined;
}

/** One engine, and whether requests can be routed by what its cache holds. */
export interface EngineDiagnosis {
  /** The engine as `stator attach` shows it. */
  readonly engine: EngineReport;
  readonly checks: readonly Check[];
}

/** The doctor's findings. */
export interface Diagnosis {
  readonly engines: readonly EngineDiagnosis[];
  /** Checks across engines. */
  readonly together: readonly Check[];
  /** Whether there is no problem. */
  readonly isWell: boolean;
}
