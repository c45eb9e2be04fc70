// Headings, paragraphs, tables and plots in their order, as text: HTML that needs
// nothing else, and Markdown with its plots as files beside it.

import { escaped } from "./chart.ts";

export type Block =
  | { readonly kind: "heading"; readonly level: 1 | 2 | 3; readonly text: string }
  | { readonly kind: "paragraph"; readonly text: string }
  /** Commands, as typed. */
  | { readonly kind: "code"; readonly lines: readonly string[] }
  /** The first row is the head; the columns after the first are numbers when `isNumbers`. */
  | {
      readonly kind: "table";
      readonly rows: readonly (readonly string[])[];
      readonly isNumbers: boolean;
    }
  /** `file` is the name of the picture beside the report. */
  | {
      readonly kind: "plot";
      readonly file: string;
      readonly svg: string;
      readonly caption: string;
    };

/** The names and contents of the plots. */
export function plotFiles(blocks: readonly Block[]): readonly (readonly [string, string])[] {
  return blocks.flatMap((block) =>
    block.kind === "plot" ? [[block.file, block.svg] as const] : [],
  );
}

export function markdown(blocks: readonly Block[]): string {
  return `${blocks.map(markdownOf).join("\n\n")}\n`;
}

function markdownOf(block: Block): string {
  switch (block.kind) {
    case "heading":
      return `${"#".repeat(block.level)} ${block.text}`;
    case "paragraph":
      return block.text;
    case "code":
      return ["```sh", ...block.lines, "```"].join("\n");
    case "plot":
      return `![${block.caption}](${block.file})\n\n${block.caption}`;
    case "table":
      return markdownTable(block.rows, block.isNumbers);
  }
}

/** The first row is the head; the columns after the first are set as numbers when `isNumbers`. */
export function markdownTable(rows: readonly (readonly string[])[], isNumbers: boolean): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`.replaceAll("|  |", "| |");
  const [head = [], ...rest] = rows;
  const rule = head.map((_, column) => (column > 0 && isNumbers ? "---:" : "---"));
  return [head, rule, ...rest].map(line).join("\n");
}

export function html(blocks: readonly Block[]): string {
  const title = blocks.find((block) => block.kind === "heading")?.text ?? "";
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    "</head>",
    "<body>",
    "<main>",
    ...blocks.map(htmlOf),
    "</main>",
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

const STYLE = [
  ":root{color-scheme:light dark}",
  "body{font:16px/1.55 system-ui,sans-serif;margin:0;background:light-dark(#f6f8fa,#0d1117);color:light-dark(#1f2328,#e6edf3)}",
  "main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 4rem}",
  "h1,h2,h3{line-height:1.25}h2{margin-top:2.5rem}h3{margin:1.5rem 0 0}h3+p{margin-top:.3rem}p{max-width:46rem}",
  "figure{margin:1.5rem 0;overflow-x:auto}figcaption{font-size:.875rem;max-width:46rem}",
  ".scroll{overflow-x:auto;margin:1.5rem 0}table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}",
  "th,td{padding:.3rem .6rem;border-bottom:1px solid light-dark(#d8dee4,#363d47);text-align:left;white-space:nowrap}",
  ".numbers :is(th,td):not(:first-child){text-align:right}",
  "pre{padding:.8rem;overflow-x:auto;background:light-dark(#ffffff,#161b22);border-radius:6px;font-size:.8125rem}",
].join("");

function htmlOf(block: Block): string {
  switch (block.kind) {
    case "heading":
      return `<h${block.level}>${escaped(block.text)}</h${block.level}>`;
    case "paragraph":
      return `<p>${escaped(block.text).replaceAll(/`([^`]+)`/g, "<code>$1</code>")}</p>`;
    case "code":
      return `<pre><code>${escaped(block.lines.join("\n"))}</code></pre>`;
    case "plot":
      return `<figure>\n${block.svg}<figcaption>${escaped(block.caption)}</figcaption>\n</figure>`;
    case "table": {
      const [head = [], ...rows] = block.rows;
      const row = (cells: readonly string[], tag: "th" | "td") =>
        `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
      return [
        `<div class="scroll" tabindex="0"><table${block.isNumbers ? ' class="numbers"' : ""}>`,
        `<thead>${row(head, "th")}</thead>`,
        `<tbody>${rows.map((cells) => row(cells, "td")).join("\n")}</tbody>`,
        "</table></div>",
      ].join("\n");
    }
  }
}
