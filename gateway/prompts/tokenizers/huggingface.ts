import { z } from "zod";
import { decodeByteLevel, decodeSentencePiece } from "#runtime";
import { createTokenizer, type Encoder, type Tokenizer } from "./tokenizer.ts";
import { createVocabulary, type VocabularyEntry } from "./vocabulary.ts";

/** Creates an encoder from a `tokenizer.json`, with a native library on Node and a portable one elsewhere. */
export type EncoderFactory = (tokenizerJson: string) => Encoder | Promise<Encoder>;

const tokenizerFile = z.object({
  model: z.object({
    vocab: z.union([z.record(z.string(), z.number()), z.array(z.tuple([z.string(), z.number()]))]),
  }),
  added_tokens: z
    .array(z.object({ id: z.number().int(), content: z.string(), special: z.boolean() }))
    .default([]),
  normalizer: z.unknown(),
  pre_tokenizer: z.unknown(),
  decoder: z.unknown(),
});

/**
 * Reads a Hugging Face `tokenizer.json`.
 * @throws Error if the file is invalid
 */
export async function openHuggingFaceTokenizer(
  json: string,
  createEncoder: EncoderFactory,
): Promise<Tokenizer> {
  const file = tokenizerFile.parse(JSON.parse(json));
  const vocabulary = createVocabulary(readPieces(file));
  const splitsAtControlTokens =
    !/"prepend_scheme":"(first|always)"|"type":"Prepend"|"add_prefix_space":true/.test(
      JSON.stringify([file.normalizer, file.pre_tokenizer]),
    );
  return createTokenizer(vocabulary, await createEncoder(json), { splitsAtControlTokens });
}

function readPieces(file: z.infer<typeof tokenizerFile>): VocabularyEntry[] {
  const pieces: VocabularyEntry[] = [];
  const toBytes = pieceDecoder(JSON.stringify(file.decoder ?? null));
  const vocab = file.model.vocab;
  if (Array.isArray(vocab)) {
    vocab.forEach(([text], id) => {
      pieces[id] = { bytes: toBytes(text), control: false };
    });
  } else {
    for (const [text, id] of Object.entries(vocab)) pieces[id] = { bytes: toBytes(text), control: false };
  }
  const encoder = new TextEncoder();
  for (const token of file.added_tokens) {
    pieces[token.id] = { bytes: encoder.encode(token.content), control: token.special };
  }
  return Array.from(pieces, (piece) => piece ?? { bytes: new Uint8Array(0), control: true });
}

/** Returns the function that decodes vocabulary entries to bytes, according to the tokenizer's decoder. */
function pieceDecoder(decoder: string): (piece: string) => Uint8Array {
  if (decoder.includes('"ByteLevel"')) return decodeByteLevel;
  if (!decoder.includes('"WordPiece"')) return decodeSentencePiece;
  const encoder = new TextEncoder();
  return (piece) => encoder.encode(piece.startsWith("##") ? piece.slice(2) : ` ${piece}`);
}
