import type { EngineReport } from "../models/engine-report.ts";

/** What was looked at. */
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
  | "replay"
  | "load"
  | "same-block-size"
  | "same-tokenizer"
  | "same-model";

/** What came of one look, in words for people who have never heard of KV events. */
export interface Check {
  readonly id: CheckId;
  /**
   * `problem`: KV routing does not work as it could, and somebody can mend it. `note`: the same, less grave or for
   * good. `skipped`: could not be looked at, because of something else.
   */
  readonly status: "ok" | "problem" | "note" | "skipped";
  /** A sentence: what was seen. */
  readonly text: string;
  /** A sentence: what it costs. */
  readonly cost?: string | undefined;
  /** What to do about it, as a sentence. */
  readonly fix?: string | undefined;
  /** The engine's flag that mends it, as it is typed. */
  readonly flag?: string | undefined;
}

/** One engine, and whether requests can be routed by what its cache holds. */
export interface EngineDiagnosis {
  /** As `stator attach` shows it. */
  readonly engine: EngineReport;
  readonly checks: readonly Check[];
}

/** What the doctor has found. */
export interface Diagnosis {
  readonly engines: readonly EngineDiagnosis[];
  /** Of engines beside each other. */
  readonly together: readonly Check[];
  /** Whether there is no problem. */
  readonly isWell: boolean;
}
