// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest'
import { bars, pathOf, sparkOf } from './spark'
import type { Incident } from './types'

const at = (s: number) => new Date(Date.UTC(2026, 10, 28, 10, 0, s)).toISOString()
const incident = (...events: [string, number][]) => ({
  first_event: at(0), last_event: at(24),
  detections: [{ evidence: events.map(([event_id, s]) => ({ event_id, time: at(s), step: 'a' })) }],
}) as unknown as Incident

it('counts each event once, in spans of the same length', () => {
  expect(sparkOf(incident(['a', 0], ['b', 1], ['b', 1], ['c', 2], ['d', 24]))).toEqual([2, 1, ...Array(bars - 3).fill(0), 1])
  expect(sparkOf(incident(['a', 0]))).toBeNull()
  expect(sparkOf({ ...incident(['a', 0], ['b', 0]), last_event: at(0) } as Incident)).toBeNull()
})
it('draws the most as high as there is room, and one so that it is seen', () => {
  expect(pathOf([100, 0, 1], 16)).toBe('M0 16v-16h4v16zM10 16v-2h4v2z')
})
