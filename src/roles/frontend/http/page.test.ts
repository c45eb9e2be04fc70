import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Fastify from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pageRoutes } from "./page.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bazaar-page-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function served(isInsecure = false) {
  const app = Fastify();
  app.register(pageRoutes(isInsecure, folder));
  return app;
}

function buildPage(): void {
  mkdirSync(join(folder, "assets"));
  writeFileSync(
    join(folder, "index.html"),
    '<!doctype html><title>Stock Bazaar</title><div id="floor"></div>',
  );
  writeFileSync(join(folder, "assets/index-abc.js"), "1");
}

test("where the page isn't built, the answer says how to build it", async () => {
  const answer = await served().inject("/");
  expect(answer.statusCode).toBe(503);
  expect(answer.json().error).toMatchObject({ code: 503 });
  expect(answer.json().error.message).toContain("npm run build:page");
  expect(answer.headers["retry-after"]).toBe("1");
});

test("the page may load from no other host, nor send to one", async () => {
  buildPage();
  const answer = await served().inject("/");
  expect(answer.statusCode).toBe(200);
  expect(answer.headers["content-type"]).toContain("text/html");
  const policy = String(answer.headers["content-security-policy"]);
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|\*|https?:|data:/);
  expect(answer.headers["x-content-type-options"]).toBe("nosniff");
});

test("a browser asks for the page each time, and loads unchanged scripts once", async () => {
  buildPage();
  const app = served();
  expect((await app.inject("/")).headers["cache-control"]).toBe("no-cache");
  const asset = await app.inject("/assets/index-abc.js");
  expect(asset.headers["cache-control"]).toContain("immutable");
});

test("a browser is sent the best compression that it takes, or the file as it is", async () => {
  buildPage();
  const files = { "index.html": "text/html", "assets/index-abc.js": "javascript" } as const;
  for (const file of Object.keys(files)) {
    writeFileSync(join(folder, `${file}.br`), "br");
    writeFileSync(join(folder, `${file}.gz`), "gz");
  }
  const app = served();
  for (const [file, type] of Object.entries(files)) {
    const url = file === "index.html" ? "/" : `/${file}`;
    for (const [accepted, coding] of [
      ["gzip, deflate, br", "br"],
      ["gzip", "gzip"],
      ["identity", undefined],
    ] as const) {
      const answer = await app.inject({ url, headers: { "accept-encoding": accepted } });
      expect(answer.headers["content-encoding"]).toBe(coding);
      expect(answer.headers["content-type"]).toContain(type);
      expect(answer.headers["content-security-policy"]).toBeDefined();
      expect(answer.headers.vary).toContain("accept-encoding");
      expect(["br", "gz"].includes(answer.body)).toBe(coding !== undefined);
    }
    expect((await app.inject(`/${file}.br`)).statusCode).toBe(404);
  }
});

test("no file but the page's can be had", async () => {
  buildPage();
  writeFileSync(join(folder, "../bazaar-page-secret"), "x");
  const app = served();
  for (const url of ["/../bazaar-page-secret", "/%2e%2e/bazaar-page-secret", "/assets", "/x.js"]) {
    expect((await app.inject(url)).statusCode).toBe(404);
  }
  rmSync(join(folder, "../bazaar-page-secret"));
});

test("the page of an insecure bazaar is told so, under the same policy, and no other page is", async () => {
  buildPage();
  const [plain, insecure] = [served(), served(true)];
  const policy = (await plain.inject("/")).headers["content-security-policy"];
  for (const url of ["/", "/index.html"]) {
    expect((await plain.inject(url)).body).not.toContain("data-insecure");
    const answer = await insecure.inject(url);
    expect(answer.body).toContain('<div id="floor" data-insecure></div>');
    expect(answer.headers["content-security-policy"]).toBe(policy);
    expect(answer.headers["content-type"]).toContain("text/html");
  }
  expect((await insecure.inject("/assets/index-abc.js")).body).toBe("1");
});
