import { broken } from "../format.ts";
import type { BrokenMedia, ImageInfo } from "../info.ts";

/** An image, unless its dimensions are 0 or no numbers of pixels. */
export function sized(image: Omit<ImageInfo, "kind">): ImageInfo | BrokenMedia {
  const { width, height, format } = image;
  const problem = width === 0 || height === 0 ? "empty" : width < 0 || height < 0 ? "invalid" : undefined;
  return problem === undefined ? { kind: "image", ...image } : broken({ medium: "image", format }, problem);
}
