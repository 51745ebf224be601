// SPDX-License-Identifier: Apache-2.0
// The stream of events as it runs, and the last few of it.
import { eventOf, type Seen } from './lines'
import { stream } from './stream'

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
  #stop: (() => void) | undefined
  #next = 1
  #frame = 0

  start() {
    // It does not rest while nobody looks: what passes meanwhile would not come again.
    this.#stop = stream('events/tail', {
      begin: () => (line) => {
        if (line !== '') this.#take(eventOf(line ?? '{"error":"an event too large to show"}', this.#next++))
      },
      stands: (why) => { this.state = why ? why + ' Connecting again.' : 'connected' },
    })
  }

  stop() {
    this.#stop?.()
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
