// npm run flips -- [--flips 10000] [--seed N]
//
// Flips bits in files of every kind, one at a time, each on fresh copies of the
// files, and has the role that owns them started, asked everything and started
// again. Exit status 1 when any flip comes to something else than being refused,
// healed or harmless. A flip's number is its seed: `--flips 1 --seed N` tries it
// again.

import { closeSync, copyFileSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { TemporaryFolder } from "../../lab/process.ts";
import { Random } from "../../simulation/random.ts";
import { counted } from "../history.ts";
import { examine, type Outcome } from "./examine.ts";
import { type Place, Places } from "./places.ts";
import { makeSpecimens, type Specimen, type Truth } from "./specimens.ts";

/** The files are the same for every flip, so that a flip's number says all of it. */
const SPECIMENS_SEED = 1;
/** How many flips hit a file that is open; for others the role is started after it. */
const WHILE_OPEN = 0.3;
const SEEDS = 1_000_000;
/** What is wrong is told up to here; the rest is counted. */
const WRONG_TOLD_MAX = 20;
const TOLD_EVERY = 1_000;

export class Flips {
  readonly truth: Truth;
  readonly specimens: readonly Specimen[];
  readonly #folder: string;
  /** By specimen, of each of its files. */
  readonly #places: ReadonlyMap<Specimen, readonly Places[]>;
  readonly #counts = new Map<string, number>();

  /** Makes all files in an empty folder, and checks that they are right as long as nothing is flipped. */
  constructor(folder: string) {
    const { specimens, truth } = makeSpecimens(join(folder, "specimens"), SPECIMENS_SEED);
    this.#folder = join(folder, "flipped");
    this.specimens = specimens;
    this.truth = truth;
    this.#places = new Map(
      specimens.map((specimen) => [
        specimen,
        specimen.files.map((file) => new Places(specimen.folder, file)),
      ]),
    );
    for (const specimen of specimens) {
      const outcome = examine(specimen, this.copyOf(specimen), truth);
      if (outcome !== "harmless") throw new Error(`${specimen.name} is ${outcome} as it is`);
    }
  }

  /** How many flips came to what, by specimen. */
  get counts(): ReadonlyMap<string, number> {
    return new Map([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Makes the flip of this number; what went wrong with it, in words, or null. */
  flip(number: number): string | null {
    const random = new Random(number);
    const specimen = random.pick(this.#drawn());
    const place = random.pick(this.#places.get(specimen) ?? []).draw(random);
    const whileOpen = specimen.kind !== "secret" && random.chance(WHILE_OPEN);
    const folder = this.copyOf(specimen);
    const flip = (): void => flipBit(join(folder, place.file), place);
    let outcome: Outcome | "WRONG" = "WRONG";
    try {
      if (!whileOpen) flip();
      outcome = examine(specimen, folder, this.truth, whileOpen ? flip : undefined);
      return null;
    } catch (error) {
      const { offset, bit, what } = place;
      const when = whileOpen ? "while it runs" : "before it starts";
      const told = error instanceof Error ? error.stack : String(error);
      return `flip ${number}: ${specimen.name}, ${what}, bit ${bit} of byte ${offset}, ${when}\n${told}`;
    } finally {
      const key = `${outcome}: ${specimen.name}`;
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    }
  }

  /** A folder with copies of a specimen's files, in place of the last one. */
  copyOf(specimen: Specimen): string {
    rmSync(this.#folder, { recursive: true, force: true });
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    for (const file of specimen.files) {
      mkdirSync(dirname(join(this.#folder, file)), { recursive: true, mode: 0o700 });
      copyFileSync(join(specimen.folder, file), join(this.#folder, file));
    }
    return this.#folder;
  }

  /** The files of a replica are more, and decide; the secret is small. */
  #drawn(): readonly Specimen[] {
    const weights = { order: 8, catalog: 3, secret: 1 };
    return this.specimens.flatMap((specimen) =>
      Array<Specimen>(weights[specimen.kind]).fill(specimen),
    );
  }
}

function flipBit(path: string, { offset, bit }: Place): void {
  const file = openSync(path, "r+");
  try {
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, offset);
    byte.writeUInt8(byte.readUInt8(0) ^ (1 << bit));
    writeSync(file, byte, 0, 1, offset);
  } finally {
    closeSync(file);
  }
}

function main(): void {
  const { values } = parseArgs({
    options: {
      flips: { type: "string", default: "10000" },
      seed: { type: "string", default: String(1 + Math.floor(Math.random() * SEEDS)) },
    },
  });
  const [flips = 0, seed = 0] = [values.flips, values.seed].map(Number);
  if (![flips, seed].every((value) => Number.isSafeInteger(value) && value > 0)) {
    console.error("flips: --flips and --seed take whole numbers above 0");
    process.exit(1);
  }
  console.log(`flips ${seed} to ${seed + flips - 1}`);
  using folder = new TemporaryFolder("flips");
  const all = new Flips(folder.path);
  let wrong = 0;
  for (let number = seed; number < seed + flips; number++) {
    const problem = all.flip(number);
    if (problem !== null && ++wrong <= WRONG_TOLD_MAX) {
      console.log(`\n${problem}\nagain: npm run flips -- --flips 1 --seed ${number}`);
    }
    const done = number - seed + 1;
    if (done % TOLD_EVERY === 0 && done < flips) console.log(`${done} of ${flips}, ${wrong} wrong`);
  }
  console.log(`\n${counted(all.counts)}\n\n${wrong} of ${flips} flips went wrong`);
  if (wrong > 0) process.exitCode = 1;
}

if (import.meta.main) main();
