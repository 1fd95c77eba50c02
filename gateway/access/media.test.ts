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

const isAllowed = (url: string, policy: MediaPolicy = "public") => {
  try {
    checkMedia(image(url), policy);
    return true;
  } catch {
    return false;
  }
};

describe("what engines may be made to fetch", () => {
  test.each([
    "data:image/png;base64,AAAA",
    "https://images.example.com/cat.png",
    "http://images.cocodataset.org/val2017/000000039769.jpg",
    "https://8.8.8.8/cat.png",
    "https://[2606:4700::1111]/cat.png",
  ])("%s is fetched", (url) => expect(isAllowed(url)).toBe(true));

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
  ])("%s is not", (url) => expect(isAllowed(url)).toBe(false));

  test("a list allows its hosts and those under them, and no others", () => {
    const policy = ["example.com"];
    expect(isAllowed("https://example.com/cat.png", policy)).toBe(true);
    expect(isAllowed("https://images.EXAMPLE.com/cat.png", policy)).toBe(true);
    expect(isAllowed("https://notexample.com/cat.png", policy)).toBe(false);
    expect(isAllowed("data:image/png;base64,AAAA", policy)).toBe(true);
    expect(isAllowed("https://example.com/", [])).toBe(false);
    expect(isAllowed("http://10.0.0.1/", "any")).toBe(true);
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
  ])("%s is looked at too", (_what, body) => {
    expect(() => checkMedia(body, "public")).toThrow("private network");
  });

  test("what only looks like an address, and tools, are let be", () => {
    const body = {
      prompt: "http://localhost/",
      metadata: { image_url: "http://localhost/" },
      tools: [{ function: { parameters: { properties: { image_url: { type: "string" } } } } }],
      messages: [{ content: [{ type: "image_url", image_url: { url: "aGVsbG8=" } }] }],
    };
    expect(() => checkMedia(body, "public")).not.toThrow();
  });

  test("the fault's place is told, and not the address", () => {
    try {
      checkMedia(image("http://10.9.8.7/secret"), "public");
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ status: 400, param: "messages[1].content[1].image_url" });
      expect(String(error)).not.toContain("10.9.8.7");
    }
  });
});
