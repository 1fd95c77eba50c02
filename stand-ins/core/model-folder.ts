import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CHAT_TEMPLATE } from "./template.ts";
import { CONTROL_TOKENS, END_OF_TURN, VOCABULARY_SIZE } from "./tokens.ts";

/**
 * Writes the stand-ins' model as a Hugging Face folder with the files that a gateway reads: `tokenizer.json`,
 * `tokenizer_config.json` with the chat template, and `config.json`.
 */
export async function writeModelFolder(folder: string, contextLength = 8192): Promise<void> {
  await mkdir(folder, { recursive: true });
  const added = CONTROL_TOKENS.map((content, index) => ({
    id: 256 + index,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(byteCharacters().map((character, byte) => [character, byte])),
      merges: [],
    },
  };
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    chat_template: CHAT_TEMPLATE,
    eos_token: CONTROL_TOKENS[END_OF_TURN - 256],
    pad_token: "<|endoftext|>",
    add_bos_token: false,
    clean_up_tokenization_spaces: false,
    model_max_length: contextLength,
  };
  const model = {
    model_type: "stand-in",
    vocab_size: VOCABULARY_SIZE,
    eos_token_id: END_OF_TURN,
    max_position_embeddings: contextLength,
  };
  const files = { "tokenizer.json": tokenizer, "tokenizer_config.json": config, "config.json": model };
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), `${JSON.stringify(content, null, 2)}\n`);
  }
}

/** The character for each byte in byte-level vocabularies: itself if it is visible. */
function byteCharacters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const isVisible = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCharCode(isVisible ? byte : next++);
  });
}
