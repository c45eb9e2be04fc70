// The scanner that the tests about the repository rest on: were it to read code
// as a comment, or a comment as code, they would pass for nothing.

import { expect, test } from "vitest";
import { blankComments, blankCommentsAndLiterals, importsOf } from "./sources.ts";

test("comments are blanked, and nothing that only looks like one", () => {
  expect(blankComments('a("// no"); // yes\nb(/\\/\\/[/*]/); /* c\nd */ e')).toBe(
    'a("// no");       \nb(/\\/\\/[/*]/);     \n     e',
  );
});

test("code inside a template literal stays code", () => {
  const template = `x = \`text \${Date.now({ a: {} })} // text \${"s"}\` + y; // c`;
  const expected = `x = \`     \${Date.now({ a: {} })}         \${   }\` + y;     `;
  expect(blankCommentsAndLiterals(template)).toBe(expected);
});

test("a division isn't taken for a regular expression", () => {
  expect(blankCommentsAndLiterals("a = b / c; d = e / 2; // f")).toBe("a = b / c; d = e / 2;     ");
  expect(blankCommentsAndLiterals("a(/x'/, 'y')")).toBe("a(    ,    )");
});

test("every form of import is seen, and none in a comment", () => {
  const text = [
    'import { a,\n  type B } from "./b.ts";',
    'import type { C } from "../c.ts";',
    'import "node:fs";',
    'export * from "zod";',
    'export type { D } from "./d.ts";',
    'const e = await import("./e.ts");',
    '// import "ws";',
  ].join("\n");
  expect(importsOf({ path: "src/io/x.ts", text })).toEqual([
    { specifier: "./b.ts", target: "src/io/b.ts" },
    { specifier: "../c.ts", target: "src/c.ts" },
    { specifier: "node:fs", target: null },
    { specifier: "zod", target: null },
    { specifier: "./d.ts", target: "src/io/d.ts" },
    { specifier: "./e.ts", target: "src/io/e.ts" },
  ]);
});
