import { describe, expect, it } from "vitest";
import { type ChatFields, ConversationTokens } from "./conversation-tokens.ts";

interface Message {
  role: string;
  content: string;
}

const user = (content: string): Message => ({ role: "user", content });
const assistant = (content: string): Message => ({ role: "assistant", content });

/** One token per character, for a template that appends each message unchanged. */
function plain({ messages, tools, add_generation_prompt: gen }: ChatFields): Uint32Array {
  const written = (messages as Message[]).map(({ role, content }) => `<${role}>${content}</>`).join("");
  return tokensOf(
    `${tools === undefined ? "" : `[${JSON.stringify(tools)}]`}${written}${gen === false ? "" : "<assistant>"}`,
  );
}

/** A template that drops text in parentheses from all messages except the last. */
function forgetful(chat: ChatFields): Uint32Array {
  const messages = chat.messages as Message[];
  const shortened = messages.map((message, index) =>
    index < messages.length - 1 ? { ...message, content: message.content.replace(/\(.*?\)/g, "") } : message,
  );
  return plain({ ...chat, messages: shortened });
}

const tokensOf = (text: string) => Uint32Array.from(text, (character) => character.codePointAt(0)!);

function observed(tokenize: (chat: ChatFields) => Uint32Array, mostBytes?: number) {
  const questions: ChatFields[] = [];
  const tokens = new ConversationTokens(async (chat) => {
    questions.push(chat);
    return tokenize(chat);
  }, mostBytes);
  return { tokens, questions, characters: () => JSON.stringify(questions).length };
}

/** The requests of a conversation, each with all messages so far. */
function turnsOf(name: string, count: number, answer = "An answer."): Message[][] {
  const messages: Message[] = [{ role: "system", content: `${name} has rules. `.repeat(20) }];
  return Array.from({ length: count }, (_, turn) => {
    if (turn > 0) messages.push(assistant(`${answer} (${name} ${turn})`));
    messages.push(user(`Question ${turn}`));
    return [...messages];
  });
}

describe("a conversation's tokens", () => {
  it("are equal to those of the whole conversation", async () => {
    const { tokens } = observed(plain);
    for (const name of ["a", "b", "c"])
      for (const messages of turnsOf(name, 6))
        expect(await tokens.read({ messages })).toEqual(plain({ messages }));
  });

  it("are requested in full only until combined parts have proved equal", async () => {
    const { tokens, questions, characters } = observed(plain);
    for (const messages of turnsOf("first", 5)) await tokens.read({ messages });
    const before = { questions: questions.length, characters: characters() };
    const [beginning, ...turns] = turnsOf("second", 6) as [Message[], ...Message[][]];
    await tokens.read({ messages: beginning });
    const afterFirst = characters();
    for (const messages of turns) expect(await tokens.read({ messages })).toEqual(plain({ messages }));
    expect(questions.length - before.questions).toBe(6);
    // Each turn requests only what is new: together less than the first request again.
    expect(characters() - afterFirst).toBeLessThan(JSON.stringify(beginning).length * 3);
  });

  it("are requested in full if a template rewrites earlier messages", async () => {
    const { tokens } = observed(forgetful);
    for (const name of ["a", "b"])
      for (const messages of turnsOf(name, 6))
        expect(await tokens.read({ messages })).toEqual(forgetful({ messages }));
  });

  it("are kept apart for different tools", async () => {
    const { tokens } = observed(plain);
    for (const tools of [undefined, [{ name: "one" }], [{ name: "two" }]])
      for (const messages of turnsOf("a", 6)) {
        const chat = { messages, ...(tools && { tools }) };
        expect(await tokens.read(chat)).toEqual(plain(chat));
      }
  });

  it("are requested once for repeated conversations", async () => {
    const { tokens, questions } = observed(plain);
    const messages = [user("Hello")];
    const both = await Promise.all([tokens.read({ messages }), tokens.read({ messages: [user("Hello")] })]);
    expect(both[0]).toEqual(both[1]);
    expect(questions).toHaveLength(1);
  });

  it("are requested again after a failure", async () => {
    let fails = true;
    const { tokens } = observed((chat) => {
      if (fails) throw new Error("It is down.");
      return plain(chat);
    });
    const messages = [user("Hello")];
    await expect(tokens.read({ messages })).rejects.toThrow("It is down.");
    fails = false;
    expect(await tokens.read({ messages })).toEqual(plain({ messages }));
  });

  it("are correct after old ones are evicted", async () => {
    const { tokens } = observed(plain, 20_000);
    const conversations = ["a", "b", "c", "d", "e", "f"].map((name) => turnsOf(name, 8));
    for (let turn = 0; turn < 8; turn++)
      for (const conversation of conversations) {
        const messages = conversation[turn]!;
        expect(await tokens.read({ messages })).toEqual(plain({ messages }));
      }
  });
});
