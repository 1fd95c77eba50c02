import { readGgufFileInfo } from "node-llama-cpp";

/**
 * The default model's `tokenizer.json`, as on Hugging Face for SmolLM2, built from the vocabulary and merges in its GGUF
 * file.
 */
export async function smolTokenizerJson(modelPath: string): Promise<string> {
  const { metadata } = await readGgufFileInfo(modelPath, { readTensorInfo: false });
  const { tokens, token_type: types, merges } = metadata.tokenizer.ggml;
  const isControl = (id: number) => types?.[id] === 3;
  return JSON.stringify({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: tokens.flatMap((content, id) =>
      isControl(id)
        ? [
            {
              id,
              content,
              single_word: false,
              lstrip: false,
              rstrip: false,
              normalized: false,
              special: true,
            },
          ]
        : [],
    ),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Digits", individual_digits: true },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  });
}
