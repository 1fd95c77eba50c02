import { z } from "zod";
import { jsonOf } from "../kernel/json.ts";
import { mediaTokensOf } from "../media/tokens/index.ts";
import { type MediaPlaces, placeholdersIn } from "./media.ts";
import type { PromptReader } from "./prompt-reader.ts";
import { PromptTemplate } from "./prompt-template.ts";
import type { EncoderFactory } from "./tokenizers/huggingface.ts";
import { openHuggingFaceTokenizer } from "./tokenizers/huggingface.ts";
import { tokenizingReader } from "./tokenizing-reader.ts";

export interface FolderAccess {
  /** The text of a file; undefined if it does not exist. */
  readTextFile(path: string): Promise<string | undefined>;
  createEncoder: EncoderFactory;
  /** Hugging Face's hub cache, which has models by id; undefined if there is none. */
  readonly hubCache: string | undefined;
}

const specialToken = z.union([
  z.string(),
  z.object({ content: z.string() }).transform(({ content }) => content),
]);

const tokenizerConfig = z.object({
  bos_token: specialToken.nullish(),
  eos_token: specialToken.nullish(),
  chat_template: z
    .union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))])
    .nullish(),
});

/**
 * Reads a model's tokenizer and chat template from a local folder or the hub cache.
 * @param source a folder or hub id, as given by the engine
 * @returns undefined if there is no tokenizer
 * @throws Error if the files cannot be read
 */
export async function readModelFolder(
  source: string,
  access: FolderAccess,
): Promise<PromptReader | undefined> {
  const folder = await folderOf(source, access);
  const json = folder && (await access.readTextFile(`${folder}/tokenizer.json`));
  if (folder === undefined || json === undefined) return undefined;
  const config = tokenizerConfig.parse(
    JSON.parse((await access.readTextFile(`${folder}/tokenizer_config.json`)) ?? "{}"),
  );
  const source_ =
    (await access.readTextFile(`${folder}/chat_template.jinja`)) ?? defaultTemplate(config.chat_template);
  const specialTexts = { bos: config.bos_token ?? undefined, eos: config.eos_token ?? undefined };
  const tokenizer = await openHuggingFaceTokenizer(json, access.createEncoder);
  return tokenizingReader({
    source: `tokenizer.json in ${folder}`,
    template: source_ === undefined ? undefined : new PromptTemplate(source_, specialTexts),
    encode: (text) => tokenizer.encode(text),
    prefix: prefixOf(JSON.parse(json)),
    media: await mediaPlacesOf(folder, json, (text) => tokenizer.encode(text), access),
  });
}

/** How the model's prompts have media, from its configuration. */
async function mediaPlacesOf(
  folder: string,
  tokenizerJson: string,
  encode: (text: string) => Promise<Uint32Array>,
  { readTextFile }: FolderAccess,
): Promise<MediaPlaces> {
  const read = async (name: string) => jsonOf((await readTextFile(`${folder}/${name}`)) ?? "");
  const [config, preprocessor, videoPreprocessor, processor] = await Promise.all([
    read("config.json"),
    read("preprocessor_config.json"),
    read("video_preprocessor_config.json"),
    read("processor_config.json"),
  ]);
  // Short texts, such as times of frames. Clients' media decide which, so they are bounded.
  const known = new Map<string, Uint32Array>();
  const missing = new Set<string>();
  const settle = async () => {
    const texts = [...missing];
    missing.clear();
    if (known.size > MOST_TEXTS) known.clear();
    await Promise.all(texts.map(async (text) => known.set(text, await encode(text))));
    return texts.length > 0;
  };
  const added = addedTokens.safeParse(JSON.parse(tokenizerJson));
  const ids = new Map(added.data?.added_tokens?.map(({ content, id }) => [content, id]));
  const tokens = mediaTokensOf({
    config,
    preprocessor,
    videoPreprocessor,
    processor,
    tokenId: (text) => ids.get(text),
    encode(text) {
      const ids = known.get(text);
      if (ids === undefined) missing.add(text);
      return ids;
    },
  });
  const placeholders = placeholdersIn(config);
  for (const kind of ["image", "audio", "video"] as const) {
    const token = tokens?.placeholder(kind);
    if (token !== undefined) placeholders.add(token);
  }
  // Some families read texts right away.
  await settle();
  return { placeholders, tokens, settle };
}

const MOST_TEXTS = 10_000;

const addedTokens = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.number(), content: z.string() })).nullish(),
});

async function folderOf(
  source: string,
  { readTextFile, hubCache }: FolderAccess,
): Promise<string | undefined> {
  if (source.startsWith("/")) return source.replace(/\/+$/, "");
  if (hubCache === undefined || !/^[\w.-]+\/[\w.-]+$/.test(source) || source.includes("..")) return undefined;
  const folder = `${hubCache}/models--${source.replace("/", "--")}`;
  const commit = (await readTextFile(`${folder}/refs/main`))?.trim();
  return commit === undefined || !/^\w+$/.test(commit) ? undefined : `${folder}/snapshots/${commit}`;
}

function defaultTemplate(templates: z.infer<typeof tokenizerConfig>["chat_template"]): string | undefined {
  if (typeof templates === "string") return templates;
  return templates?.find(({ name }) => name === "default")?.template;
}

const postProcessor = z.object({
  post_processor: z
    .object({
      single: z.array(z.record(z.string(), z.object({ id: z.string() }))).nullish(),
      special_tokens: z.record(z.string(), z.object({ ids: z.array(z.number().int()) })).nullish(),
      processors: z.array(z.unknown()).nullish(),
    })
    .nullish(),
});

/** Token ids that the tokenizer's post-processor (`TemplateProcessing`) prepends to a text. */
function prefixOf(tokenizerJson: unknown): number[] {
  const parsed = postProcessor.safeParse(tokenizerJson);
  if (!parsed.success || !parsed.data.post_processor) return [];
  const { single, special_tokens, processors } = parsed.data.post_processor;
  if (processors) return processors.flatMap((processor) => prefixOf({ post_processor: processor }));
  const ids: number[] = [];
  for (const piece of single ?? []) {
    const token = piece.SpecialToken;
    if (token === undefined) break;
    ids.push(...(special_tokens?.[token.id]?.ids ?? []));
  }
  return ids;
}
