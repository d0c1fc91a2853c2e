/** Brings values from outside into the form in which every store keeps them. Called by the engine. */

/** JSON text; what JSON has no word for becomes null. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value) ?? 'null';
}

/** Text that survives as it is: databases end texts at a NUL, and UTF-8 has no unpaired surrogates. */
export function plainText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}
