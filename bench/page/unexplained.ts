/** What a report leaves open: what its suites could not explain, targets that were missed, and noise that is more than noise. */

import type { Report } from '../report-schema.ts';
import { withInterval } from './numbers.ts';

export const unexplainedIn = ({ suites }: Report): string[] =>
  suites.flatMap((suite) => [
    ...suite.findings.filter(({ kind }) => kind === 'unexplained').map(({ text }) => text),
    ...suite.comparisons.flatMap(({ title, pairs }) =>
      pairs.flatMap(({ label, ratio, outcome }) =>
        outcome === 'missed' && ratio !== null
          ? [`${title}; ${label}: ${withInterval(ratio)}. The target was missed.`]
          : [],
      ),
    ),
    ...suite.noise.flatMap(({ cell, metric, figure, ratio }) =>
      // The wider its interval the worse: by the verdict on a difference, great noise would be none.
      ratio !== null && (ratio.low > 1 || ratio.high < 1) && ratio.high / ratio.low > 1.01
        ? [
            `${suite.title}: ${cell} differs from itself in ${suite.metrics[metric]?.title ?? metric} ${figure} (${withInterval(ratio)}). Differences of that size mean nothing in this suite.`,
          ]
        : [],
    ),
    ...(suite.duration_s > 1.4 * suite.budget_s
      ? [`${suite.title} took ${Math.round(suite.duration_s)} s of ${suite.budget_s} s: cells may be missing.`]
      : []),
  ]);
