export {
  type FinishReason,
  type KvTransfer,
  type TopLogprobs,
  type TransferOutcome,
  transferOutcomes,
} from "./delta.ts";
export { DeltaDecoder } from "./delta-decoder.ts";
export { DeltaEncoder, type DeltaEncoderOptions } from "./delta-encoder.ts";
export { decodeEmbeddings, decodeEmbedRequest, encodeEmbeddings, encodeEmbedRequest } from "./embed.ts";
export {
  decodeEncodeRequest,
  decodeEncodeResponse,
  type EncodedMedium,
  type EncodeRequest,
  encodeEncodeRequest,
  encodeEncodeResponse,
  encodeEndpoint,
  type MediumToEncode,
} from "./encode.ts";
export type { KvSource } from "./kv-source.ts";
export {
  decodePrefillResponse,
  encodePrefillResponse,
  type PrefillResponse,
  prefillEndpoint,
} from "./prefill.ts";
export {
  decodeGenerateRequest,
  encodeGenerateRequest,
  type GenerateRequest,
  type Grammar,
  mediaKinds,
  type PromptMedium,
  type Sampling,
} from "./request.ts";
export {
  bytesToTokens,
  decodeTokenizeRequest,
  encodeTokenizeRequest,
  type TokenizeRequest,
  tokensToBytes,
} from "./tokens.ts";
export {
  decodeTranscribeEvent,
  decodeTranscribeRequest,
  encodeTranscribeEvent,
  encodeTranscribeRequest,
  type Transcribed,
  type TranscribedSegment,
  type TranscribedWord,
  type TranscribeEvent,
  type TranscribeRefusal,
  type TranscribeRequest,
  timesRealTime,
  timesRealTimeBuckets,
  transcribeEndpoint,
} from "./transcribe.ts";
export { EncodedVocabulary, encodeVocabulary, type TokenPiece } from "./vocabulary.ts";
