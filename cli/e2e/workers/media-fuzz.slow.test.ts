import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { JPEG, PNG, wav } from "../../../gateway/media/test-media.ts";
import { TestingAgent } from "../../../workers/kv/testing-agent.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";
import { Painter } from "./painter.ts";
import { Reader } from "./reader.ts";
import { Seer } from "./seer.ts";

// Damaged files in chats, on workers that see, with an encode worker and a reader: each has an answer or a refusal, and
// none holds up the others.

const MEDIA: ("image" | "audio" | "video")[] = ["image", "audio", "video"];
const FORMAT = { featureFormat: "test 1", media: MEDIA };
const MODELS = ["seer", "blind", "plain"];
/** The longest that one turn of the event loop may compute, in milliseconds of this thread's processor time. */
const LONGEST_TURN_MS = 100;

const bytes = (...parts: readonly (string | readonly number[])[]) =>
  Buffer.concat(
    parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part))),
  );
const box = (type: string, content: Buffer) => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(8 + content.length);
  return Buffer.concat([length, Buffer.from(type), content]);
};

const FILES: Readonly<Record<string, Buffer>> = {
  png: Buffer.from(PNG, "base64"),
  jpeg: Buffer.from(JPEG, "base64"),
  gif: bytes(
    "GIF89a",
    [6, 0, 4, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255],
    "!\xf9\x04",
    [0, 0, 0, 0, 0],
    ",",
    [0, 0, 0, 0, 6, 0, 4, 0, 0, 2, 2, 0x84, 0x51, 0],
    ";",
  ),
  webp: bytes(
    "RIFF",
    [26, 0, 0, 0],
    "WEBPVP8L",
    [13, 0, 0, 0, 0x2f, 5, 0xc0, 0, 0, 0, 7, 16, 17, 17, 17, 136, 8],
  ),
  wav: Buffer.from(wav(200), "base64"),
  mp3: bytes(
    "ID3",
    [4, 0, 0, 0, 0, 0, 10],
    new Array<number>(10).fill(0),
    [255, 251, 144, 100],
    new Array<number>(413).fill(0),
  ),
  flac: bytes(
    "fLaC",
    [0x80, 0, 0, 34, 16, 0, 16, 0, 0, 0, 14, 0, 0, 14, 3, 232, 0, 240, 0, 0, 3, 232],
    new Array<number>(16).fill(7),
    [255, 248, 201, 24, 0, 194],
  ),
  mp4: Buffer.concat([
    box("ftyp", bytes("isom", [0, 0, 2, 0], "isommp41")),
    box(
      "moov",
      Buffer.concat([
        box("mvhd", Buffer.alloc(100, 1)),
        box(
          "trak",
          box("mdia", box("hdlr", bytes([0, 0, 0, 0, 0, 0, 0, 0], "vide", new Array<number>(13).fill(0)))),
        ),
      ]),
    ),
    box("mdat", Buffer.alloc(64)),
  ]),
  pdf: bytes(
    "%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Count 1/Kids[3 0 R]>>\nendobj\nxref\n0 3\ntrailer<</Root 1 0 R/Size 3>>\nstartxref\n99\n%%EOF",
  ),
};

/** One change of a file: bytes overwritten, taken out, repeated or added, at a place given as a share of its length. */
const change = fc.record({
  how: fc.constantFrom("flip", "write", "cut", "drop", "repeat", "append", "numbers"),
  at: fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 0.1, noNaN: true })),
  data: fc.uint8Array({ minLength: 1, maxLength: 8 }),
  times: fc.constantFrom(1, 10, 1000, 100_000),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

const MOST = 1_000_000;
function changed(file: Buffer, { how, at, data, times }: Change): Buffer {
  const place = Math.floor(at * file.length);
  const [before, after] = [file.subarray(0, place), file.subarray(place)];
  const all = () => {
    if (how === "cut") return [before];
    if (how === "drop") return [before, after.subarray(data.length)];
    if (how === "repeat")
      return [
        before,
        ...new Array<Buffer>(Math.min(times, 2000)).fill(file.subarray(place, place + 100)),
        after,
      ];
    if (how === "append") return [file, Buffer.alloc(data.length * times, data)];
    if (how === "numbers") return [before, Buffer.alloc(4, data[0]! % 2 === 0 ? 0 : 255), after.subarray(4)];
    if (how === "write") return [before, data, after.subarray(data.length)];
    const flipped = Buffer.from(after);
    if (flipped.length > 0) flipped[0]! ^= 1 << (data[0]! % 8);
    return [before, flipped];
  };
  return Buffer.concat(all()).subarray(0, MOST);
}

const LABELS = ["image/png", "image/gif", "image/webp", "application/octet-stream", "video/mp4"];
const medium = fc.record({
  file: fc.constantFrom(...Object.keys(FILES)),
  changes: fc.oneof(fc.constant<Change[]>([]), fc.array(change, { minLength: 1, maxLength: 4 })),
  part: fc.constantFrom(
    "own",
    "own",
    "own",
    "own",
    "own",
    "own",
    "own",
    "own",
    "image_url",
    "input_audio",
    "video_url",
    "file",
  ),
  label: fc.constantFrom(...LABELS),
});
type Medium = typeof medium extends fc.Arbitrary<infer T> ? T : never;

const KINDS: Readonly<Record<string, string>> = {
  wav: "input_audio",
  mp3: "input_audio",
  flac: "input_audio",
  mp4: "video_url",
  pdf: "file",
};
function partOf({ file, changes, part, label }: Medium): object {
  const data = changes.reduce(changed, FILES[file]!).toString("base64");
  const type = part === "own" ? (KINDS[file] ?? "image_url") : part;
  const url = `data:${label};base64,${data}`;
  if (type === "input_audio") return { type, input_audio: { data, format: file } };
  if (type === "file") return { type, file: { file_data: url, filename: "a.pdf" } };
  return { type, [type]: { url } };
}

let gateway: OwnGateway;
let longest = 0;
let turns: NodeJS.Timeout;

beforeAll(async () => {
  const agents = { openTransferAgent: async () => new TestingAgent() };
  const engines = {
    seer: new Seer("seer", FORMAT),
    painter: new Painter("seer", FORMAT),
    plain: new Seer("plain", { media: MEDIA }),
    blind: new Seer("blind", { media: undefined }),
    reader: new Reader("glasses"),
  };
  gateway = await startOwnGateway(
    engines,
    { bodyLimit: 8_000_000 },
    { seer: agents, painter: { ...agents, role: "encode" } },
  );
  let last = process.threadCpuUsage();
  turns = setInterval(() => {
    const { user, system } = process.threadCpuUsage(last);
    last = process.threadCpuUsage();
    longest = Math.max(longest, (user + system) / 1000);
  }, 1);
});

afterAll(() => clearInterval(turns));

test("damaged files are answered or refused", async () => {
  const seen: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...MODELS),
      fc.array(medium, { minLength: 1, maxLength: 2 }),
      fc.boolean(),
      async (model, media, stream) => {
        const content = [...media.map(partOf), { type: "text", text: "What is it?" }];
        const response = await gateway.post("/v1/chat/completions", {
          model,
          stream,
          messages: [{ role: "user", content }],
        });
        const text = await response.text();
        const code = response.ok ? "" : JSON.parse(text).error.code;
        const kind = `${model} ${response.status} ${code}`;
        seen[kind] = (seen[kind] ?? 0) + 1;
        expect([200, 400]).toContain(response.status);
        if (response.ok && stream) expect(text).toMatch(/data: \[DONE\]\n\n$/);
      },
    ),
    {
      seed: Number(process.env.FUZZ_SEED ?? 20_261_129),
      numRuns: Number(process.env.FUZZ_RUNS ?? 200),
      endOnFailure: true,
    },
  );
  if (process.env.FUZZ_SEED !== undefined) console.log(seen, longest);
  for (const model of MODELS) expect(seen[`${model} 200 `]).toBeGreaterThan(0);
  expect(longest).toBeLessThan(LONGEST_TURN_MS);
  expect(gateway.logged.filter(({ level }) => level === "error")).toEqual([]);
});
