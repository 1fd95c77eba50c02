import { messageOf, type Warnings, within } from "#runtime";
import type { EncodeMetrics } from "../../kernel/metrics.ts";

/** Why a medium was not encoded beforehand after all, for metrics. */
export type EncodeFailure =
  | "encoder_unreachable"
  | "encoder_lost"
  | "encoder_timeout"
  | "encoder_refused"
  | "encoder_unusable"
  | "encoder_hung";

export class EncodeError extends Error {
  readonly reason: EncodeFailure;

  /** @param message a sentence */
  constructor(reason: EncodeFailure, message: string) {
    super(message);
    this.name = "EncodeError";
    this.reason = reason;
  }
}

/** Whom to tell that media of a request were not encoded beforehand. */
export interface EncodeFailureContext {
  readonly metrics: Pick<EncodeMetrics, "count">;
  readonly warnings: Warnings;
  readonly requestId: string;
}

/** Logs that media were not encoded, and counts them. */
export function reportEncodeFailure(
  { metrics, warnings, requestId }: EncodeFailureContext,
  error: unknown,
  media: number,
): void {
  metrics.count("fallback", error instanceof EncodeError ? error.reason : "encoder_unusable", media);
  warnings.warn("encode", "media were not encoded by an encode worker", {
    request: requestId,
    reason: messageOf(error),
  });
}

/** @throws EncodeError if it takes longer than `ms` */
export const answerWithin = <Value>(ms: number, work: Promise<Value>): Promise<Value> =>
  within(ms, work, () => new EncodeError("encoder_timeout", `It did not answer within ${ms / 1000} s.`));
