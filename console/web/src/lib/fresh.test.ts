// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest'
import { merge } from './fresh'

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
