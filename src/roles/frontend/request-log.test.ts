import { expect, test } from "vitest";
import { accessLine } from "./request-log.ts";

test("the access line is the seed's, digit for digit", () => {
  const request = {
    ip: "127.0.0.1",
    method: "GET",
    url: "/stocks/FishCo",
    raw: { httpVersion: "1.1" },
  };
  expect(accessLine(request, 200, new Date(2023, 4, 1, 15, 15, 6))).toBe(
    '127.0.0.1 - - [01/May/2023 15:15:06] "GET /stocks/FishCo HTTP/1.1" 200 -',
  );
});
