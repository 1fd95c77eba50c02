/** A chat as an engine's tokenizer takes it: messages, and whatever else its tokens depend on. */
export type ChatFields = Readonly<Record<string, unknown>>;

/** Has an engine tokenize a chat. */
export type AskForTokens = (chat: ChatFields) => Promise<Uint32Array>;

/** A message that some conversation has after the messages before it. */
interface Node {
  readonly id: number;
  /** JSON of the message, and of what is before it the id. */
  readonly key: string;
  /** Of the conversation up to here, with the beginning of an answer; undefined where nobody asked that. */
  tokens: Promise<Uint32Array> | undefined;
  /** About how much memory it takes, in bytes. */
  bytes: number;
}

/** How far it can be trusted that a conversation's tokens are those of its parts. */
interface Trust {
  /** Times that they were. */
  proofs: number;
  isBroken: boolean;
  /** Conversations that were put together since the last look. */
  unseen: number;
}

/** Proofs before parts are put together without a look at the whole. */
const NEEDED_PROOFS = 3;
/** After so many conversations the next one is looked at again. */
const LOOK_AGAIN_AFTER = 64;
const MOST_BYTES = 64 * 1024 * 1024;

const USER = { role: "user", content: "." };
const ASSISTANT = { role: "assistant", content: "." };

/**
 * Tokenizes conversations, and of those that go on only what is new: the engine is asked for the new messages behind a
 * short conversation in place of the long one, and their tokens are put behind those known of its beginning. Whether
 * a model's template lets that be (some write earlier messages otherwise than later ones) is tried on the first ones and
 * now and then again; where it does not, whole conversations are asked for.
 */
export class ConversationTokens {
  readonly #ask: AskForTokens;
  readonly #mostBytes: number;
  /** In order of use, the one used longest ago first. */
  readonly #nodes = new Map<string, Node>();
  readonly #trust = new Map<string, Trust>();
  readonly #fixed = new Map<string, Promise<Uint32Array>>();
  #bytes = 0;
  #lastId = 0;

  constructor(ask: AskForTokens, mostBytes = MOST_BYTES) {
    this.#ask = ask;
    this.#mostBytes = mostBytes;
  }

  /** @throws what asking throws */
  read(chat: ChatFields): Promise<Uint32Array> {
    const { messages, ...rest } = chat;
    const isOrdinary = chat.add_generation_prompt !== false && chat.continue_final_message !== true;
    if (!isOrdinary || !Array.isArray(messages) || messages.length === 0) return this.#ask(chat);
    const setting = JSON.stringify(rest);
    const path = this.#walk(setting, messages);
    const last = path.at(-1)!;
    if (last.tokens !== undefined) return last.tokens;
    const known = path.findLastIndex(({ tokens }) => tokens !== undefined);
    const tokens =
      known < 0
        ? this.#ask(chat)
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
    if (trust.isBroken) return this.#ask(chat);
    const isTrusted = trust.proofs >= NEEDED_PROOFS && trust.unseen < LOOK_AGAIN_AFTER;
    // What fails of the parts is no reason not to ask for the whole.
    const parts = this.#putTogether(setting, chat, before, added).catch(() => undefined);
    if (isTrusted) {
      trust.unseen++;
      return (await parts) ?? this.#ask(chat);
    }
    const [whole, together] = await Promise.all([this.#ask(chat), parts]);
    if (together !== undefined && isSame(whole, together)) {
      trust.proofs++;
      trust.unseen = 0;
    } else trust.isBroken = true;
    return whole;
  }

  /** Undefined where the parts do not fit together. */
  async #putTogether(
    setting: string,
    { messages: _, ...rest }: ChatFields,
    before: Promise<Uint32Array>,
    added: readonly unknown[],
  ): Promise<Uint32Array | undefined> {
    const startsWithAnswer = Reflect.get(Object(added[0]), "role") === "assistant";
    const short = startsWithAnswer ? [USER] : [USER, ASSISTANT];
    const noAnswer = { ...rest, add_generation_prompt: false };
    const [known, asked, unasked, base, whole] = await Promise.all([
      before,
      this.#once(`${setting} answer`, { ...rest, messages: [USER] }),
      this.#once(`${setting} no answer`, { ...noAnswer, messages: [USER] }),
      this.#once(`${setting} ${short.length}`, { ...noAnswer, messages: short }),
      this.#ask({ ...rest, messages: [...short, ...added] }),
    ]);
    if (!startsWith(asked, unasked) || !startsWith(whole, base)) return undefined;
    const answerStart = asked.subarray(unasked.length);
    const end = known.length - answerStart.length;
    if (end < 0 || !isSame(known.subarray(end), answerStart)) return undefined;
    const together = new Uint32Array(end + whole.length - base.length);
    together.set(known.subarray(0, end));
    together.set(whole.subarray(base.length), end);
    return together;
  }

  /** The messages' nodes, which are made where they are not there. */
  #walk(setting: string, messages: readonly unknown[]): Node[] {
    let parent = setting;
    return messages.map((message) => {
      const key = `${parent}\n${JSON.stringify(message)}`;
      const node = this.#nodes.get(key) ?? this.#add(key);
      // It is used now.
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
        this.#forget();
      },
      () => {
        node.tokens = undefined;
      },
    );
  }

  #forget(): void {
    for (const [key, { bytes }] of this.#nodes) {
      if (this.#bytes <= this.#mostBytes) return;
      this.#nodes.delete(key);
      this.#bytes -= bytes;
    }
  }

  #trustIn(setting: string): Trust {
    const trust = this.#trust.get(setting) ?? { proofs: 0, isBroken: false, unseen: 0 };
    forgetOldest(this.#trust);
    this.#trust.set(setting, trust);
    return trust;
  }

  #once(key: string, chat: ChatFields): Promise<Uint32Array> {
    const asked = this.#fixed.get(key) ?? this.#ask(chat);
    forgetOldest(this.#fixed);
    this.#fixed.set(key, asked);
    asked.catch(() => this.#fixed.delete(key));
    return asked;
  }
}

/** Settings that are remembered: clients choose them. */
const MOST_SETTINGS = 1_000;

function forgetOldest(map: Map<string, unknown>): void {
  if (map.size < MOST_SETTINGS) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}

const startsWith = (tokens: Uint32Array, beginning: Uint32Array) =>
  tokens.length >= beginning.length && isSame(tokens.subarray(0, beginning.length), beginning);

function isSame(one: Uint32Array, other: Uint32Array): boolean {
  return one.length === other.length && one.every((token, index) => token === other[index]);
}
