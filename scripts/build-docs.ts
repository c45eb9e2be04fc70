// `npm run docs`: the documentation as a small site in docs-site/, made from its
// Markdown. It opens from the files, without a server: plain links, one style
// sheet, and one script, which searches an index that is part of it.

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join, posix, resolve } from "node:path";
import MarkdownIt from "markdown-it";

const ROOT = resolve(import.meta.dirname, "..");
const OUT = join(ROOT, "docs-site");

/** In the order of the navigation. What isn't named here comes under "More". */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  Begin: ["README.md", "docs/tutorial.md", "docs/page.md"],
  Use: ["docs/api.md", "docs/operating.md", "docs/engines.md", "docs/guarantees.md"],
  Understand: ["docs/protocol.md", "docs/architecture.md", "docs/glossary.md", "docs/hacking.md"],
  Measure: ["docs/testing.md", "docs/evaluation.md", "docs/benchmarks.md"],
};

interface Page {
  /** In the repository: `docs/api.md`. */
  readonly path: string;
  /** In the site: `api.html`. */
  readonly file: string;
  readonly title: string;
  readonly html: string;
  readonly sections: readonly Section[];
}

/** What a search finds: the text under one heading. */
interface Section {
  readonly at: string;
  readonly title: string;
  readonly text: string;
}

const isPage: ReadonlySet<string> = new Set(paths());
const pages = [...isPage].map(pageOf);
rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT);
for (const page of pages) writeFileSync(join(OUT, page.file), documentOf(page));
for (const name of readdirSync(join(ROOT, "docs"))) {
  if (/\.(svg|png)$/.test(name)) cpSync(join(ROOT, "docs", name), join(OUT, name));
}
const index = pages.flatMap(({ title, sections }) =>
  sections.map((section) => ({ ...section, page: title })),
);
const search = readFileSync(join(import.meta.dirname, "docs-search.js"), "utf8");
writeFileSync(join(OUT, "search.js"), `const SECTIONS = ${JSON.stringify(index)};\n${search}`);
cpSync(join(import.meta.dirname, "docs-style.css"), join(OUT, "style.css"));
console.log(`${pages.length} pages: ${join(OUT, "index.html")}`);

function paths(): readonly string[] {
  const decisions = readdirSync(join(ROOT, "docs/decisions")).sort();
  const others = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"));
  return [
    ...new Set([
      ...Object.values(GROUPS).flat(),
      ...others.map((name) => `docs/${name}`),
      "CHANGELOG.md",
      ...decisions.map((name) => `docs/decisions/${name}`),
    ]),
  ];
}

function fileOf(path: string): string {
  return path === "README.md" ? "index.html" : `${basename(path, ".md").toLowerCase()}.html`;
}

function pageOf(path: string): Page {
  const markdown = new MarkdownIt({ html: true });
  const tokens = markdown.parse(readFileSync(join(ROOT, path), "utf8"), {});
  const file = fileOf(path);
  const sections: { at: string; title: string; text: string }[] = [];
  const slugs = new Map<string, number>();
  for (const [place, token] of tokens.entries()) {
    const inline = tokens[place + 1];
    if (token.type === "heading_open" && inline) {
      const title = plain(inline.children ?? []);
      const slug = slugOf(title, slugs);
      token.attrSet("id", slug);
      sections.push({ at: `${file}#${slug}`, title, text: "" });
    }
    const section = sections.at(-1);
    if (section && tokens[place - 1]?.type !== "heading_open") {
      if (token.type === "inline") section.text += `${plain(token.children ?? [])} `;
      if (token.type === "fence") section.text += `${token.content} `;
    }
    for (const child of token.children ?? []) {
      for (const name of ["href", "src"]) {
        const link = child.attrGet(name);
        if (link !== null) child.attrSet(name, linkFrom(path, String(link)));
      }
    }
  }
  // What scrolls by itself must be reachable by keyboard (WCAG 2.1.1).
  const html = markdown.renderer
    .render(tokens, markdown.options, {})
    .replace(/<(pre|table)>/g, '<$1 tabindex="0">');
  return { path, file, title: sections[0]?.title ?? path, html, sections };
}

/** The words of inline tokens, without their marks. */
function plain(tokens: readonly { readonly content: string; readonly type: string }[]): string {
  return tokens.map(({ content, type }) => (type === "softbreak" ? " " : content)).join("");
}

/** As GitHub makes them, so that the same links work in both. */
function slugOf(title: string, slugs: Map<string, number>): string {
  const slug = title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-");
  const count = slugs.get(slug) ?? 0;
  slugs.set(slug, count + 1);
  return count === 0 ? slug : `${slug}-${count}`;
}

/** A link of a page of the repository as one of the site. Throws for one that leads nowhere. */
function linkFrom(path: string, link: string): string {
  if (/^(https?:|#)/.test(link)) return link;
  const [target = "", anchor] = link.split("#");
  const to = posix.normalize(posix.join(posix.dirname(path), target));
  if (/\.(svg|png)$/.test(to) && posix.dirname(to) === "docs") return basename(to);
  if (to === "docs/decisions/" || to === "docs/decisions") return "#decisions";
  if (!isPage.has(to)) {
    if (!existsSync(join(ROOT, to))) throw new Error(`${path} links to ${link}, which isn't there`);
    return `../${to}`; // the site lies in the checkout
  }
  return `${fileOf(to)}${anchor === undefined ? "" : `#${anchor}`}`;
}

function documentOf(page: Page): string {
  const named = new Set(Object.values(GROUPS).flat());
  const isDecision = ({ path }: Page) => path.startsWith("docs/decisions/");
  const more = pages.filter((each) => !named.has(each.path) && !isDecision(each));
  const groups: readonly (readonly [string, readonly Page[]])[] = [
    ...Object.entries(GROUPS).map(
      ([name, paths]) => [name, pages.filter(({ path }) => paths.includes(path))] as const,
    ),
    ["More", more],
    ["Decisions", pages.filter(isDecision)],
  ];
  const navigation = groups.map(([name, members]) => {
    const links = members.map(
      ({ file, title }) =>
        `<li><a href="${file}"${file === page.file ? ' aria-current="page"' : ""}>${title}</a></li>`,
    );
    const isOpen = name !== "Decisions" || isDecision(page);
    return `<details id="${name.toLowerCase()}"${isOpen ? " open" : ""}><summary>${name}</summary><ul>${links.join("")}</ul></details>`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${page.title}${page.path === "README.md" ? "" : " – Stock Bazaar"}</title>
<link rel="stylesheet" href="style.css">
</head>
<body>
<a class="skip" href="#content">Skip to the page</a>
<nav aria-label="Pages">
<label for="search">Search</label>
<input id="search" type="search" autocomplete="off" aria-controls="found">
<ol id="found" aria-live="polite"></ol>
${navigation.join("\n")}
</nav>
<main id="content" tabindex="-1">
${page.html}
</main>
<script src="search.js"></script>
</body>
</html>
`;
}
