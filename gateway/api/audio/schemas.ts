import { z } from "zod";
import { type FormFile, isFormFile } from "../../kernel/multipart.ts";

/** Fields are text, and an empty one is one that was left out. */
const optional = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((value) => (value === "" ? undefined : value), schema.optional());

/** A list, of which forms may have a single item under its plain name. */
const listOf = <Schema extends z.ZodType>(item: Schema) =>
  z.preprocess((value) => (typeof value === "string" ? [value] : value), z.array(item).optional());

const number = z.coerce.number();

const file = z
  .custom<FormFile>(isFormFile, { error: "It must be a file: a part with a filename." })
  .meta({ type: "string", format: "binary", description: "The audio file." });

const granularity = z.enum(["segment", "word"]);

/** The form of `/v1/audio/transcriptions` and `/v1/audio/translations`. */
export const transcriptionRequest = z.object({
  file,
  model: z.string(),
  language: optional(z.string().max(40)).describe("The language that is spoken, ISO 639-1."),
  prompt: optional(z.string().max(10_000)).describe("Text that may precede the speech."),
  response_format: optional(z.enum(["json", "text", "srt", "verbose_json", "vtt"])),
  temperature: optional(number.min(0).max(1)),
  timestamp_granularities: listOf(granularity).describe("Needs `verbose_json`. Default: segment."),
  stream: optional(z.stringbool({ truthy: ["true", "1"], falsy: ["false", "0"] })),
  include: listOf(z.string()),
  chunking_strategy: z.preprocess(
    (value) => (value === "" ? undefined : value),
    z
      .union([
        z.literal("auto"),
        z.object({
          type: z.literal("server_vad"),
          prefix_padding_ms: number.min(0).optional(),
          silence_duration_ms: number.min(0).optional(),
          threshold: number.min(0).max(1).optional(),
        }),
      ])
      .optional(),
  ),
});

export type TranscriptionForm = z.infer<typeof transcriptionRequest>;
