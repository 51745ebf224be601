// SPDX-License-Identifier: Apache-2.0
// The list of incidents under the reader's eyes.
import { get, said } from './api'
import { merge } from './fresh'
import { watch, type Watch } from './live'
import type { Incident, Page } from './types'

export const pageSize = 100

export class List {
  rows = $state.raw<Incident[]>([])
  waiting = $state.raw<string[]>([])
  gone = $state.raw(new Set<string>())
  loaded = $state(false)
  error = $state('')
  next = $state('')
  more = $state(false)
  #watch: Watch | undefined
  #show = true // the next answer is shown as it is

  constructor(readonly query: URLSearchParams) {
    this.query.set('limit', String(pageSize))
  }

  start(): () => void {
    this.#watch = watch((signal) => this.#turn(signal))
    return () => this.#watch?.stop()
  }

  // show takes in what waits.
  show() {
    this.#show = true
    this.#watch?.now()
  }

  async #turn(signal: AbortSignal) {
    let page: Page<Incident>
    try {
      page = await get<Page<Incident>>('incidents?' + this.query, signal)
    } catch (e) {
      this.error = said(e)
      throw e
    }
    this.error = ''
    this.take(page)
  }

  take(page: Page<Incident>) {
    const items = page.items ?? []
    // A list that is empty has nothing that could jump.
    if (this.#show || this.rows.length === 0) {
      this.rows = items
      this.next = page.next_cursor
      this.waiting = []
      this.gone = new Set()
      this.#show = false
    } else {
      const m = merge(this.rows, items, page.next_cursor === '')
      this.rows = m.rows
      this.waiting = m.waiting
      this.gone = m.gone
    }
    this.loaded = true
  }

  // put shows what a change by this person made of an incident.
  put(v: Incident) {
    this.rows = this.rows.map((r) => (r.id === v.id ? v : r))
  }

  async longer() {
    if (!this.next || this.more) return
    this.more = true
    try {
      const q = new URLSearchParams(this.query)
      q.set('cursor', this.next)
      const page = await get<Page<Incident>>('incidents?' + q)
      const have = new Set(this.rows.map((r) => r.id))
      this.rows = [...this.rows, ...(page.items ?? []).filter((r) => !have.has(r.id))]
      this.next = page.next_cursor
    } catch (e) {
      this.error = said(e)
    }
    this.more = false
  }
}
