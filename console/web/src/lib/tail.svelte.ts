// SPDX-License-Identifier: Apache-2.0
// The stream of events, detections or alerts as it runs, and the last few of it.
import { Messages } from './messages'
import { seenOf, type Seen } from './seen'
import { stream } from './stream'

// So many are kept, and so many more wait while the reader paused: memory is bounded.
export const kept = 1000

export const kinds = { events: 'Events', detections: 'Detections', alerts: 'Alerts' } as const
export type Kind = keyof typeof kinds

export class Tail {
  // rows are the newest first.
  rows = $state.raw<Seen[]>([])
  paused = $state(false)
  held = $state(0)
  lost = $state(0)
  seen = $state(0)
  // each n-th is shown: of thousands a second nobody reads all.
  each = $state(1)
  state = $state('connecting')
  #waiting: Seen[] = []
  #stop: (() => void) | undefined
  #frame = 0
  #mark = '' // where the stream goes on

  constructor(readonly kind: Kind) {}

  start() {
    // It does not rest while nobody looks: who comes back wants to see what passed.
    this.#stop = stream(this.kind + '/stream', {
      headers: () => (this.#mark ? { 'Last-Event-ID': this.#mark } : {} as Record<string, string>),
      begin: () => {
        const messages = new Messages()
        return (line) => {
          const m = messages.push(line)
          if (m?.id) this.#mark = m.id
          const s = m && seenOf(m, this.seen + 1)
          if (s) this.#take(s)
        }
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
    this.rows = []
    this.#waiting = []
    this.held = 0
  }

  #take(e: Seen) {
    this.seen++
    if (!e.gap && this.seen % this.each) return
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
    this.rows = [...this.#waiting.reverse(), ...this.rows].slice(0, kept)
    this.#waiting = []
    this.held = 0
  }
}
