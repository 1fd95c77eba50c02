import { expect, test } from "vitest";
import { adapterOf, createEngineApi } from "../../gateway/engines/index.ts";
import { type ChatFields, ConversationTokens } from "../../gateway/prompts/conversation-tokens.ts";
import { freshText, type Setup } from "./setup.ts";
import { MODEL } from "./vllm-server.ts";

/** If the model's folder is on another machine, vLLM's tokenizer is used. */
export function suiteOfTokens(setup: Setup): void {
  test("a growing conversation has vLLM's tokens, although only new messages are tokenized", async () => {
    const api = createEngineApi(setup.servers[0].url);
    const tokenize = (chat: ChatFields) => adapterOf("vllm").tokenize(api, { model: MODEL, chat });
    let characters = 0;
    const tokens = new ConversationTokens((chat) => {
      characters += JSON.stringify(chat).length;
      return tokenize(chat);
    });
    let [asked, whole] = [0, 0];
    for (let conversation = 0; conversation < 3; conversation++) {
      const messages = [{ role: "system", content: freshText(600) }];
      for (let turn = 0; turn < 5; turn++) {
        if (turn > 0) messages.push({ role: "assistant", content: `Antwort ${turn}: 東京, naïve…` });
        messages.push({ role: "user", content: `Question ${turn}, and "more"?` });
        const before = characters;
        expect(await tokens.read({ messages: [...messages] })).toEqual(await tokenize({ messages }));
        // The first conversation is tokenized in full for comparison.
        if (conversation === 0 || turn === 0) continue;
        asked += characters - before;
        whole += JSON.stringify(messages).length;
      }
    }
    expect(asked).toBeLessThan(whole / 4);
  });
}
