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
