// Why a data file can't be used, by what the operator does next.
//
// Every message is one line that says what happened and what to do, so that the
// command line can print it as it is and exit with status 1.

/** A data file can't be used; the process that needs it must not start, or must stop. */
export class DataFileError extends Error {
  override readonly name: string = "DataFileError";
}

/** The disk refused: it is full, or reading or writing failed. Stop this process; the others go on. */
export class JournalFailed extends DataFileError {
  override readonly name: string = "JournalFailed";
}

/** The disk refuses until its operator does something: it is full, or the path is too long. */
export class JournalRefused extends JournalFailed {
  override readonly name = "JournalRefused";
}

/** What is on disk isn't what was written. Stop: the damaged part may have been acknowledged. */
export class JournalCorrupt extends DataFileError {
  override readonly name = "JournalCorrupt";
  readonly path: string;
  /** The journal position at which it shows; null when it isn't in an entry. */
  readonly position: number | null;

  constructor(path: string, position: number | null, what: string) {
    const where = position === null ? path : `${path}, position ${position}`;
    super(
      `${where}: ${what}; the file is damaged: keep it aside and make a replacement ` +
        `with "bazaar format --replace ROLE"`,
    );
    this.path = path;
    this.position = position;
  }
}

/** There is no file. The disk was lost, or this directory was never formatted. */
export class DataFileMissing extends DataFileError {
  override readonly name = "DataFileMissing";

  constructor(path: string, role: string) {
    super(
      `${path} is missing: if this disk was lost, make a replacement with ` +
        `"bazaar format --replace ${role}"; for a new cluster, run "bazaar format"`,
    );
  }
}

/** A file is where a new one is to be made. */
export class DataFileExists extends DataFileError {
  override readonly name = "DataFileExists";
}

/** Nothing tells which cluster a replacement is for. */
export class ClusterUnknown extends DataFileError {
  override readonly name = "ClusterUnknown";
}

/** Another process has this role's folder. */
export class DirectoryLocked extends DataFileError {
  override readonly name = "DirectoryLocked";

  constructor(folder: string) {
    super(
      `${folder} is locked by another process: stop that one first, or choose another --data directory`,
    );
  }
}

/** The file belongs to another cluster, another replica, or another program. */
export class DataFileForeign extends DataFileError {
  override readonly name = "DataFileForeign";
}

/** The file was written by a newer version of the program. */
export class DataFileTooNew extends DataFileError {
  override readonly name = "DataFileTooNew";

  constructor(path: string, version: number, newestKnown: number) {
    super(
      `${path} has format ${version}, this program knows up to ${newestKnown}: run a newer version of it`,
    );
  }
}

/** The file was written by an older version of the program. */
export class DataFileTooOld extends DataFileError {
  override readonly name = "DataFileTooOld";

  constructor(path: string, version: number, needed: number) {
    super(
      `${path} has format ${version}, this program needs ${needed}: stop all processes, then run "bazaar format --upgrade"`,
    );
  }
}
