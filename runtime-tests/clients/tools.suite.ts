import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { ChatAnthropic } from "@langchain/anthropic";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool as langChainTool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";

const here = import.meta.dirname;
const QUESTION = "How is the weather in Paris?";
const ANSWER = "The tool said: sunny";

const schema = z.object({ city: z.string() });

export interface Place {
  /** The gateway's address. */
  url(): string;
  /** A model that calls the tool `get_weather`, `Bash` or `exec_command`, and then answers `ANSWER`. */
  readonly model: string;
  /** Whether its Responses take references to earlier items, which Vercel's ai sends. Default true. */
  readonly knowsReferences?: boolean;
}

/** Clients that call tools, at a gateway in front of such a model. */
export function suiteOfTools(name: string, { url, model: MODEL, knowsReferences = true }: Place): void {
  describe(`with ${name},`, () => {
    const providers = {
      "Chat Completions": () => createOpenAICompatible({ name: "stator", baseURL: `${url()}/v1` })(MODEL),
      Responses: () => createOpenAI({ baseURL: `${url()}/v1`, apiKey: "none" }).responses(MODEL),
      Messages: () => createAnthropic({ baseURL: `${url()}/v1`, apiKey: "none" })(MODEL),
    };

    test.each(Object.entries(providers))("Vercel's ai calls tools over %s", async (api, model) => {
      const options = {
        model: model(),
        prompt: QUESTION,
        maxRetries: 0,
        // Of Responses, it reads only a summary of the reasoning.
        providerOptions: { openai: { reasoningSummary: "auto", forceReasoning: true } },
        stopWhen: stepCountIs(3),
        tools: {
          get_weather: tool({
            description: "The weather",
            inputSchema: schema,
            execute: async () => "sunny",
          }),
        },
      };
      if (api === "Responses" && !knowsReferences)
        return expect(generateText(options)).rejects.toThrow("Unsupported input item type: item_reference");
      const whole = await generateText(options);
      expect(whole.text).toBe(ANSWER);
      expect(whole.steps).toHaveLength(2);
      const streamed = streamText(options);
      let text = "";
      for await (const part of streamed.textStream) text += part;
      expect(text).toContain(ANSWER);
      expect((await streamed.steps)[0]!.reasoningText).toBe("I must look.");
    });

    const weather = langChainTool(async () => "sunny", {
      name: "get_weather",
      description: "The weather",
      schema,
    });
    const models = {
      "OpenAI's API": () =>
        new ChatOpenAI({
          model: MODEL,
          apiKey: "none",
          maxRetries: 0,
          configuration: { baseURL: `${url()}/v1` },
        }),
      "OpenAI's Responses": () =>
        new ChatOpenAI({
          model: MODEL,
          apiKey: "none",
          maxRetries: 0,
          useResponsesApi: true,
          configuration: { baseURL: `${url()}/v1` },
        }),
      "Anthropic's API": () =>
        new ChatAnthropic({
          model: MODEL,
          apiKey: "none",
          maxRetries: 0,
          maxTokens: 500,
          anthropicApiUrl: url(),
        }),
    };

    test.each(Object.entries(models))("LangChain calls tools over %s", async (_, model) => {
      const bound = model().bindTools([weather]);
      const question = new HumanMessage(QUESTION);
      const first = await bound.invoke([question]);
      expect(first.tool_calls).toMatchObject([{ name: "get_weather", args: { city: "Paris" } }]);
      const result = new ToolMessage({ content: "sunny", tool_call_id: first.tool_calls![0]!.id! });
      const second = await bound.invoke([question, first, result]);
      expect(second.text).toContain(ANSWER);
      let calls = "";
      for await (const chunk of await bound.stream([question]))
        calls += chunk.tool_call_chunks?.map(({ args }) => args ?? "").join("") ?? "";
      expect(JSON.parse(calls)).toEqual({ city: "Paris" });
    });

    test("Claude Code works a loop", async () => {
      const folder = temporaryFolder();
      const { stdout } = await run(
        join(here, "node_modules", "@anthropic-ai", `claude-code-linux-${process.arch}`, "claude"),
        [
          "-p",
          "Write hello into out.txt",
          "--model",
          MODEL,
          "--allowedTools",
          "Bash",
          "--output-format",
          "json",
        ],
        folder,
        {
          ANTHROPIC_BASE_URL: url(),
          ANTHROPIC_API_KEY: "none",
          CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
          IS_SANDBOX: "1",
        },
      );
      expect(JSON.parse(stdout)).toMatchObject({ is_error: false, num_turns: 2 });
      expect(await readFile(join(folder, "out.txt"), "utf8")).toBe("hello\n");
    });

    test("Codex works a loop", async () => {
      const folder = temporaryFolder();
      const provider = `{name="stator",base_url="${url()}/v1",env_key="OPENAI_API_KEY",wire_api="responses"}`;
      const settings = ["model_provider=stator", `model_providers.stator=${provider}`, "web_search=disabled"];
      const { stdout } = await run(
        process.execPath,
        [
          join(here, "node_modules", "@openai", "codex", "bin", "codex.js"),
          ...["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "-m", MODEL],
          ...settings.flatMap((setting) => ["-c", setting]),
          "Write hello into out.txt",
        ],
        folder,
        { OPENAI_API_KEY: "none" },
      );
      expect(stdout).toContain("The tool said");
      expect(await readFile(join(folder, "out.txt"), "utf8")).toBe("hello\n");
    });

    test("clients in Python call tools", { timeout: 180_000 }, async () => {
      const python = join(here, "python", ".venv", "bin", "python");
      const { stdout } = await promisify(execFile)(python, [join(here, "tool_clients.py"), url(), MODEL]);
      for (const [client, answer] of Object.entries(JSON.parse(stdout)))
        expect([client, answer]).toEqual([client, { arguments: { city: "Paris" }, answer: ANSWER }]);
    });
  });
}

/** Runs a program without input, in a folder that is also its home. */
async function run(command: string, args: string[], folder: string, env: Record<string, string>) {
  const { PATH = "" } = process.env;
  const child = spawn(command, args, {
    cwd: folder,
    env: { PATH, HOME: folder, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const [code] = await once(child, "close");
  expect(code, stdout + stderr).toBe(0);
  return { stdout };
}
