// SPDX-License-Identifier: Apache-2.0
// When each exception last left an event out, as far as the events that are kept say. The engine counts for a rule and not for
// each of its exceptions: this is a search for each, one after another.
import { ask, Problem, said } from './api'
import { coveredBy, type Excepted } from './exceptions'

export type Hit =
  | { state: 'hit'; at: string | null }
  // Nothing that arrived from to on; null is nothing at all.
  | { state: 'none'; to: string | null }
  | { state: 'unknown'; why: string }

interface Found { items: { time: string | null }[] | null; next_cursor: string; searched_to: string | null }

const back = '720h'
// A page of a search is two seconds at the most; as many are asked for.
const pagesMost = 15
const busyMost = 10

export class Hits {
  of = $state.raw(new Map<string, Hit>())
  // at is how many were looked for, of how many; of is 0 while nothing runs.
  at = $state(0)
  total = $state(0)
  #end = new AbortController()

  stop() {
    this.#end.abort()
    this.total = 0
  }

  async look(all: Excepted[]) {
    this.stop()
    const { signal } = this.#end = new AbortController()
    this.at = 0
    this.total = all.length
    for (const x of all) {
      const hit = await this.#last(x, signal).catch((e): Hit => ({ state: 'unknown', why: said(e) }))
      if (signal.aborted) return
      this.of = new Map(this.of).set(x.id, hit)
      this.at++
    }
    this.total = 0
  }

  async #last(x: Excepted, signal: AbortSignal): Promise<Hit> {
    const q = coveredBy(x)
    if (!q) return { state: 'unknown', why: 'its rule is over another one' }
    let to: string | null = null
    let cursor = ''
    for (let page = 0; page < pagesMost; page++) {
      const query = new URLSearchParams({ q, since: back, limit: '1', ...(x.expires ? { until: x.expires } : {}), ...(cursor ? { cursor } : {}) })
      const found = await patient(() => ask<Found>('events?' + query, { signal }), signal)
      if (found.items?.length) return { state: 'hit', at: found.items[0]!.time }
      to = found.searched_to ?? to
      cursor = found.next_cursor
      if (!cursor) break
    }
    return { state: 'none', to }
  }
}

// patient asks again when others search, too.
async function patient<T>(run: () => Promise<{ data: T }>, signal: AbortSignal): Promise<T> {
  for (let busy = 0; ; busy++) {
    try {
      return (await run()).data
    } catch (e) {
      if (!(e instanceof Problem && e.status === 503) || busy === busyMost || signal.aborted) throw e
      await new Promise((f) => setTimeout(f, 1000))
    }
  }
}
