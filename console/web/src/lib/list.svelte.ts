// SPDX-License-Identifier: Apache-2.0
// The list of incidents under the reader's eyes. It is read once, and then changes come as they happen.
import { get, Problem, said } from './api'
import { heard, merge, without, type Merged } from './fresh'
import { Messages, type Message } from './messages'
import { paused, pauseAfter } from './pause'
import { stream } from './stream'
import type { Incident, Page } from './types'

export const pageSize = 100

export class List {
  rows = $state.raw<Incident[]>([])
  waiting = $state.raw<string[]>([])
  gone = $state.raw(new Set<string>())
  loaded = $state(false)
  error = $state('')
  // still says why nothing comes by itself.
  still = $state('')
  next = $state('')
  more = $state(false)
  #end = new AbortController()
  #mark = '' // where the stream goes on
  #show = true // the next answer is shown as it is
  #reading = false
  #again = false
  #late: Message[] = [] // what came while the list was read

  constructor(readonly query: URLSearchParams) {}

  start(): () => void {
    const stop = stream('incidents/stream?' + this.query, {
      rests: true,
      headers: () => (this.#mark ? { 'Last-Event-ID': this.#mark } : {} as Record<string, string>),
      begin: () => {
        const messages = new Messages()
        return (line) => {
          const m = messages.push(line)
          if (m) this.#hear(m)
        }
      },
      stands: (why, e) => {
        if (!why) this.still = ''
        else if (e) this.still = why
        // Who is refused a stream still has the list, each time that they ask for one.
        if (e instanceof Problem && e.status !== 0) void this.#read()
      },
    })
    return () => {
      stop()
      this.#end.abort()
    }
  }

  // show takes in what waits.
  show() {
    this.#show = true
    void this.#read()
  }

  #hear(m: Message) {
    // The first place of all: what changes from now on is told, and what there is has to be read. So it is after a gap.
    const fresh = this.#mark === '' || m.event === 'gap'
    if (m.id) this.#mark = m.id
    if (fresh) void this.#read()
    else if (this.#reading) this.#late.push(m)
    else this.#take(m)
  }

  #take(m: Message) {
    const now: Merged<Incident> = { rows: this.rows, waiting: this.waiting, gone: this.gone }
    if (m.event === 'incident') this.#put(heard(now, JSON.parse(m.data) as Incident, this.next === ''))
    else if (m.event === 'error') this.still = (JSON.parse(m.data) as { detail: string }).detail + '.'
    else if (m.event === 'gone') this.#put(without(now, (JSON.parse(m.data) as { id: string }).id))
  }

  #put(m: Merged<Incident>) {
    this.rows = m.rows
    this.waiting = m.waiting
    this.gone = m.gone
  }

  async #read() {
    this.#again = true
    if (this.#reading) return
    this.#reading = true
    for (let failures = 0; this.#again && !this.#end.signal.aborted;) {
      this.#again = false
      this.#late = [] // what was told before the list is read is in it
      try {
        this.#page(await get<Page<Incident>>('incidents?' + this.query + `&limit=${pageSize}`, this.#end.signal))
        this.error = ''
      } catch (e) {
        this.error = said(e)
        this.#again = true
        await paused(pauseAfter(failures++), this.#end.signal)
      }
    }
    this.#reading = false
    for (const m of this.#late) this.#take(m)
    this.#late = []
  }

  #page(page: Page<Incident>) {
    const items = page.items ?? []
    // A list that is empty has nothing that could jump.
    if (this.#show || this.rows.length === 0) {
      this.next = page.next_cursor
      this.#put({ rows: items, waiting: [], gone: new Set() })
      this.#show = false
    } else this.#put(merge(this.rows, items, page.next_cursor === ''))
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
      q.set('limit', String(pageSize))
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
