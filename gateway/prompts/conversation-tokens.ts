/** A chat in the format of an engine's tokenizer: messages, and all other fields that affect the tokens. */
export type ChatFields = Readonly<Record<string, unknown>>;

/** Tokenizes a chat with an engine. */
export type TokenizeChat = (chat: ChatFields) => Promise<Uint32Array>;

/** A message after a particular sequence of messages. */
interface Node {
  readonly id: number;
  /** The id of the previous message's node, and the JSON of this message. */
  readonly key: string;
  /** Of the conversation up to here, with the generation prompt; undefined if never requested. */
  tokens: Promise<Uint32Array> | undefined;
  /** Estimated memory in bytes. */
  bytes: number;
}

/** Whether combined parts can be trusted to equal the whole conversation's tokens. */
interface Trust {
  /** How many times they were equal. */
  matches: number;
  isBroken: boolean;
  /** Conversations combined since the last check. */
  unchecked: number;
}

/** Matches needed before parts are combined without a check against the whole. */
const NEEDED_MATCHES = 3;
/** After this many unchecked conversations, the next one is checked again. */
const RECHECK_AFTER = 64;
const MOST_BYTES = 64 * 1024 * 1024;

const USER = { role: "user", content: "." };
const ASSISTANT = { role: "assistant", content: "." };

/**
 * Tokenizes conversations, and when one continues, only its new messages: the engine tokenizes them after a short
 * stand-in conversation, and their tokens are appended to the known ones. Some models' templates render earlier
 * messages differently from later ones, so the first results, and some later ones, are checked against the whole
 * conversation; if they differ, whole conversations are tokenized.
 */
export class ConversationTokens {
  readonly #tokenize: TokenizeChat;
  readonly #mostBytes: number;
  /** Least recently used first. */
  readonly #nodes = new Map<string, Node>();
  readonly #trust = new Map<string, Trust>();
  readonly #fixed = new Map<string, Promise<Uint32Array>>();
  #bytes = 0;
  #lastId = 0;

  constructor(tokenize: TokenizeChat, mostBytes = MOST_BYTES) {
    this.#tokenize = tokenize;
    this.#mostBytes = mostBytes;
  }

  /** @throws what `tokenize` throws */
  read(chat: ChatFields): Promise<Uint32Array> {
    const { messages, ...rest } = chat;
    const isOrdinary = chat.add_generation_prompt !== false && chat.continue_final_message !== true;
    if (!isOrdinary || !Array.isArray(messages) || messages.length === 0) return this.#tokenize(chat);
    const setting = JSON.stringify(rest);
    const path = this.#walk(setting, messages);
    const last = path.at(-1)!;
    if (last.tokens !== undefined) return last.tokens;
    const known = path.findLastIndex(({ tokens }) => tokens !== undefined);
    const tokens =
      known < 0
        ? this.#tokenize(chat)
        : this.#extend(setting, { ...rest, messages }, path[known]!.tokens!, messages.slice(known + 1));
    this.#keep(last, tokens);
    return tokens;
  }

  async #extend(
    setting: string,
    chat: ChatFields,
    before: Promise<Uint32Array>,
    added: readonly unknown[],
  ): Promise<Uint32Array> {
    const trust = this.#trustIn(setting);
    if (trust.isBroken) return this.#tokenize(chat);
    const isTrusted = trust.matches >= NEEDED_MATCHES && trust.unchecked < RECHECK_AFTER;
    // If the parts fail, the whole is still tokenized.
    const parts = this.#combine(setting, chat, before, added).catch(() => undefined);
    if (isTrusted) {
      trust.unchecked++;
      return (await parts) ?? this.#tokenize(chat);
    }
    const [whole, combined] = await Promise.all([this.#tokenize(chat), parts]);
    if (combined !== undefined && isSame(whole, combined)) {
      trust.matches++;
      trust.unchecked = 0;
    } else trust.isBroken = true;
    return whole;
  }

  /** Combines known tokens with those of new messages; undefined if the parts do not fit together. */
  async #combine(
    setting: string,
    { messages: _, ...rest }: ChatFields,
    before: Promise<Uint32Array>,
    added: readonly unknown[],
  ): Promise<Uint32Array | undefined> {
    const startsWithAnswer = Reflect.get(Object(added[0]), "role") === "assistant";
    const short = startsWithAnswer ? [USER] : [USER, ASSISTANT];
    const noAnswer = { ...rest, add_generation_prompt: false };
    const [known, prompted, unprompted, base, whole] = await Promise.all([
      before,
      this.#tokenizeOnce(`${setting} answer`, { ...rest, messages: [USER] }),
      this.#tokenizeOnce(`${setting} no answer`, { ...noAnswer, messages: [USER] }),
      this.#tokenizeOnce(`${setting} ${short.length}`, { ...noAnswer, messages: short }),
      this.#tokenize({ ...rest, messages: [...short, ...added] }),
    ]);
    if (!startsWith(prompted, unprompted) || !startsWith(whole, base)) return undefined;
    const answerStart = prompted.subarray(unprompted.length);
    const end = known.length - answerStart.length;
    if (end < 0 || !isSame(known.subarray(end), answerStart)) return undefined;
    const combined = new Uint32Array(end + whole.length - base.length);
    combined.set(known.subarray(0, end));
    combined.set(whole.subarray(base.length), end);
    return combined;
  }

  /** The messages' nodes, created if missing. */
  #walk(setting: string, messages: readonly unknown[]): Node[] {
    let parent = setting;
    return messages.map((message) => {
      const key = `${parent}\n${JSON.stringify(message)}`;
      const node = this.#nodes.get(key) ?? this.#add(key);
      // Marks it as most recently used.
      this.#nodes.delete(key);
      this.#nodes.set(key, node);
      parent = String(node.id);
      return node;
    });
  }

  #add(key: string): Node {
    const node: Node = { id: ++this.#lastId, key, tokens: undefined, bytes: 2 * key.length };
    this.#bytes += node.bytes;
    return node;
  }

  #keep(node: Node, tokens: Promise<Uint32Array>): void {
    node.tokens = tokens;
    tokens.then(
      ({ byteLength }) => {
        node.bytes += byteLength;
        this.#bytes += byteLength;
        this.#evict();
      },
      () => {
        node.tokens = undefined;
      },
    );
  }

  #evict(): void {
    for (const [key, { bytes }] of this.#nodes) {
      if (this.#bytes <= this.#mostBytes) return;
      this.#nodes.delete(key);
      this.#bytes -= bytes;
    }
  }

  #trustIn(setting: string): Trust {
    const trust = this.#trust.get(setting) ?? { matches: 0, isBroken: false, unchecked: 0 };
    evictOldest(this.#trust);
    this.#trust.set(setting, trust);
    return trust;
  }

  #tokenizeOnce(key: string, chat: ChatFields): Promise<Uint32Array> {
    const tokens = this.#fixed.get(key) ?? this.#tokenize(chat);
    evictOldest(this.#fixed);
    this.#fixed.set(key, tokens);
    tokens.catch(() => this.#fixed.delete(key));
    return tokens;
  }
}

/** How many settings are remembered. This is bounded because clients choose them. */
const MOST_SETTINGS = 1_000;

function evictOldest(map: Map<string, unknown>): void {
  if (map.size < MOST_SETTINGS) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}

const startsWith = (tokens: Uint32Array, beginning: Uint32Array) =>
  tokens.length >= beginning.length && isSame(tokens.subarray(0, beginning.length), beginning);

function isSame(one: Uint32Array, other: Uint32Array): boolean {
  return one.length === other.length && one.every((token, index) => token === other[index]);
}
