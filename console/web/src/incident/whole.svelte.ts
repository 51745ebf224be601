// SPDX-License-Identifier: Apache-2.0
// One incident with its evidence and its rule, kept fresh.
import { ask, get, Problem, said } from '../lib/api'
import { watch, type Watch } from '../lib/live'
import { ruleAt } from '../lib/routes'
import type { Evidence, Incident, Page, Rule } from '../lib/types'

// As much evidence as is loaded by itself; the rest on demand.
const pageSize = 500

export class Whole {
  incident = $state.raw<Incident | null>(null)
  evidence = $state.raw<Evidence[]>([])
  next = $state('')
  rule = $state.raw<Rule | null>(null)
  error = $state('')
  missing = $state(false)
  #watch: Watch | undefined
  #seen = -1

  constructor(readonly id: string) {}

  start(): () => void {
    this.#watch = watch((signal) => this.#turn(signal))
    return () => this.#watch?.stop()
  }

  now() {
    this.#watch?.now()
  }

  async #turn(signal: AbortSignal) {
    try {
      const { data } = await ask<Incident>('incidents/' + this.id, { signal })
      if (data.revision !== this.#seen) {
        const [page] = await Promise.all([
          get<Page<Evidence>>(`incidents/${this.id}/evidence?limit=${pageSize}`, signal),
          this.#loadRule(data.rule.id, signal),
        ])
        this.evidence = page.items ?? []
        this.next = page.next_cursor
        this.#seen = data.revision
      }
      this.incident = data
      this.error = ''
    } catch (e) {
      this.missing = e instanceof Problem && (e.status === 404 || e.status === 422)
      this.error = said(e)
      throw e
    }
  }

  // The rule may be gone from the files: the incident stays what it was.
  async #loadRule(id: string, signal: AbortSignal) {
    try {
      this.rule = await get<Rule>(ruleAt(id).slice(1), signal)
    } catch (e) {
      if (!(e instanceof Problem && e.status === 404)) throw e
      this.rule = null
    }
  }

  async more() {
    if (!this.next) return
    try {
      const page = await get<Page<Evidence>>(`incidents/${this.id}/evidence?limit=${pageSize}&cursor=${encodeURIComponent(this.next)}`)
      this.evidence = [...this.evidence, ...(page.items ?? [])]
      this.next = page.next_cursor
    } catch (e) {
      this.error = said(e)
    }
  }
}
