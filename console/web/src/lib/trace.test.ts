// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest'
import { clockText, everything, eventText, momentText, scaleOf, stateAt, type Trace, type TracedKey } from './trace'
import { fromTail, read } from './tryevents'

const key = (number: number, have: number, from: number, to: number): TracedKey => ({
  number, key: { 'user.name': 'u' + number }, from, to, events: [], closed: false,
  steps: [{ what: 'count(a) >= 2', have, need: 2, done: have > 1 }],
})
const event = (place: number, at: number) => ({ place, at, id: 'e' + place, late: false, matches: [{ rule: 'r', key: { 'user.name': 'u1' }, patterns: ['a'] }] })
const d = { id: 'd', key: {}, first: 0, last: 5, event_count: 2, events: [1, 3] }
const trace: Trace = {
  rule: 'r', within: 10, lateness: 60, keys: 2, moments: [
    { clock: 0, event: event(1, 0), keys: [key(1, 1, -10, 0)], detections: [] },
    { clock: 3, event: event(2, 3), keys: [key(2, 1, -7, 3)], detections: [] },
    { clock: 5, event: event(3, 5), keys: [key(1, 2, -5, 5)], detections: [{ ...d, state: 'open' }] },
    { clock: 3600.000000001, keys: [], detections: [{ ...d, state: 'settled' }] },
  ],
}

it('adds up what is known at a moment, and what there will be', () => {
  const at = stateAt(trace, 2)
  expect([at.keys.map((k) => k.steps![0]!.have), [...at.came], at.latest, at.detections.get('d')?.state]).toEqual([[2, 1], [1, 2, 3], 1, 'open'])
  expect(stateAt(trace, 1).detections.size).toBe(0)
  expect(stateAt(trace, 3).latest).toBe(1)
  const all = everything(trace)
  expect([all.events.length, all.detections.length, all.steps]).toEqual([3, 1, 1])
})

it('says a moment in words', () => {
  expect(momentText(trace.moments![2]!)).toBe('5s: Event 3 matches a for user.name = u1; a detection stands')
  expect(momentText(trace.moments![3]!)).toBe('1h: time passes; a detection is settled')
  expect(clockText(-90)).toBe('−1m 30s')
  expect(eventText({ ...event(1, 0), late: true, matches: [], excepted: { when: 'x', reason: 'known', owner: 'o' } })).toBe('Event 1, late, is left out: known')
  expect(eventText({ ...event(1, 0), matches: [], missing: ['user.name'] })).toBe('Event 1 has no user.name, and so no key')
  expect(eventText({ ...event(1, 0), matches: [] })).toBe('Event 1 matches nothing of the rule')
})

it('places times in order, the ends at the ends', () => {
  const x = scaleOf(trace, 100)
  const at = [-10, -7, -5, 0, 3, 5, 1800, 3600.000000001].map(x)
  expect([at[0], at.at(-1)]).toEqual([0, 100])
  expect(at.every((v, i) => !i || v > at[i - 1]!)).toBe(true)
  expect(x(5) - x(0)).toBeGreaterThan(10) // beside an hour
  expect([x(-99), x(9999)]).toEqual([0, 100])
  expect(scaleOf({ ...trace, moments: [{ clock: 4, keys: [], detections: [] }] }, 100)(4)).toBe(50)
})

it('reads events that are pasted or picked', () => {
  expect(read('{"at":"1s","user.name":"a"}\n\n{}', '')).toEqual([{ at: '1s', 'user.name': 'a' }, {}])
  expect(read('{"time":"2026-01-01T00:00:10Z","x":1}\n{"x":2}\n{"time":"2026-01-01T00:00:00.5Z"}', 'falco')).toEqual([
    { at: '9s', falco: { time: '2026-01-01T00:00:10Z', x: 1 } }, { at: '10s', falco: { x: 2 } }, { at: '0s', falco: { time: '2026-01-01T00:00:00.5Z' } },
  ])
  expect(() => read('{}\n[1]', '')).toThrow('Line 2 is no object')
  expect(() => read('\n{', '')).toThrow('Line 2 is no JSON')
  expect(() => read('{}\n'.repeat(201), '')).toThrow('At most 200')
  expect(fromTail([{ time: '2026-01-01T00:00:10Z', fields: { a: 1, b: null } }, { time: '2026-01-01T00:00:00Z', fields: { '@timestamp': '2026-01-01T00:00:00Z', 'event.ingested': '2026-01-01T00:01:00Z' } }])).toEqual([{ at: '0s', arrives: '60s' }, { at: '10s', a: 1 }])
})
