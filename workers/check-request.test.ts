import { describe, expect, test } from "vitest";
import type { GenerateRequest, PromptMedium } from "#runtime";
import { checkRequest } from "./check-request.ts";
import { openEcho } from "./echo/engine.ts";
import { requestFor } from "./engine.suite.ts";

const { card } = openEcho();
const seeing = { ...card, media: ["image" as const] };
const medium = (position: number, kind: PromptMedium["kind"] = "image"): PromptMedium => ({
  ...{ kind, position, type: `${kind}/x` },
  data: Uint8Array.of(1),
});
const check =
  (media: GenerateRequest["media"], own = seeing) =>
  () =>
    checkRequest(requestFor(Uint32Array.of(1, 2, 3), media && { media }), own);

describe("media in a prompt", () => {
  test("can be anywhere in it, several in one place", () => {
    expect(check([medium(0), medium(0), medium(2), medium(3)])).not.toThrow();
    expect(check(undefined)).not.toThrow();
  });

  test("are refused if the model does not take their kind", () => {
    expect(check([medium(0), medium(0, "audio")])).toThrow("takes no media of kind audio");
    expect(check([medium(0)], { ...card, media: ["image"] })).not.toThrow();
    expect(() => checkRequest(requestFor(Uint32Array.of(1), { media: [medium(0)] }), card)).toThrow(
      "takes no media of kind image",
    );
  });

  test.each([[[medium(2), medium(1)]], [[medium(4)]]])(
    "are refused out of order or outside of it",
    (media) => {
      expect(check(media)).toThrow("not in order");
    },
  );
});
