// SPDX-License-Identifier: Apache-2.0
// The exceptions of the rules in force as one list.
import { overOthers } from './except'
import { millis } from './time'
import type { Rule } from './types'

export type State = 'in force' | 'ends soon' | 'over'
export interface Excepted { id: string; rule: Rule; when: string; reason: string; owner: string; expires: string | null; excepted: number; together: number }

export const soon = 30 * 86_400_000

export const stateOf = (x: Excepted, now: number): State => (millis(x.expires) < now ? 'over' : millis(x.expires) < now + soon ? 'ends soon' : 'in force')

// exceptionsOf lists them, the one that ends first first.
export function exceptionsOf(rules: Rule[]): Excepted[] {
  return rules.flatMap((rule) => (rule.exceptions ?? []).map((x, i) => ({
    id: rule.id + ' ' + i, rule, when: x.when, reason: x.reason, owner: x.owner, expires: x.expires,
    excepted: rule.stats['excepted'] ?? 0, together: rule.exceptions!.length,
  }))).sort((a, b) => millis(a.expires) - millis(b.expires) || a.id.localeCompare(b.id))
}

// exceptionsWith are those that have all words, in one state or in any.
export function exceptionsWith(all: Excepted[], query: string, state: string, now: number): Excepted[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  return all.filter((x) => {
    const has = [x.rule.id, x.rule.title, x.when, x.reason, x.owner].join(' ').toLowerCase()
    return (!state || stateOf(x, now) === state) && words.every((w) => has.includes(w))
  })
}

// coveredBy is the search for the events that an exception left out; "" if they cannot be searched for: a firing point of
// another rule is no event.
export function coveredBy(x: Excepted): string {
  const patterns = (x.rule.patterns ?? []).map((p) => p.expression.trim())
  if (!patterns.length || overOthers(x.rule)) return ''
  return `(${x.when}) and (${patterns.map((p) => `(${p})`).join(' or ')})`
}

export type Hit =
  | { state: 'hit'; at: string | null }
  // Nothing that arrived from to on; null is nothing at all.
  | { state: 'none'; to: string | null }
  | { state: 'unknown'; why: string }

// Found is a page of a search for events.
export interface Found { items: { time: string | null }[] | null; next_cursor: string; searched_to: string | null }

// A page is two seconds of searching at the most, and so many are asked for.
export const pagesMost = 15

// lastHit is the newest event of the last 30 days that an exception left out, as far back as they are kept or can be looked at.
export async function lastHit(x: Excepted, search: (query: URLSearchParams) => Promise<Found>): Promise<Hit> {
  const q = coveredBy(x)
  if (!q) return { state: 'unknown', why: 'its rule is over another one' }
  let to: string | null = null
  let cursor = ''
  for (let page = 0; page < pagesMost; page++) {
    const found = await search(new URLSearchParams({ q, since: '720h', limit: '1', ...(x.expires ? { until: x.expires } : {}), ...(cursor ? { cursor } : {}) }))
    if (found.items?.length) return { state: 'hit', at: found.items[0]!.time }
    to = found.searched_to ?? to
    cursor = found.next_cursor
    if (!cursor) break
  }
  return { state: 'none', to }
}

// exceptionsPlaced is the list's address.
export function exceptionsPlaced(query: string, state: string): string {
  const q = new URLSearchParams({ ...(query ? { q: query } : {}), ...(state ? { state } : {}) })
  return '/exceptions' + (q.size ? '?' + q : '')
}
