/** What the suite `queue` does with a queue, whoever made it. */

export interface QueueUnderTest {
  /** Accepts one task; on disk when it resolves. Nobody works on it. */
  submit(): Promise<unknown>;
  /** Accepts so many tasks for `drain`, as fast as it goes. */
  fill(count: number): Promise<void>;
  /**
   * Works on so many tasks, with so many at a time; the work is nothing. Answers the milliseconds from the first claim to the last
   * completion, each of them on disk.
   */
  drain(count: number, inFlight: number): Promise<number>;
  close(): Promise<unknown>;
}

export interface QueueOptions {
  payloadBytes: number;
}

/** A task's payload: JSON of about so many bytes. */
export const payloadOf = ({ payloadBytes }: QueueOptions): { text: string } => ({ text: 'x'.repeat(payloadBytes) });

/** Opens a queue on the server at this URL. */
export type OpenPeer = (url: string, options: QueueOptions) => Promise<QueueUnderTest>;
