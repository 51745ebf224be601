// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { Edit } from './bench'
import { found, inShadow, shadowEdit, testEdit } from './ruletext'
import type { Trace } from './trace'

const done = (text: string, e: Edit) => text.slice(0, e.from) + e.text + text.slice(e.to)
const detection = (id: string, over: object = {}) => ({ id, key: { 'user.name': 'ana' }, first: 0, last: 5, event_count: 2, events: [1, 2], state: 'open' as const, ...over })
const trace = (...detections: ReturnType<typeof detection>[]): Trace => ({
  rule: 'r', within: 60, lateness: 60, keys: 1, moments: [{ clock: 0, keys: [], detections }, { clock: 60, keys: [], detections: [] }],
})
const events = [{ at: '0s', 'user.name': 'ana' }, { at: '5s', 'user.name': 'a: b', 'source.port': 1 }]
const block = (dash: string) => `${dash}- name: tried
${dash}  events:
${dash}    - {at: 0s, user.name: ana}
${dash}    - {at: 5s, user.name: "a: b", source.port: 1}
${dash}  expect: [{key: {user.name: ana}, count: 2}]
`

describe('a test that is saved', () => {
  it('is appended where tests are, and nothing else is touched', () => {
    const after = (text: string) => done(text, testEdit(text, 'tried', events, trace(detection('d')))!)
    for (const [text, want] of [
      ['rule: r\n', 'rule: r\ntests:\n' + block('  ')],
      ['rule: r', 'rule: r\ntests:\n' + block('  ')],
      ['rule: r\ntests: []\nby: [x]\n', 'rule: r\ntests:\n' + block('  ') + 'by: [x]\n'],
      ['rule: r\ntests:\n- name: a\n  expect: []\n# of by\nby: [x]\n', 'rule: r\ntests:\n- name: a\n  expect: []\n# of by\n' + block('') + 'by: [x]\n'],
      ['rule: q\n---\nrule: r\ntests:\n    - name: a\n      expect: []\n---\nrule: s\n', 'rule: q\n---\nrule: r\ntests:\n    - name: a\n      expect: []\n' + block('    ') + '---\nrule: s\n'],
      ['rule: r\ntests: [{name: a, expect: []}]\n', 'rule: r\ntests: [{name: a, expect: []}, {name: tried, events: [{at: 0s, user.name: ana}, {at: 5s, user.name: "a: b", source.port: 1}], expect: [{key: {user.name: ana}, count: 2}]}]\n'],
    ]) expect(after(text!), text).toBe(want)
    expect(testEdit('title: Sigma\n', 'tried', events, trace())).toBeNull()
  })
  it('expects what stands, with times where one key has several', () => {
    expect(found(trace())).toEqual([])
    expect(found(trace(detection('a', { state: 'retracted' }), detection('b', { state: 'joined' })))).toEqual([])
    expect(found(trace(detection('a', { first: 9, last: 9 }), detection('b')))).toEqual([
      { key: { 'user.name': 'ana' }, count: 2, first: '0s', last: '5s' }, { key: { 'user.name': 'ana' }, count: 2, first: '9s', last: '9s' },
    ])
    expect(found(trace(detection('a', { key: {} })))).toEqual([{ count: 2 }])
  })
})

it('puts rules into shadow, and takes them out', () => {
  const on = (text: string) => done(text, shadowEdit(text, true))
  const off = (text: string) => done(text, shadowEdit(text, false))
  const text = 'rule: a\nseverity: low\nby: [x]\n---\nrule: b\ntitle: B'
  const dark = 'rule: a\nseverity: low\nshadow: true\nby: [x]\n---\nrule: b\ntitle: B\nshadow: true'
  expect(on(text)).toBe(dark)
  expect([inShadow(text), inShadow(dark), inShadow('title: Sigma\n')]).toEqual([false, true, null])
  expect(off(dark)).toBe('rule: a\nseverity: low\nby: [x]\n---\nrule: b\ntitle: B\n')
  expect(on('rule: a\nshadow: false # not yet\n')).toBe('rule: a\nshadow: true\n')
  expect(on(dark)).toBe(dark)
})
