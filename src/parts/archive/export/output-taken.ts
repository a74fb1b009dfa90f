// The refusal to write over a file.

export class OutputTaken extends Error {
  constructor(path: string, why = "it exists; an export writes over nothing") {
    super(`${path}: ${why}`);
    this.name = "OutputTaken";
  }
}
