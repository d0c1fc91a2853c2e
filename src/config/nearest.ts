/** Finds the name that somebody who mistyped one probably meant. */

/** The candidate with the fewest edits from `name`, or else one that it begins; undefined when none is near. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const all = [...candidates];
  let best: string | undefined;
  let fewest = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of all) {
    const edits = editDistance(name, candidate);
    if (edits < fewest) [best, fewest] = [candidate, edits];
  }
  return best ?? (name.length < 2 ? undefined : all.find((candidate) => candidate.startsWith(name)));
}

/** ` Did you mean …?`, or nothing: to be added to a message. */
export function didYouMean(name: string, candidates: Iterable<string>, prefix = ''): string {
  const near = nearest(name, candidates);
  return near === undefined ? '' : ` Did you mean ${prefix}${near}?`;
}

/** Levenshtein distance, row by row. */
function editDistance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (above[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    above = current;
  }
  return above[to.length] ?? 0;
}
