import type { Corners } from "./geometry.ts";

/** What the thread needs to load the models. */
export interface ThreadData {
  /** Holds the models' files. */
  readonly folder: string;
  /** CPU threads. */
  readonly threads: number;
}

/** Asks the thread to read a picture. */
export interface ReadMessage {
  readonly kind: "read";
  readonly id: number;
  readonly picture: Uint8Array;
  /** Raised when the request is cancelled. */
  readonly cancelled: Int32Array;
}

/** A line of text in a picture. */
export interface TextLine {
  readonly text: string;
  /** The mean probability of its characters, 0 to 1. */
  readonly score: number;
  /**
   * Its corners in pixels of the picture as it is shown (turned as its EXIF data says): top left, top right, bottom right and
   * bottom left of the text, which may be slanted.
   */
  readonly box: Corners;
  /** Lines with the same number stand beside each other, such as cells of a table; counts from 0, in reading order. */
  readonly row: number;
}
