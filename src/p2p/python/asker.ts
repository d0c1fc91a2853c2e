/** Who asks, known by the connection: identities change with each call of a Python client, its address does not. */
export interface Asker {
  readonly peerId: string;
  readonly host: string;
}
