/**
 * What is wrong with a file:
 * - `unsupported`: it is not a picture of a known format;
 * - `damaged`: it is cut off, or its content is not what its header says;
 * - `too_large`: it has too many pixels, or takes too long to decode.
 */
export type PictureProblem = "unsupported" | "damaged" | "too_large";

/** A file cannot be read as a picture; the message is a sentence for whoever sent it. */
export class PictureError extends Error {
  override name = "PictureError";
  readonly problem: PictureProblem;

  constructor(problem: PictureProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}
