// The options as commander reads them, and as they are handed on.

import { Command } from "commander";
import { expect, test } from "vitest";
import {
  addClusterOptions,
  environmentName,
  flagArguments,
  givenFlags,
  optionNames,
} from "./options.ts";

test("options that up hands on to a role are read as the same options", () => {
  const parse = (args: readonly string[]) => {
    const command = addClusterOptions(new Command("up"));
    command.parse([...args], { from: "user" });
    return givenFlags(command);
  };
  const flags = parse(["--data=-odd dir", "--port", "8100", "--catalogs", "2", "--no-cache"]);
  expect(flags).toEqual({ data: "-odd dir", port: "8100", catalogs: "2", cache: false });
  expect(parse(flagArguments(flags))).toEqual(flags);
  expect(parse([])).toEqual({});
  expect(parse(["--no-cache", "--cache", "memory"])).toEqual({ cache: "memory" });
});

test("every option is in the help", () => {
  const help = addClusterOptions(new Command("up")).helpInformation();
  for (const name of [...optionNames, "config", "no-cache"]) expect(help).toContain(`--${name}`);
});

test("an option's variable in the environment is BAZAAR_ and its name in capitals", () => {
  expect(environmentName("redis-maxmemory-policy")).toBe("BAZAAR_REDIS_MAXMEMORY_POLICY");
});
