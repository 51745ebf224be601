// SPDX-License-Identifier: Apache-2.0
// One trace at a time: asked for, and where somebody is in it.
import { ask, said } from './api'
import type { TestEvent, Trace } from './trace'

export class Tracer {
  trace = $state.raw<Trace | null>(null)
  // events are those that were given, null of a test; text is what was traced.
  events = $state.raw<TestEvent[] | null>(null)
  text = $state('')
  at = $state(0)
  error = $state('')
  busy = $state(false)
  #end: AbortController | undefined
  readonly last = $derived(Math.max(0, (this.trace?.moments?.length ?? 0) - 1))

  async run(text: string, of: { rule?: string; test?: string; events?: TestEvent[] }) {
    this.#end?.abort()
    const end = (this.#end = new AbortController())
    this.busy = true
    this.error = ''
    try {
      const { data } = await ask<Trace>('rules/trace', { method: 'POST', body: { text, ...of }, signal: end.signal })
      this.trace = data
      this.events = of.events ?? null
      this.text = text
      this.at = 0
    } catch (e) {
      if (end.signal.aborted) return
      this.trace = null
      this.error = said(e)
    } finally {
      if (this.#end === end) this.busy = false
    }
  }

  step(by: number) { this.at = Math.min(this.last, Math.max(0, this.at + by)) }

  // forget drops what was said of another text.
  forget() {
    this.#end?.abort()
    this.busy = false
    this.trace = null
    this.error = ''
  }
}
