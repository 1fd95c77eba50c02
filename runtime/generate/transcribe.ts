import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { TranscribeEventSchema, TranscribeRequestSchema } from "#proto";
import { PlaneError } from "../request-plane/types.ts";

/** The worker's endpoint that turns speech into text. */
export const transcribeEndpoint = "transcribe";

/** Speech to turn into text: `stator.v1.TranscribeRequest`. */
export interface TranscribeRequest {
  /** The audio file, as the client sent it. */
  readonly audio: Uint8Array;
  /** Whether the text is to be in English, whatever language is spoken. */
  readonly translates: boolean;
  /** The language that is spoken, ISO 639-1; undefined if the worker is to find out. */
  readonly language?: string | undefined;
  /** Text that may precede the speech: spelling and style to keep to. */
  readonly prompt?: string | undefined;
  /** Sampling temperature, from 0. Default: the worker's choice. */
  readonly temperature?: number | undefined;
  /** Whether the words' times are wanted too. */
  readonly words: boolean;
  /** For logs. */
  readonly requestId: string;
}

/** A part of a transcription, in the order of the speech: `stator.v1.TranscribeEvent`. */
export interface TranscribeEvent {
  /** Text to append to what came before. */
  readonly text: string;
  /** Segments whose text is complete. */
  readonly segments?: readonly TranscribedSegment[] | undefined;
  /** Words, if they were asked for. */
  readonly words?: readonly TranscribedWord[] | undefined;
  /** In the last event. */
  readonly done?: Transcribed | undefined;
  /** In the only event, in place of an answer. */
  readonly refusal?: TranscribeRefusal | undefined;
}

/** A stretch of speech. Times are in seconds from the start of the audio. */
export interface TranscribedSegment {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** The model's own token ids. */
  readonly tokens: readonly number[];
  /** Mean natural logarithm of the tokens' probabilities. */
  readonly meanLogprob?: number | undefined;
  /** Probability that it is no speech. */
  readonly noSpeech?: number | undefined;
}

/** Times are in seconds from the start of the audio. */
export interface TranscribedWord {
  readonly start: number;
  readonly end: number;
  readonly word: string;
}

/** What has been transcribed. */
export interface Transcribed {
  /** Length of the audio. */
  readonly audioSeconds: number;
  /** Time that the engine computed, without waiting for other requests. */
  readonly computeSeconds: number;
  /** The language of the text, ISO 639-1; empty if not known. */
  readonly language: string;
  /** Tokens generated. */
  readonly tokens: number;
}

/** Seconds of audio transcribed in a second of compute: the reciprocal of the field's real-time factor. */
export const timesRealTime = ({ audioSeconds, computeSeconds }: Transcribed): number =>
  audioSeconds / Math.max(computeSeconds, 0.001);

/** Bucket bounds of histograms of `timesRealTime`. */
export const timesRealTimeBuckets = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128];

/** Why a request cannot be served as it is. */
export interface TranscribeRefusal {
  /** The field of the request that is wrong. */
  readonly field: "audio" | "language" | "words" | "translates";
  /** A sentence for the client. */
  readonly message: string;
}

/** One call of a worker's `transcribe` endpoint as bytes. */
export const encodeTranscribeRequest = (request: TranscribeRequest): Uint8Array =>
  toBinary(TranscribeRequestSchema, create(TranscribeRequestSchema, request));

/**
 * Decodes the output of `encodeTranscribeRequest`. The audio is a view of `payload`.
 *
 * @throws PlaneError `invalid_request` if the bytes are not a valid request
 */
export function decodeTranscribeRequest(payload: Uint8Array): TranscribeRequest {
  const { audio, translates, language, prompt, temperature, words, requestId } = decoded(() =>
    fromBinary(TranscribeRequestSchema, payload),
  );
  return { audio, translates, language, prompt, temperature, words, requestId };
}

/** One message of the answer as bytes. */
export function encodeTranscribeEvent({ segments, words, ...event }: TranscribeEvent): Uint8Array {
  const message = create(TranscribeEventSchema, {
    ...event,
    segments: segments?.map((segment) => ({ ...segment, tokens: [...segment.tokens] })) ?? [],
    words: words?.map((word) => ({ ...word })) ?? [],
  });
  return toBinary(TranscribeEventSchema, message);
}

/**
 * Decodes the output of `encodeTranscribeEvent`.
 *
 * @throws PlaneError `invalid_request` if the bytes are not a valid event
 */
export function decodeTranscribeEvent(message: Uint8Array): TranscribeEvent {
  const { text, segments, words, done, refusal } = decoded(() => fromBinary(TranscribeEventSchema, message));
  return {
    text,
    segments: segments.map(({ start, end, text, tokens, meanLogprob, noSpeech }) => ({
      ...{ start, end, text, tokens },
      ...{ meanLogprob, noSpeech },
    })),
    words: words.map(({ start, end, word }) => ({ start, end, word })),
    done: done && {
      audioSeconds: done.audioSeconds,
      computeSeconds: done.computeSeconds,
      language: done.language,
      tokens: done.tokens,
    },
    refusal: refusal && { field: fieldOf(refusal.field), message: refusal.message },
  };
}

/** A newer worker may refuse a field that this version does not know; the audio is what every request has. */
const fieldOf = (field: string): TranscribeRefusal["field"] =>
  field === "language" || field === "words" || field === "translates" ? field : "audio";

function decoded<Message>(decode: () => Message): Message {
  try {
    return decode();
  } catch (cause) {
    throw new PlaneError("invalid_request", "The transcribe message is not valid protobuf.", { cause });
  }
}
