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
  it('goes in among what comments say', () => {
    const made = '{name: tried, events: [{at: 0s}], expect: []}'
    for (const [tests, want] of [
      ['[] # later [1]', '# later [1]\n  - name: tried\n    events:\n      - {at: 0s}\n    expect: []'],
      ['[{name: a}] # see [1]', `[{name: a}, ${made}] # see [1]`],
      ['[{name: a}]\n# of [by], as it\'s', `[{name: a}, ${made}]\n# of [by], as it's`],
      ['[\n  {name: a}, # [0]\n  {name: b} # last,\n]', `[\n  {name: a}, # [0]\n  {name: b}, # last,\n  ${made}\n]`],
      ['[\n  {name: a},\n]', `[\n  {name: a},\n  ${made}\n]`],
      ['[{name: a},]', `[{name: a}, ${made}]`],
      ['[ # none yet\n]', `[ # none yet\n  ${made}\n]`],
      ['[ # it\'s [\n  "] # no comment"]', `[ # it's [\n  "] # no comment", ${made}]`],
      [`[{name: 'it''s ] # one', at: "a\\"] # b", of: don't}] # ]`, `[{name: 'it''s ] # one', at: "a\\"] # b", of: don't}, ${made}] # ]`],
    ]) {
      const text = `rule: r\ntests: ${tests}\nby: [x]\n`
      expect(done(text, testEdit(text, 'tried', [{ at: '0s' }], trace())!)).toBe(`rule: r\ntests: ${want}\nby: [x]\n`)
    }
  })
  it('has a name that no other test of its rule has', () => {
    const name = (tests: string, of = 'tried: a') => {
      const text = `rule: q\ntests: [{name: ${of} 2}]\n---\nrule: r\ntests:${tests}\n`
      return /(?:- |, \{)name: ("tried.*?"|tried[^,\n]*)(?:,|\n.*\n.*at: 0s)/.exec(testEdit(text, of, [{ at: '0s' }], trace())!.text)?.[1]
    }
    expect(name(' []')).toBe('"tried: a"')
    expect(name('\n  - name: "tried: a" # once\n    expect: []')).toBe('"tried: a 2"')
    expect(name("\n  - {name: 'tried: a', expect: []}\n  - {expect: [], name: \"tried: a 2\"}")).toBe('"tried: a 3"')
    expect(name('\n  - expect: []\n    name: tried', 'tried')).toBe('"tried 2"')
    expect(name('\n  - name: tried, and more\n  - {events: [{user.name: tried (1)}], name: tried 2}', 'tried (1)')).toBe('"tried (1)"')
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

it('leaves the caret behind what was written, and nothing selected', () => {
  const text = 'rule: r\nseverity: low\nby: [x]\n'
  for (const e of [shadowEdit(text, true), testEdit(text, 'tried', events, trace())!]) expect([e.start, e.end]).toEqual([e.from + e.text.length, e.from + e.text.length])
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
