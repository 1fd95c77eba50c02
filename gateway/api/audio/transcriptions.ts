import type { Context } from "hono";
import type { TranscribeRefusal } from "#runtime";
import type { GatewayEnv } from "../../access/env.ts";
import { invalidRequest } from "../../kernel/errors.ts";
import type { WorkerSide } from "../../models/model.ts";
import { inexactPrompt, type Prompt } from "../../routing/prompt.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import type { OwnRoute } from "../endpoint.ts";
import { beginRequest, expectedAnswer, requireApi } from "../openai/request.ts";
import { refuseUnsupported, validate } from "../openai/validate.ts";
import { answerTranscription } from "./answer.ts";
import { formatted, wants } from "./format.ts";
import { completed, type TranscriptionForm, transcriptionRequest } from "./schemas.ts";

/** Parameters that would change the answer, and that workers do not support. */
const UNSUPPORTED = {
  include: "Workers' transcriptions have no log probabilities of their tokens.",
  known_speaker_names: "Workers do not tell speakers apart.",
  known_speaker_references: "Workers do not tell speakers apart.",
};

/** `POST /v1/audio/transcriptions` */
export const transcriptions: OwnRoute = (context, dependencies, raw, hasOthers) =>
  answer(context, dependencies, raw, hasOthers, "transcribe");

/** `POST /v1/audio/translations` */
export const translations: OwnRoute = (context, dependencies, raw, hasOthers) =>
  answer(context, dependencies, raw, hasOthers, "translate");

async function answer(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  raw: unknown,
  hasOthers: boolean,
  task: "transcribe" | "translate",
): Promise<Response> {
  const given = completed(raw);
  refuseUnsupported(given, UNSUPPORTED);
  const form = validate(transcriptionRequest, given);
  checkCombinations(form);
  const model = dependencies.models.ofWorkers(form.model);
  requireApi(model, task === "translate" ? "translations" : "transcriptions");
  checkTimes(form, model);
  const { bytes, filename } = form.file;
  if (bytes.length === 0) throw invalidRequest(`The file '${filename.slice(0, 100)}' is empty.`, "file");
  const expected = { promptTokens: 0, completionTokens: expectedAnswer(undefined) };
  const request = beginRequest(context, {}, model, "audio", expected, dependencies);
  const { requestId, preferences } = request;
  const job = {
    ...{ requestId, model, preferences },
    prompt: promptOf(bytes),
    isRepeatable: true,
    hasFallback: hasOthers,
    isStreamed: form.stream === true,
    refused: ({ field, message }: TranscribeRefusal) => invalidRequest(message, PARAMS[field]),
    request: {
      audio: bytes,
      translates: task === "translate",
      language: form.language?.toLowerCase(),
      prompt: form.prompt,
      temperature: form.temperature,
      words: wants(form, "word"),
      requestId,
    },
  };
  return answerTranscription(context, dependencies, {
    job,
    request,
    format: (result, headers) => formatted(result, form, task, headers),
  });
}

/** The form's field for what a worker refuses. */
const PARAMS: Record<TranscribeRefusal["field"], string> = {
  audio: "file",
  language: "language",
  words: "timestamp_granularities",
  translates: "model",
};

/** @throws ApiError 400 for parameters that exclude each other */
function checkCombinations({ response_format, stream, timestamp_granularities }: TranscriptionForm): void {
  if (timestamp_granularities !== undefined && response_format !== "verbose_json")
    throw invalidRequest(
      "'timestamp_granularities' needs 'response_format' to be 'verbose_json'.",
      "timestamp_granularities",
    );
  if (stream && response_format !== undefined && response_format !== "json" && response_format !== "text")
    throw invalidRequest(
      `A stream has no times: 'response_format' must be 'json' or 'text' with 'stream', but is '${response_format}'.`,
      "response_format",
    );
}

/** @throws ApiError 400 if the model has no times of words */
function checkTimes(form: TranscriptionForm, { card }: WorkerSide): void {
  if (!wants(form, "word") || card.features.wordTimes === true) return;
  throw invalidRequest(
    `The model '${card.name}' gives no times of words; ask for 'segment' alone.`,
    "timestamp_granularities",
    "unsupported_parameter",
  );
}

/** Bytes of 16-bit audio at 16 kHz for which a token stands; speech has about as many tokens. */
const TOKEN_BYTES = 6_400;
/** The most bytes for which `crypto` makes random numbers at once, as tokens. */
const MOST_TOKENS = 16_384;

/** Random tokens in place of a prompt: the router sees the request's load, and nothing that any worker has cached. */
const promptOf = ({ length }: Uint8Array): Prompt =>
  inexactPrompt(
    crypto.getRandomValues(new Uint32Array(Math.min(MOST_TOKENS, Math.ceil(length / TOKEN_BYTES)))),
  );
