import type { Connection } from '@libp2p/interface';
import * as assert from 'uvu/assert';
import { defaultLimits } from '../../../src/mesh/limits.ts';
import { Doorkeeper, type DoorkeeperOptions } from '../../../src/p2p/trust/doorkeeper.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { suite } from '../../tooling/suite.ts';

const doorkeeper = suite('doorkeeper');

doorkeeper('the porch holds no more than it may, however many were let in while there was room', () => {
  const counted: string[] = [];
  const parts: Partial<DoorkeeperOptions> = {
    book: { serves: () => false } as unknown as DoorkeeperOptions['book'],
    refusals: {
      add: (_peer: string, cause: string) => counted.push(cause),
    } as unknown as DoorkeeperOptions['refusals'],
    clock: new FakeClock(),
    limits: { ...defaultLimits, maxPorch: 2 },
  };
  using keeper = new Doorkeeper(parts as DoorkeeperOptions);
  const aborted: string[] = [];
  for (const name of ['a', 'b', 'c', 'd']) {
    const connection = Object.assign(new EventTarget(), {
      direction: 'inbound',
      remotePeer: { toString: () => name },
      abort: () => aborted.push(name),
    });
    keeper.opened(connection as unknown as Connection);
  }
  assert.equal([keeper.onPorch, aborted, counted], [2, ['c', 'd'], ['porch_full', 'porch_full']]);
});

doorkeeper.run();
