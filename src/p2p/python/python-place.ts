/**
 * One Python node that the operator named: how to get to it, how that went, and under which peer ids it was met. A Python node has a
 * new identity with each start, so the place stays and the peer id does not.
 */

import type { Connection, Libp2p } from '@libp2p/interface';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { MeshError, toMeshError } from '../../mesh/errors.ts';
import { readAnnouncement } from '../discovery/announce-file.ts';
import { parsePeerId } from '../reach/addresses.ts';
import { reasonOf } from '../reach/dialer.ts';

/** Earlier identities that are remembered: tasks that were given to the node name them. */
const maxIdentities = 64;

export interface PythonPlaceOptions {
  /** As the operator wrote it: a multiaddr, with or without a peer id, or the path of an announce file. */
  readonly text: string;
  readonly host: Libp2p;
  /** Under which peer ids it was met before this start. */
  readonly metBefore?: readonly string[];
  /** It has shown a peer id that is new. */
  readonly onMet?: (peerIds: readonly string[]) => void;
}

export class PythonPlace {
  readonly text: string;
  readonly #host: Libp2p;
  /** Undefined: the text is the path of an announce file. */
  readonly #address: Multiaddr | undefined;
  readonly #peerIds: Set<string>;
  readonly #onMet: PythonPlaceOptions['onMet'];
  /** Where it was met last: for an announce file, what stood in it. */
  #metAt: string | undefined;
  #connecting: Promise<Connection> | undefined;
  #trouble: MeshError | undefined;

  constructor({ text, host, metBefore = [], onMet }: PythonPlaceOptions) {
    this.text = text;
    this.#host = host;
    this.#peerIds = new Set(metBefore);
    this.#onMet = onMet;
    this.#address = /^\/(ip4|ip6|dns|dns4|dns6)\//.test(text) ? multiaddr(text) : undefined;
    const named = this.#address === undefined ? undefined : peerIdIn(this.#address);
    if (named !== undefined) this.#peerIds.add(named);
  }

  /** The identity under which it was met last. */
  get peerId(): string {
    return [...this.#peerIds].at(-1) ?? '';
  }

  /** Why it could not be used the last time; undefined when it could. */
  get trouble(): MeshError | undefined {
    return this.#trouble;
  }

  set trouble(error: MeshError | undefined) {
    this.#trouble = error;
  }

  /** The connection that is there now. */
  get connection(): Connection | undefined {
    if (this.peerId === '') return undefined;
    return this.#host.getConnections(parsePeerId(this.peerId)).find(({ status }) => status === 'open');
  }

  /** Program and version, as the node says itself. */
  async agent(): Promise<string | null> {
    if (this.peerId === '') return null;
    const stored = await this.#host.peerStore.get(parsePeerId(this.peerId)).catch(() => undefined);
    const agent = stored?.metadata.get('AgentVersion');
    return agent === undefined ? null : new TextDecoder().decode(agent).slice(0, 200);
  }

  /** Whether the node was met under this peer id. */
  isMeant(peerId: string): boolean {
    return this.#peerIds.has(peerId);
  }

  /** The address that is known for it, or the text while there is none. */
  get address(): string {
    return this.#address?.toString() ?? this.#metAt ?? this.text;
  }

  /** Whether this is its address, with or without a peer id at the end, or its very text. */
  isAt(address: string): boolean {
    return address === this.text || withoutPeerId(address) === withoutPeerId(this.address);
  }

  /**
   * The connection that is there, or a new one, within the host's own time limit: it is shared by all who wait for it.
   * Rejects with `peer_unreachable`, `peer_not_found`, `invalid_json`.
   */
  async connect(): Promise<Connection> {
    const open = this.connection;
    if (open !== undefined) return open;
    this.#connecting ??= this.#tried().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  /** Reads the announce file again: the node may have started anew. */
  async look(): Promise<void> {
    if (this.#address === undefined) await this.#announced();
  }

  async #tried(): Promise<Connection> {
    try {
      const connection = await this.#dial();
      this.#trouble = undefined;
      return connection;
    } catch (thrown) {
      this.#trouble = toMeshError(thrown);
      throw thrown;
    }
  }

  /** Goes to the newest address: what the announce file said at first may be over before it is reached. */
  async #dial(): Promise<Connection> {
    const address = this.#address ?? (await this.#announced());
    const announced = this.#metAt;
    const [reached] = await Promise.allSettled([this.#reach(address)]);
    if (this.#metAt !== announced) return this.#dial();
    if (reached.status === 'fulfilled') return reached.value;
    throw reached.reason;
  }

  async #reach(address: Multiaddr): Promise<Connection> {
    try {
      const connection = await this.#host.dial(address);
      this.#met(connection.remotePeer.toString());
      return connection;
    } catch (cause) {
      const why = reasonOf(cause as Error);
      throw new MeshError('peer_unreachable', `The Python node at ${this.text} could not be connected to: ${why}.`, {
        cause,
        details: { python_peer: this.text },
      });
    }
  }

  async #announced(): Promise<Multiaddr> {
    const { peer_id, multiaddr: text } = await readAnnouncement(this.text);
    const address = multiaddr(text);
    const named = peerIdIn(address);
    if (named !== undefined && named !== peer_id)
      throw new MeshError('invalid_multiaddr', `The announce file ${this.text} names two peers: ${named}, ${peer_id}.`);
    const full = named === undefined ? address.encapsulate(`/p2p/${peer_id}`) : address;
    this.#met(peer_id);
    this.#metAt = full.toString();
    return full;
  }

  #met(text: string): void {
    const peerId = parsePeerId(text).toString();
    if (peerId === this.peerId) return;
    this.#peerIds.delete(peerId);
    this.#peerIds.add(peerId);
    const [oldest] = this.#peerIds;
    if (this.#peerIds.size > maxIdentities && oldest !== undefined) this.#peerIds.delete(oldest);
    this.#onMet?.([...this.#peerIds]);
  }
}

function peerIdIn(address: Multiaddr): string | undefined {
  const last = address.getComponents().at(-1);
  return last?.name === 'p2p' && last.value !== undefined ? parsePeerId(last.value).toString() : undefined;
}

function withoutPeerId(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, '');
}
