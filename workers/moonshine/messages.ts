import type { TranscribedSegment } from "#runtime";

/** What the thread needs to load the model. */
export interface ThreadData {
  /** Holds the model's files. */
  readonly folder: string;
  /** CPU threads. */
  readonly threads: number;
}

/** Messages to the thread. It handles them one after another, and a request's next window only when asked for it. */
export type ToThread =
  | {
      readonly kind: "begin";
      readonly id: number;
      readonly audio: Uint8Array;
      readonly temperature: number;
      /** Its first number is set to 1 when the request is cancelled. */
      readonly cancelled: Int32Array;
    }
  | { readonly kind: "next"; readonly id: number }
  | { readonly kind: "end"; readonly id: number }
  | { readonly kind: "close" };

export type FromThread =
  | { readonly kind: "ready" }
  | { readonly kind: "unready"; readonly message: string }
  | {
      readonly kind: "begun";
      readonly id: number;
      readonly audioSeconds: number;
      readonly computeSeconds: number;
    }
  | { readonly kind: "text"; readonly id: number; readonly text: string }
  | {
      readonly kind: "window";
      readonly id: number;
      /** Undefined if nothing was said in it. */
      readonly segment: TranscribedSegment | undefined;
      /** Whether there are no more. */
      readonly isLast: boolean;
      readonly computeSeconds: number;
      readonly tokens: number;
    }
  /** @param isAudio whether the file is to blame */
  | { readonly kind: "failed"; readonly id: number; readonly message: string; readonly isAudio: boolean };
