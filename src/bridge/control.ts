/** What crosses a bridge beside the operations: the life of the far side, and its events. */

/** Builds and starts the node; params `{ options }`. Answers when it listens, or with the error why it does not. */
export const startMethod = 'bridge/start';
/** Stops the node; answers when everything is closed. */
export const stopMethod = 'bridge/stop';
/** Turns the stream of events on or off; params `{ on }`. */
export const subscribeMethod = 'bridge/subscribe';
/** Notification from the far side; params `{ event }`. */
export const eventMethod = 'bridge/event';
