import { numberIn } from "./json.ts";

/** The id of an image's placeholder in config.json, by the older or the newer name. */
export function imageToken(config: unknown): number | undefined {
  return numberIn(config, "image_token_index") ?? numberIn(config, "image_token_id");
}

/** The same for a video's. */
export function videoToken(config: unknown): number | undefined {
  return numberIn(config, "video_token_index") ?? numberIn(config, "video_token_id");
}
