// SPDX-License-Identifier: Apache-2.0
// When each exception last left an event out, as far as the events that are kept say. The engine counts for a rule and not for
// each of its exceptions: this is a search for each, one after another.
import { ask, Problem, said } from './api'
import { lastHit, type Excepted, type Found, type Hit } from './exceptions'

const busyMost = 10

export class Hits {
  of = $state.raw(new Map<string, Hit>())
  // at is how many were looked for, of how many; total is 0 while nothing runs.
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
      const hit = await lastHit(x, (q) => patient(q, signal)).catch((e): Hit => ({ state: 'unknown', why: said(e) }))
      if (signal.aborted) return
      this.of = new Map(this.of).set(x.id, hit)
      this.at++
    }
    this.total = 0
  }
}

// patient asks again when others search, too.
async function patient(query: URLSearchParams, signal: AbortSignal): Promise<Found> {
  for (let busy = 0; ; busy++) {
    try {
      return (await ask<Found>('events?' + query, { signal })).data
    } catch (e) {
      if (!(e instanceof Problem && e.status === 503) || busy === busyMost || signal.aborted) throw e
      await new Promise((f) => setTimeout(f, 1000))
    }
  }
}
