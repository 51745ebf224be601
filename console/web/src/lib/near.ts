// SPDX-License-Identifier: Apache-2.0
// Near misses: which keys of a rule are on their way, how far, and until when.
import type { components } from '../schema'

type S = components['schemas']
export type Answer = S['NearMisses']
export type Near = S['NearMiss']
export type NearStep = S['NearStep']

export interface Came {
  of: Near
  done: number
  parts: number
  // until is when what the key has counts no more, in milliseconds.
  until: number
}

export interface Progress {
  // coming are the keys that may still fire, the furthest first.
  coming: Came[]
  // at counts them by how many parts of the condition hold.
  at: { done: number; parts: number; keys: number }[]
  // over counts those whose time has passed, fired those that fired, untold the keys of which the answer says nothing.
  over: number
  fired: number
  untold: number
}

const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, µs: 0.001, ns: 0.000_001 }

// goMillis is the length of a duration as Go writes it, 1h30m0s, in milliseconds.
export function goMillis(s: string): number {
  let sum = 0
  for (const [, n, unit] of s.matchAll(/([\d.]+)(h|ms|µs|ns|m|s)/g)) sum += Number(n) * units[unit!]!
  return sum
}

// progress sorts an answer out as it is at a time. All that a key has was within `within` of `at`, so then it counts no more.
export function progress(answer: Answer, within: string, now: number): Progress {
  const items = answer.items ?? []
  const came = items.filter((n) => !n.done).map((of): Came => {
    const steps = of.steps ?? []
    return { of, done: steps.filter((s) => s.done).length, parts: steps.length, until: Date.parse(of.at ?? '') + goMillis(within) }
  })
  const coming = came.filter((c) => c.until >= now)
  const at = new Map<string, Progress['at'][number]>()
  for (const c of coming) {
    const k = `${c.done}/${c.parts}`
    const g = at.get(k) ?? { done: c.done, parts: c.parts, keys: 0 }
    g.keys++
    at.set(k, g)
  }
  return {
    coming, at: [...at.values()].sort((a, b) => b.done / b.parts - a.done / a.parts || b.parts - a.parts),
    over: came.length - coming.length, fired: items.length - came.length, untold: answer.keys - items.length,
  }
}

// stepText is one part of the condition and how far it is, in words.
export function stepText(s: NearStep): string {
  const far = s.need ? `${s.have} of ${s.need}` : s.value ? `so far ${s.value}` : ''
  const why = s.against ? `contradicted by event ${s.against}` : s.open ? 'not known before its time is over' : ''
  return [far, why].filter(Boolean).join(', ')
}

// saidOf is how many keys are how far, in one line.
export const saidOf = (p: Progress) =>
  p.at.map((g, i) => [g.keys, i ? '' : g.keys === 1 ? 'key' : 'keys', g.keys === 1 ? 'has' : 'have', g.done, 'of', g.parts, i ? '' : 'steps'].filter((w) => w !== '').join(' ')).join(', ')
