import { describe, expect, test } from "vitest";
import { decodeRoleRequest, encodeRoleRequest, workerRoles } from "./role.ts";

describe("role requests", () => {
  test("survive a round trip", () => {
    for (const role of workerRoles) expect(decodeRoleRequest(encodeRoleRequest(role))).toBe(role);
  });

  test("are refused if they name no role of a worker, or are malformed", () => {
    const encode = new TextEncoder();
    const named = (role: string) => Uint8Array.of(10, role.length, ...encode.encode(role));
    expect(() => decodeRoleRequest(named("router"))).toThrow(
      "A worker cannot have the role 'router'. Roles: aggregated, prefill, decode, encode.",
    );
    for (const payload of [new Uint8Array(0), Uint8Array.of(0xc1), named("boss")])
      expect(() => decodeRoleRequest(payload)).toThrow(expect.objectContaining({ code: "invalid_request" }));
  });
});
