/** Fields of a Python node's request. Several names stand for the same one; what has the wrong type counts as missing. */

export type Request = Readonly<Record<string, unknown>>;

/** The first text that is not empty. */
export function textOf(request: Request, ...names: readonly string[]): string {
  for (const name of names) {
    const value = request[name];
    if (typeof value === 'string' && value.trim() !== '') return value.trim();
  }
  return '';
}

/** The first number, or text that is one, within its bounds; `otherwise` when there is none. */
export function numberOf(
  request: Request,
  names: readonly string[],
  { otherwise, least, most }: { otherwise: number; least: number; most: number },
): number {
  for (const name of names) {
    const value = request[name];
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    if (typeof number === 'number' && Number.isFinite(number)) return Math.min(Math.max(number, least), most);
  }
  return otherwise;
}

/** The first list of texts. */
export function textsOf(request: Request, ...names: readonly string[]): string[] {
  for (const name of names) {
    const value = request[name];
    if (Array.isArray(value)) return value.filter((item) => typeof item === 'string' && item !== '').map(String);
    if (typeof value === 'string' && value !== '') return [value];
  }
  return [];
}

/** The first object. */
export function recordOf(request: Request, ...names: readonly string[]): Record<string, unknown> | undefined {
  for (const name of names) {
    const value = request[name];
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  }
  return undefined;
}

/** A text as it is, anything else as JSON, nothing as an empty text; cut to what is stored. */
export function noteOf(value: unknown, maxLength: number): string {
  if (value === undefined || value === null) return '';
  return (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, maxLength);
}
