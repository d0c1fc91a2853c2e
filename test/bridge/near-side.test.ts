import * as assert from 'uvu/assert';
import { memoryChannels } from '../../src/bridge/memory-channel.ts';
import { nearSide } from '../../src/bridge/near-side.ts';
import { defaultPatience } from '../../src/bridge/patience.ts';
import { verbs } from '../../src/bridge/protocol.ts';
import { defaultLimits } from '../../src/mesh/limits.ts';
import { errorCode } from '../support/error-code.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';

const near = suite('near side');

near('a hello waits for as long as a start may take, not for as long as a call may', async () => {
  const [channel, far] = memoryChannels();
  const ids: (string | number)[] = [];
  far.open({
    message: (message) => void ids.push((message as { id: number }).id),
    closed() {},
  });
  const clock = new FakeClock();
  const side = nearSide(channel, { onEvent() {}, clock });
  const greeting = side.hello(undefined, defaultPatience.startMs);
  // A far side that is still loading its code answers nothing.
  const asked = errorCode(side.ask(verbs.ping, {}, defaultLimits.callDeadlineMs));
  clock.advance(defaultLimits.callDeadlineMs);
  assert.is(await asked, 'timeout');
  const welcome = { protocol: 1, build: 'b', limits: {} };
  far.post({ jsonrpc: '2.0', id: ids[0] as number, result: welcome });
  assert.equal(await greeting, welcome);
  side.close();
});

near.run();
