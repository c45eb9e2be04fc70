// Builds the page into dashboard/dist, which every front end serves at /; each
// file also compressed, once, here, so that no front end spends time on it.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [compressed(join(import.meta.dirname, "dist"))],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2023",
    // The page's security policy knows no data: URLs, and no inline script.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
});

function compressed(folder: string): Plugin {
  return {
    name: "compressed",
    closeBundle() {
      for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        if (!/\.(html|js|css|svg)$/.test(file)) continue;
        const path = join(folder, file);
        const bytes = readFileSync(path);
        writeFileSync(`${path}.br`, brotliCompressSync(bytes));
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
      }
    },
  };
}
