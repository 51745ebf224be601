// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { goMillis, progress, saidOf, stepText, type Answer, type NearStep } from './near'

const step = (done: boolean, more: Partial<NearStep> = {}): NearStep => ({ what: 'count(failed) >= 5', have: 0, need: 0, done, ...more })
const now = Date.parse('2026-11-28T10:00:00Z')
const near = (user: string, minutes: number, done: boolean, ...steps: boolean[]) =>
  ({ rule: 'r', key: { 'user.name': user }, at: new Date(now - minutes * 60_000).toISOString(), done, steps: steps.map((d) => step(d)) })
const answer = (keys: number, ...items: ReturnType<typeof near>[]): Answer => ({ items, keys, since: '2026-11-28T09:00:00Z', complete: true })

describe('near misses', () => {
  it('lengths are as Go writes them', () => {
    expect(['10m0s', '1h30m0s', '1.5s', '500ms', '120h0m0s', ''].map(goMillis)).toEqual([600_000, 5_400_000, 1500, 500, 432_000_000, 0])
  })
  it('who fired and whose time is over is not on the way', () => {
    const p = progress(answer(9, near('f', 1, true, true, true), near('a', 3, false, true, true, false), near('b', 10, false, true, false, false), near('o', 11, false, true, true, false)), '10m0s', now)
    expect(p.coming.map((c) => [c.of.key['user.name'], c.done, c.parts, c.until - now])).toEqual([['a', 2, 3, 420_000], ['b', 1, 3, 0]])
    expect([p.fired, p.over, p.untold]).toEqual([1, 1, 5])
  })
  it('counts keys by how far they are, the furthest first', () => {
    const p = progress(answer(5, near('a', 1, false, true, false), near('b', 1, false, true, true, false), near('c', 1, false, true, true, false), near('d', 1, false, false, false)), '10m0s', now)
    expect(p.at).toEqual([{ done: 2, parts: 3, keys: 2 }, { done: 1, parts: 2, keys: 1 }, { done: 0, parts: 2, keys: 1 }])
    expect(saidOf(p)).toBe('2 keys have 2 of 3 steps, 1 has 1 of 2, 1 has 0 of 2')
  })
  it('says how far a step is', () => {
    expect([step(false, { have: 3, need: 5 }), step(true), step(false, { value: '2.5' }), step(false, { against: 'e1' }), step(false, { open: true })].map(stepText)).toEqual([
      '3 of 5', '', 'so far 2.5', 'contradicted by event e1', 'not known before its time is over',
    ])
  })
})
