// SPDX-License-Identifier: Apache-2.0
// The stream of events as it runs, and the last few of it.
import { said, send } from './api'
import { eventOf, Lines, type Seen } from './lines'

// So many events are kept, and so many more wait while the reader paused: memory is bounded.
export const kept = 1000

export class Tail {
  // events are the newest first.
  events = $state.raw<Seen[]>([])
  paused = $state(false)
  held = $state(0)
  lost = $state(0)
  seen = $state(0)
  state = $state('connecting')
  #waiting: Seen[] = []
  #end: AbortController | undefined
  #next = 1
  #frame = 0

  start() {
    this.#end = new AbortController()
    void this.#run(this.#end.signal)
  }

  stop() {
    this.#end?.abort()
    cancelAnimationFrame(this.#frame)
  }

  pause(on: boolean) {
    this.paused = on
    if (!on) this.#flush()
  }

  clear() {
    this.events = []
    this.#waiting = []
    this.held = 0
  }

  async #run(signal: AbortSignal) {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const r = await send('events/tail', { signal })
        this.state = 'connected'
        failures = 0
        await this.#read(r.body!.pipeThrough(new TextDecoderStream()).getReader())
        this.state = 'the server ended it: connecting again'
      } catch (e) {
        if (signal.aborted) return
        this.state = said(e) + ' Connecting again.'
      }
      await new Promise((done) => setTimeout(done, Math.min(1000 * 2 ** failures, 30_000)))
    }
  }

  async #read(reader: ReadableStreamDefaultReader<string>) {
    const lines = new Lines()
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      for (const line of lines.push(value)) {
        this.#take(line === null ? eventOf('{"error":"an event too large to show"}', this.#next++) : eventOf(line, this.#next++))
      }
    }
  }

  #take(e: Seen) {
    this.seen++
    this.#waiting.push(e)
    if (this.#waiting.length > kept) {
      this.#waiting.shift()
      this.lost++
    }
    this.held = this.#waiting.length
    // However many come, the page is drawn once a frame.
    if (!this.paused && !this.#frame) this.#frame = requestAnimationFrame(() => this.#flush())
  }

  #flush() {
    this.#frame = 0
    if (this.paused) return
    this.events = [...this.#waiting.reverse(), ...this.events].slice(0, kept)
    this.#waiting = []
    this.held = 0
  }
}
