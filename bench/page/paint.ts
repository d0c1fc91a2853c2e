/** The colours of the pictures: drawn with stand-ins, which become CSS variables of the page, and hatchings where areas meet. */

/** Stand-ins that nothing else in an SVG contains. */
export const ink = { text: '#010203', faint: '#010204', paper: '#010205' } as const;

const variables: Readonly<Record<keyof typeof ink, string>> = {
  text: 'var(--text)',
  faint: 'var(--faint)',
  paper: 'var(--paper)',
};

/** So many series have a colour of their own. */
export const seriesColours = 10;

/** The stand-in of a series' colour. */
export const inkOf = (index: number): string => `#0203${(index % seriesColours).toString(16).padStart(2, '0')}`;

/** Angle and width of a hatching's lines: neighbours differ. */
const hatchings = [
  { angle: 0, gap: 0 },
  { angle: 45, gap: 6 },
  { angle: -45, gap: 6 },
  { angle: 90, gap: 5 },
  { angle: 0, gap: 5 },
  { angle: 45, gap: 3 },
  { angle: -45, gap: 3 },
  { angle: 20, gap: 8 },
  { angle: -70, gap: 8 },
  { angle: 90, gap: 3 },
] as const;

let pictures = 0;

/** Puts CSS variables into the place of stand-ins. `hatched`: areas get patterns besides colours. */
export function paint(svg: string, hatched: boolean): string {
  const prefix = `h${++pictures}`;
  let painted = svg;
  const used: string[] = [];
  for (let index = 0; index < seriesColours; index++) {
    const standIn = inkOf(index);
    if (!painted.includes(standIn)) continue;
    if (hatched) {
      used.push(pattern(`${prefix}-${index}`, index));
      painted = painted.replaceAll(`fill="${standIn}"`, `fill="url(#${prefix}-${index})"`);
    }
    painted = painted.replaceAll(standIn, `var(--series-${index})`);
  }
  for (const name of Object.keys(ink) as (keyof typeof ink)[]) painted = painted.replaceAll(ink[name], variables[name]);
  return used.length === 0 ? painted : painted.replace(/<svg[^>]*>/, (tag) => `${tag}<defs>${used.join('')}</defs>`);
}

function pattern(id: string, index: number): string {
  const { angle, gap } = hatchings[index] ?? hatchings[0];
  const size = gap === 0 ? 8 : gap;
  const line = gap === 0 ? '' : `<line x1="0" y1="0" x2="0" y2="${size}" stroke="var(--paper)" stroke-width="1.6"/>`;
  return `<pattern id="${id}" width="${size}" height="${size}" patternUnits="userSpaceOnUse" patternTransform="rotate(${angle})"><rect width="${size}" height="${size}" fill="var(--series-${index})"/>${line}</pattern>`;
}
