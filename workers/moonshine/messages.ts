import type { TranscribedSegment } from "#runtime";

/** What the thread needs to load the model. */
export interface ThreadData {
  /** Holds the model's files. */
  readonly folder: string;
  /** CPU threads. */
  readonly threads: number;
}

/** Requests to the thread, which takes a request's next window only when asked for it. */
export type SpeechMessage =
  | {
      readonly kind: "begin";
      readonly id: number;
      readonly audio: Uint8Array;
      readonly temperature: number;
      /** Raised when the request is cancelled. */
      readonly cancelled: Int32Array;
    }
  | { readonly kind: "next"; readonly id: number }
  | { readonly kind: "end"; readonly id: number };

/** The audio is decoded. */
export interface BegunAudio {
  readonly kind: "begun";
  readonly audioSeconds: number;
  readonly computeSeconds: number;
}

/** A window is heard; its text was sent as it was. */
export interface HeardWindowResult {
  readonly kind: "window";
  /** Undefined if nothing was said in it. */
  readonly segment: TranscribedSegment | undefined;
  /** Whether there are no more. */
  readonly isLast: boolean;
  readonly computeSeconds: number;
  readonly tokens: number;
}

export type SpeechResult = BegunAudio | HeardWindowResult;
