import { expect, test } from "vitest";
import { diagnoseIsolation } from "./isolation.ts";
import { isolationClient } from "./isolation-client.ts";

test("an address where nothing answers is named, and it is said what to do", async () => {
  const report = await diagnoseIsolation(isolationClient("http://127.0.0.1:1", 5_000), ["one", "two"]);
  expect(report).toMatchObject({
    isWell: false,
    subjects: [
      {
        checks: [
          {
            status: "problem",
            text: expect.stringMatching(/^Nothing answers at http:\/\/127\.0\.0\.1:1 \(.+\)\.$/),
            fix: expect.stringMatching(/^Start the gateway, or give the address/),
          },
        ],
      },
    ],
  });
});
