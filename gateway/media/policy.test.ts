import { describe, expect, test } from "vitest";
import { checkMedia, type MediaPolicy } from "./media.ts";

const image = (url: string) => ({
  messages: [
    { role: "system", content: "See http://localhost/ for more." },
    {
      role: "user",
      content: [
        { type: "text", text: "What is it?" },
        { type: "image_url", image_url: { url } },
      ],
    },
  ],
});

/** The hosts that resolve in these tests. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  "images.example.com": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
  "rebound.example": ["93.184.215.14", "127.0.0.1"],
  "inner.example": ["10.0.0.1"],
  "inner6.example": ["fd12::1"],
  "mapped.example": ["::ffff:192.168.0.1"],
  "translated.example": ["64:ff9b::808:808"],
  "translated-inner.example": ["64:ff9b::a00:1"],
  "azure.example": ["168.63.129.16"],
};

const resolveHost = async (host: string) => {
  const found = NAMES[host];
  if (found === undefined) throw new Error("ENOTFOUND");
  return found;
};

const check = (body: Record<string, unknown>, policy: MediaPolicy = "public") =>
  checkMedia(body, { policy, resolveHost });

const isAllowed = (url: string, policy?: MediaPolicy) =>
  check(image(url), policy).then(
    () => true,
    () => false,
  );

describe("media that engines may fetch", () => {
  test.each([
    "data:image/png;base64,AAAA",
    "https://images.example.com/cat.png",
    "http://images.cocodataset.org/val2017/000000039769.jpg",
    "https://8.8.8.8/cat.png",
    "https://[2606:4700::1111]/cat.png",
    "https://translated.example/cat.png",
    "https://cannot-be-resolved.example/cat.png",
    "https://svc.example.com/cat.png",
    "aGVsbG8=",
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkS",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9Q\nDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  ])("%s is allowed", async (url) => expect(await isAllowed(url)).toBe(true));

  test.each([
    "http://localhost/",
    "http://127.0.0.1:8001/metrics",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0/",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.1.2.3/",
    "http://172.20.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://metadata.google.internal/",
    "http://engine/",
    "http://printer.local./",
    "file:///etc/passwd",
    "ftp://example.com/cat.png",
    "gopher://example.com/",
    "https://example.com\\@127.0.0.1/",
    "https://user@example.com/cat.png",
    "https://example.com/\t@127.0.0.1/",
    "http://168.63.129.16/machine/",
    "http://[2001:0:53aa:64c:0:0:0:1]/",
    "http://[fec0::1]/",
    "http://web.default.svc/",
    "http://web.default.svc.cluster.local:8080/",
    "http://printer.localdomain/",
    "http://engine:8000/",
    "http://vault.service.consul/",
    "https://inner.example/cat.png",
    "https://inner6.example/cat.png",
    "https://mapped.example/cat.png",
    "https://rebound.example/cat.png",
    "https://translated-inner.example/cat.png",
    "https://azure.example/cat.png",
    "/etc/passwd",
    "//etc/passwd",
    "////////////////////////////////////////etc/passwd",
    "etc/passwd",
    "../secret.png",
    "~/secret.png",
    "pictures/secret.png",
    "C:\\\\secret",
  ])("%s is rejected", async (url) => expect(await isAllowed(url)).toBe(false));

  test("a list allows its hosts and their subdomains, and no others", async () => {
    const policy = ["example.com"];
    expect(await isAllowed("https://example.com/cat.png", policy)).toBe(true);
    expect(await isAllowed("https://images.EXAMPLE.com/cat.png", policy)).toBe(true);
    expect(await isAllowed("https://notexample.com/cat.png", policy)).toBe(false);
    expect(await isAllowed("data:image/png;base64,AAAA", policy)).toBe(true);
    expect(await isAllowed("https://inner.example/cat.png", ["inner.example"])).toBe(true);
    expect(await isAllowed("https://example.com/", [])).toBe(false);
    expect(await isAllowed("http://10.0.0.1/", "any")).toBe(true);
  });

  test.each([
    [
      "a response's image",
      { input: [{ content: [{ type: "input_image", image_url: "http://10.0.0.1/" }] }] },
    ],
    ["a response's file", { input: [{ content: [{ type: "input_file", file_url: "http://10.0.0.1/" }] }] }],
    [
      "a message's source",
      { messages: [{ content: [{ source: { type: "url", url: "http://10.0.0.1/" } }] }] },
    ],
    ["an edit's images", { image: ["http://10.0.0.1/"] }],
    ["a video", { messages: [{ content: [{ type: "video_url", video_url: { url: "http://10.0.0.1/" } }] }] }],
    [
      "an image after a number",
      { messages: [{ content: [1, { type: "image_url", image_url: { url: "http://10.0.0.1/" } }] }] },
    ],
  ])("%s is checked too", async (_what, body) => {
    await expect(check(body)).rejects.toThrow("private network");
  });

  test("a request with too many hosts is rejected", async () => {
    const content = Array.from({ length: 65 }, (_, n) => ({ image_url: `https://h${n}.example/` }));
    await expect(check({ messages: [{ content }] })).rejects.toMatchObject({ status: 400 });
  });

  test("tools, and text that only looks like an address, are ignored", async () => {
    const body = {
      prompt: "http://localhost/",
      metadata: { image_url: "http://localhost/" },
      tools: [{ function: { parameters: { properties: { image_url: { type: "string" } } } } }],
      messages: [{ content: [{ type: "image_url", image_url: { url: "aGVsbG8=" } }] }],
      documents: [{ text: "One.", source: "reports/2024 (draft).pdf" }],
      audio: { voice: "alloy", format: "wav" },
    };
    await check(body);
  });

  test("the error names the field, but not the address", async () => {
    try {
      await check(image("http://10.9.8.7/secret"));
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ status: 400, param: "messages[1].content[1].image_url" });
      expect(String(error)).not.toContain("10.9.8.7");
    }
  });
});
