// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { fileName, indented, lineBreak, madeOf, offsetOf, rowsOf, type Edit, type Predicted } from './bench'

// done has the selection of an edit between brackets.
const done = (text: string, e: Edit) => {
  const all = text.slice(0, e.from) + e.text + text.slice(e.to)
  return all.slice(0, e.start) + '[' + all.slice(e.start, e.end) + ']' + all.slice(e.end)
}
const at = (marked: string): [string, number, number] => [marked.replace(/[[\]]/g, ''), marked.indexOf('['), marked.indexOf(']') - 1]

describe('the editor', () => {
  it('indents at the caret, or the lines of a selection', () => {
    for (const [from, back, to] of [
      ['a[]b', false, 'a  []b'], ['[]', false, '  []'], ['a\n[b\nc]\nd', false, 'a\n  [b\n  c]\nd'], ['[a\n]b', false, '  [a\n]b'], ['[a\n\nb]', false, '  [a\n\n  b]'],
      ['  a[]b', true, 'a[]b'], ['[] a', true, '[]a'], ['a[]', true, 'a[]'], ['x\n [ a\n   b]', true, 'x\n[a\n b]'],
    ] as const) expect(done(at(from)[0], indented(...at(from), back)), from).toBe(to)
  })
  it('begins a line where the one before began', () => {
    for (const [from, to] of [
      ['  a: b[]', '  a: b\n  []'], ['match:[]', 'match:\n  []'], ['  a: |[]', '  a: |\n    []'], ['  - name: x[]', '  - name: x\n    []'], ['  - name:[]', '  - name:\n    []'],
      ['  - {at: 0s}[]', '  - {at: 0s}\n  []'], ['a[b]c', 'a\n[]c'],
    ] as const) expect(done(at(from)[0], lineBreak(...at(from))), from).toBe(to)
  })
  it('finds the place of a mistake', () => {
    expect(offsetOf('ab\ncd', 2, 2)).toBe(4)
    expect(offsetOf('😀b', 1, 2)).toBe(2)
    expect(offsetOf('ab\ncd', 9, 9)).toBe(5)
    expect(offsetOf('ab', 1, 0)).toBe(0)
  })
  it('names the file', () => {
    expect(fileName('title: X\nrule: a-b\n')).toBe('a-b')
    expect(fileName('title: "Über ../etc: 1"\n')).toBe('ber-etc-1')
    expect(fileName('')).toBe('rule')
  })
})

const predicted = (user: string, first = '2026-11-28T10:00:00Z', last = '2026-11-28T11:00:00Z'): Predicted =>
  ({ rule: 'r', title: user, severity: 'low', key: { 'user.name': user }, first_event: first, last_event: last, event_count: 1 })
const result = (incidents: Predicted[], comparison?: object) =>
  ({ incidents, incident_count: incidents.length, matches_per_day: {}, near_misses: [], near_left_out: false, stopped: false, until: null, comparison }) as unknown as Parameters<typeof rowsOf>[0]

describe('a backtest', () => {
  it('has what differs first', () => {
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((u) => predicted(u))
    const rows = rowsOf(result([a!, b!, c!], { same: 1, added: 1, removed: 1, changed: 1, differences: [
      { change: 'added', after: b }, { change: 'removed', before: d }, { change: 'changed', before: c, after: c, fields: ['severity'] }] }))
    expect(rows.map((r) => r.change + ' ' + r.of.title)).toEqual(['new b', 'gone d', 'changed c', 'same a'])
  })
  it('does not say of what is not listed that it is the same', () => {
    const [a, b] = [predicted('a'), predicted('b')]
    expect(rowsOf(result([a, b], { same: 0, added: 2, removed: 0, changed: 0, differences: [{ change: 'added', after: a }] })).map((r) => r.change)).toEqual(['new', ''])
    expect(rowsOf(result([a])).map((r) => r.change)).toEqual([''])
  })
  it('knows the incident that there is', () => {
    const there = { id: '1', rule: { id: 'r' }, key: { 'user.name': 'a' }, first_event: '2026-11-28T10:30:00Z', last_event: '2026-11-28T12:00:00Z' } as never
    expect(madeOf([there], predicted('a'))).toBe(there)
    expect(madeOf([there], predicted('b'))).toBeNull()
    expect(madeOf([there], predicted('a', '2026-11-28T08:00:00Z', '2026-11-28T09:00:00Z'))).toBeNull()
  })
})
