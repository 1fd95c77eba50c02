import { z } from "zod";
import { list, number, optionalChoice } from "../spec.ts";

/** Images, audio, video and documents in requests. */
export const media = {
  media: optionalChoice(["fetch", "refuse"], {
    describe:
      "Whether media are fetched from URLs in requests. Default: refuse; with --media-domains, fetch.",
    placeholder: "fetch|refuse",
  }),
  "media-domains": list({
    describe: "Hosts that media are fetched from; any, or none. Default: all but private networks.",
    placeholder: "HOST,…",
    item: z.string().regex(/^[\w.-]+$/, "it must be a host name, any, or none"),
  }),
  "media-limit": number({
    describe: "Largest image, audio, video or document in bytes.",
    default: 25 * 1024 * 1024,
    min: 1024,
    placeholder: "BYTES",
  }),
  "media-count": number({
    describe: "Most media in one request.",
    default: 100,
    min: 1,
    max: 10_000,
  }),
  "media-pixels": number({
    describe: "Most pixels of one image.",
    default: 100_000_000,
    min: 1,
  }),
  "media-timeout": number({
    describe: "Seconds within which a medium must be fetched.",
    default: 10,
    min: 0.1,
    max: 600,
    int: false,
  }),
  "media-cache": number({
    describe: "Memory for fetched media in bytes; 0 keeps none.",
    default: 64 * 1024 * 1024,
    min: 0,
    placeholder: "BYTES",
  }),
};
