// Builds the page into dashboard/dist, which every front end serves at /.

import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2023",
    // The page's security policy knows no data: URLs, and no inline script.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
});
