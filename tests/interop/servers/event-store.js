// Keeps the events of every stream in order, so that a client may resume one.

export class EventStore {
  #events = [];

  async storeEvent(streamId, message) {
    return String(this.#events.push({ streamId, message }));
  }

  async getStreamIdForEventId(eventId) {
    return this.#events[Number(eventId) - 1]?.streamId;
  }

  async replayEventsAfter(lastEventId, { send }) {
    const { streamId } = this.#events[Number(lastEventId) - 1];
    for (const [index, event] of this.#events.entries())
      if (index >= Number(lastEventId) && event.streamId === streamId && event.message.jsonrpc)
        await send(String(index + 1), event.message);
    return streamId;
  }
}
