import { describe, expect, test } from "vitest";
import { checkHost, checkUrl, type MediaDomains } from "./policy.ts";

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

const isAllowed = async (text: string, domains: MediaDomains = "public") => {
  try {
    await checkHost(checkUrl(text, "image_url", domains), "image_url", resolveHost);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ status: 400, param: "image_url", code: "media_url_not_allowed" });
    expect(String(error)).not.toContain(text);
    return false;
  }
};

describe("media that may be fetched", () => {
  test.each([
    "https://images.example.com/cat.png",
    "http://images.cocodataset.org/val2017/000000039769.jpg",
    "https://8.8.8.8/cat.png",
    "https://[2606:4700::1111]/cat.png",
    "https://translated.example/cat.png",
    "https://cannot-be-resolved.example/cat.png",
    "https://svc.example.com/cat.png",
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
    expect(await isAllowed("https://inner.example/cat.png", ["inner.example"])).toBe(true);
    expect(await isAllowed("https://example.com/", [])).toBe(false);
    expect(await isAllowed("http://10.0.0.1/", "any")).toBe(true);
  });
});
