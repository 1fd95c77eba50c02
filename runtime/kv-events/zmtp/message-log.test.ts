import fc from "fast-check";
import { expect, test } from "vitest";
import { FrameReader } from "./frame-reader.ts";
import { greeting, readyCommand } from "./framing.ts";
import { MessageLog } from "./message-log.ts";

/** Boundary lengths, and others. */
const length = fc.oneof(
  fc.constantFrom(0, 1, 255, 256, 16_384, 16_385, 65_525, 65_526, 65_536, 70_000),
  fc.nat({ max: 40_000 }),
);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ add: fc.array(length, { minLength: 1, maxLength: 3 }) }) },
  fc.constantFrom("seal" as const, "read" as const),
);

test("readers get all messages added since they joined, complete and in order", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat({ max: 40 }), (steps, lateAt) => {
      const log = new MessageLog();
      const added: string[] = [];
      const readers = [newReader(0, 0)];
      const readAll = () => {
        log.seal();
        for (const reader of readers)
          while (reader.next < log.end) {
            const entry = log.at(reader.next++);
            for (const part of entry.parts) reader.frames.push(Buffer.from(part));
          }
        log.dropBefore(log.end);
        expect([log.messages, log.bytes]).toEqual([0, 0]);
      };
      for (const [turn, step] of steps.entries()) {
        if (turn === lateAt) {
          log.seal();
          readers.push(newReader(log.end, added.length));
        }
        if (step === "read") readAll();
        else if (step === "seal") log.seal();
        else {
          const frames = step.add.map((bytes, index) => Buffer.alloc(bytes, `${turn}.${index} `));
          log.add(frames);
          added.push(frames.map(String).join());
        }
      }
      readAll();
      for (const { received, since } of readers) expect(received).toEqual(added.slice(since));
    }),
    { numRuns: 100 },
  );
});

test("a log counts the messages and bytes of its entries", () => {
  const log = new MessageLog();
  for (let turn = 0; turn < 3; turn++) log.add([Buffer.from("topic"), Buffer.alloc(100)]);
  expect([log.messages, log.bytes, log.end]).toEqual([0, 0, 0]);
  log.seal();
  expect([log.messages, log.bytes, log.end]).toEqual([3, 3 * (7 + 102), 1]);
  // A long message seals an entry together with those before it.
  log.add([Buffer.alloc(10)]);
  log.add([Buffer.from("topic"), Buffer.alloc(20_000)]);
  expect([log.messages, log.bytes, log.end]).toEqual([5, 327 + 12 + 7 + 20_009, 2]);
  log.dropBefore(1);
  expect([log.messages, log.bytes, log.end]).toEqual([2, 12 + 7 + 20_009, 2]);
});

function newReader(next: number, since: number) {
  const received: string[] = [];
  const frames = new FrameReader(2 ** 24, {
    onReady() {},
    onMessage: (frames) => received.push(frames.map(String).join()),
    onCommand() {},
  });
  frames.push(Buffer.concat([greeting(), readyCommand("PUB")]));
  return { next, since, received, frames };
}
