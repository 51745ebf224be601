// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { heard, merge, without } from './fresh'

const rows = (...ids: string[]) => ids.map((id) => ({ id, n: 1 }))

it('rows stay where they are, and are as new as can be', () => {
  const m = merge(rows('a', 'b', 'c'), [{ id: 'c', n: 7 }, { id: 'a', n: 1 }, { id: 'b', n: 1 }], true)
  expect(m.rows).toEqual([{ id: 'a', n: 1 }, { id: 'b', n: 1 }, { id: 'c', n: 7 }])
  expect(m.waiting).toEqual([])
})

it('what came waits', () => {
  const m = merge(rows('a'), rows('new', 'a'), true)
  expect(m.rows.map((r) => r.id)).toEqual(['a'])
  expect(m.waiting).toEqual(['new'])
})

it('what is gone is marked, not taken away, and only if the page is all there is', () => {
  expect([...merge(rows('a', 'b'), rows('a'), true).gone]).toEqual(['b'])
  expect([...merge(rows('a', 'b'), rows('a'), false).gone]).toEqual([])
  expect(merge(rows('a', 'b'), rows('a'), true).rows).toHaveLength(2)
})

describe('what is told of one incident', () => {
  const at = (id: string, minute: number, n = 1) => ({ id, n, last_event: `2026-11-28T10:${minute}:00Z` })
  const list = { rows: [at('a', 30), at('b', 20)], waiting: ['w'], gone: new Set(['b']) }

  it('changes its row where it is, and brings back what was gone', () => {
    expect(heard(list, at('b', 40, 7), false)).toEqual({ rows: [at('a', 30), at('b', 40, 7)], waiting: ['w'], gone: new Set() })
  })
  it('waits once if it is new', () => {
    expect(heard(list, at('n', 40), false).waiting).toEqual(['w', 'n'])
    expect(heard(list, at('w', 40), false).waiting).toEqual(['w'])
  })
  it('does not wait if it is among the older ones that are not shown', () => {
    expect(heard(list, at('n', 10), false).waiting).toEqual(['w'])
    expect(heard(list, at('n', 10), true).waiting).toEqual(['w', 'n'])
  })
  it('is shown at once where nothing could jump', () => {
    expect(heard({ rows: [], waiting: [], gone: new Set<string>() }, at('n', 10), true)).toEqual({ rows: [at('n', 10)], waiting: [], gone: new Set() })
  })
  it('marks what is gone, or has it wait no more', () => {
    expect(without(list, 'a')).toEqual({ rows: list.rows, waiting: ['w'], gone: new Set(['a', 'b']) })
    expect(without(list, 'w')).toEqual({ rows: list.rows, waiting: [], gone: new Set(['b']) })
  })
  it('is counted up to a bound', () => {
    let m = list
    for (let i = 0; i < 1200; i++) m = heard(m, at('n' + i, 40), true)
    expect(m.waiting).toHaveLength(1000)
  })
})
