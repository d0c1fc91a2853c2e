/**
 * Who may ask on the Python listener: whoever holds the token, at a bounded rate. Clients come with a new identity for each call,
 * so what they send is counted by the address that their connection comes from.
 */

import { getLogger } from '@logtape/logtape';
import type { Clock } from '../../mesh/clock.ts';
import type { Limits } from '../../mesh/limits.ts';
import { TokenBucket } from '../token-bucket.ts';
import { trustLevel } from './token.ts';

const log = getLogger(['taskmesh', 'p2p', 'python']);

/** Addresses that are remembered; the one seen longest ago is forgotten first. */
const maxHosts = 1_000;

/** Wrong tokens that one address may show at once, and how many more each second. */
const wrongTokens = 10;
const wrongTokensPerSecond = 10 / 60;

export interface Origin {
  /** The address that the connection comes from, without the port. */
  readonly host: string;
}

interface HostCount {
  readonly requests: TokenBucket;
  readonly refusals: TokenBucket;
  told: boolean;
  /** The next wrong token is one too many. */
  shut: boolean;
}

export class Guard {
  /** Requests that were refused for their token, since the start. */
  refused = 0;
  readonly #token: string;
  readonly #clock: Clock;
  readonly #limits: Pick<Limits, 'pythonRequestsPerSecond'>;
  readonly #hosts = new Map<string, HostCount>();

  constructor(token: string, clock: Clock, limits: Pick<Limits, 'pythonRequestsPerSecond'>) {
    this.#token = token;
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Counts a request; false when its address has sent too many. */
  mayAsk({ host }: Origin): boolean {
    return this.#of(host).requests.take();
  }

  /** Whether the request carries the token. An address that guesses is refused for a while, whatever it shows. */
  admits(request: Readonly<Record<string, unknown>>, { host }: Origin): boolean {
    const count = this.#of(host);
    if (count.shut && !count.refusals.take()) return this.#refuse(host, count);
    count.shut = false;
    if (trustLevel(request, this.#token) === 'trusted') return true;
    count.shut = !count.refusals.take();
    return this.#refuse(host, count);
  }

  #refuse(host: string, count: HostCount): false {
    this.refused++;
    if (!count.told) {
      log.warn('A client at {host} asks as a Python node and does not show the token; it is refused.', { host });
      count.told = true;
    }
    return false;
  }

  #of(host: string): HostCount {
    let count = this.#hosts.get(host);
    if (count === undefined) {
      const perSecond = this.#limits.pythonRequestsPerSecond;
      const requests = new TokenBucket(perSecond, 2 * perSecond, this.#clock);
      const refusals = new TokenBucket(wrongTokensPerSecond, wrongTokens, this.#clock);
      count = { requests, refusals, told: false, shut: false };
    }
    this.#hosts.delete(host);
    this.#hosts.set(host, count);
    const [oldest] = this.#hosts.keys();
    if (this.#hosts.size > maxHosts && oldest !== undefined) this.#hosts.delete(oldest);
    return count;
  }
}
