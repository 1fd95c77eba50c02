export type { FinishReason, TopLogprobs } from "./delta.ts";
export { DeltaDecoder } from "./delta-decoder.ts";
export { DeltaEncoder, type DeltaEncoderOptions } from "./delta-encoder.ts";
export { decodeEmbeddings, decodeEmbedRequest, encodeEmbeddings, encodeEmbedRequest } from "./embed.ts";
export {
  decodeGenerateRequest,
  encodeGenerateRequest,
  type GenerateRequest,
  type Sampling,
} from "./request.ts";
export {
  bytesToTokens,
  decodeTokenizeRequest,
  encodeTokenizeRequest,
  type TokenizeRequest,
  tokensToBytes,
} from "./tokens.ts";
export { EncodedVocabulary, encodeVocabulary, type TokenPiece } from "./vocabulary.ts";
