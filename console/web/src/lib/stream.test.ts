// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest'
import { Messages, type Message } from './messages'
import { pauseAfter } from './pause'

const read = (...lines: (string | null)[]) => {
  const m = new Messages()
  return lines.map((l) => m.push(l)).filter((x): x is Message => x !== null)
}

it('messages have an id, a name and data; comments are none', () => {
  expect(read(': a stream', '', 'id: 7.ab', '', ':', '', 'id: 8.cd', 'event: incident', 'data: {"a": "b: c"}', '', 'event: gone', 'data:{}', '')).toEqual([
    { id: '7.ab', event: '', data: '' }, { id: '8.cd', event: 'incident', data: '{"a": "b: c"}' }, { id: '', event: 'gone', data: '{}' },
  ])
})

it('a message that is cut is none, and one that is too long is a gap', () => {
  expect(read('id: 1.', 'event: incident', 'data: {}')).toEqual([])
  expect(read('id: 1.', 'event: incident', null, '', 'id: 2.', '')).toEqual([{ id: '1.', event: 'gap', data: '{}' }, { id: '2.', event: '', data: '' }])
})

it('who failed waits longer each time, up to half a minute, and not all as long', () => {
  expect([0, 1, 2, 9].map((n) => pauseAfter(n, 1))).toEqual([1000, 2000, 4000, 30_000])
  expect([0, 9].map((n) => pauseAfter(n, 0))).toEqual([500, 15_000])
})
