// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { holdsTerm, itemOf, offers, overOthers, pressedTerm, termOf, termsOf, turned, written, type Draft } from './except'
import { coveredBy, exceptionsOf, exceptionsPlaced, exceptionsWith, lastHit, pagesMost, stateOf, type Found } from './exceptions'
import { draftAt, pageOf } from './routes'
import { leads } from './menu.svelte'
import type { Evidence, Rule } from './types'

const event = (fields: Record<string, unknown>) => ({ fields }) as unknown as Evidence
const draft: Draft = { when: 'user.name == "nightly"', reason: 'retries: known', owner: 'platform', expires: '2027-06-30' }

describe('conditions', () => {
  it('have the type of the value', () => {
    expect(termOf('user.name', 'a"b\\')).toBe(String.raw`user.name == "a\"b\\"`)
    expect(termOf('destination.port', 443)).toBe('destination.port == 443')
    expect(termOf('tags', ['x', 'y'])).toBe('has(tags, "x") and has(tags, "y")')
  })
  it('are parted by `and` outside of quotes and brackets alone', () => {
    const cases: [string, string[]][] = [
      ['', []], ['a == 1', ['a == 1']], ['a == "x and y" and b', ['a == "x and y"', 'b']], ["a == 'it\\'s and' and not b", ["a == 'it\\'s and'", 'not b']],
      ['(a and b) and has(c, "d")', ['(a and b)', 'has(c, "d")']], ['a and b or c', ['a and b or c']], ['(a or b) and c', ['(a or b)', 'c']],
      ['band == 1 and brand == 2', ['band == 1', 'brand == 2']],
    ]
    for (const [text, want] of cases) expect(termsOf(text), text).toEqual(want)
  })
  it('are added and taken out again, and mean the same', () => {
    expect(turned('', 'a == 1')).toBe('a == 1')
    expect(turned('a == 1', 'b == 2')).toBe('a == 1 and b == 2')
    expect(turned('a == 1 and b == 2', 'a == 1')).toBe('b == 2')
    expect(turned('a or b', 'c')).toBe('(a or b) and c')
    expect(turned('(a or b) and c', 'c')).toBe('(a or b)')
    expect(holdsTerm('a == 1 and b == 2', 'b == 2')).toBe(true)
    expect(holdsTerm('a == 1 or b == 2', 'b == 2')).toBe(false)
  })
  it('of a pressed value are of the type that the events have', () => {
    const events = [event({ 'destination.port': 443, tags: ['x'], 'user.name': 'ana', empty: null })]
    expect(pressedTerm('destination.port', '443', events)).toBe('destination.port == 443')
    expect(pressedTerm('tags', 'x', events)).toBe('has(tags, "x")')
    expect(pressedTerm('user.name', 'ana', events)).toBe('user.name == "ana"')
    expect(pressedTerm('destination.port', '80', events)).toBe('destination.port == "80"')
    expect(pressedTerm('empty', 'null', events)).toBe('empty == "null"')
  })
  it('are offered: what tells most first, then what most events have; what is of one event alone is not', () => {
    const got = offers([event({ 'event.id': '1', 'user.name': 'ana', 'process.name': 'sh', tags: ['x'] }), event({ 'event.id': '2', 'user.name': 'ana', 'process.name': 'cat', tags: ['x', 'y'], nothing: null })])
    expect(got.map((o) => `${o.term} ${o.times}`)).toEqual(['user.name == "ana" 2', 'process.name == "cat" 1', 'process.name == "sh" 1', 'has(tags, "x") 2', 'has(tags, "y") 1'])
  })
})

describe('as YAML', () => {
  it('texts are plain where that is read as the same text', () => {
    const reasons: [string, string][] = [
      ['retries until it is open', 'retries until it is open'], ['ticket: 4711', "'ticket: 4711'"], ['4711', "'4711'"], ['no', "'no'"], ["it's #1 today", "'it''s #1 today'"],
      ['a #b', "'a #b'"], ['-', "'-'"], ['x:', "'x:'"], ['tab\tthere\x85', '"tab\\tthere\\u0085"'],
    ]
    for (const [reason, want] of reasons) expect(itemOf({ ...draft, reason }).split('\n')[1], reason).toBe('    reason: ' + want)
    expect(itemOf({ ...draft, when: 'cidr(a, "1::/8") and\n  b == "x: y"' })).toContain(`- when: 'cidr(a, "1::/8") and b == "x: y"'\n`)
  })
  const body = '  - when: user.name == "nightly"\n    reason: \'retries: known\'\n    owner: platform\n    expires: 2027-06-30\n'
  const at = (text: string, d = draft) => written(text, d)
  it('the first one goes before what is not the condition', () => {
    const head = 'rule: x\ntitle: X\nmatch: |\n  tests: no key\n'
    expect(at(head)).toEqual({ text: head + 'except:\n' + body, from: 5, to: 9 })
    expect(at(head + '\n# What it must do.\ntests: []\n')!.text).toBe(head + 'except:\n' + body + '\n# What it must do.\ntests: []\n')
    expect(at('---\n' + head + 'incident:\n  title: I\n---\n')!.text).toBe('---\n' + head + 'except:\n' + body + 'incident:\n  title: I\n---\n')
  })
  it('further ones follow the last, set off as it is', () => {
    const one = '  - {when: a, reason: r, owner: o, expires: 2027-01-01}\n'
    expect(at('rule: x\nexcept:\n' + one + '  # known\n# About the tests.\ntests: []\n')).toEqual({ text: 'rule: x\nexcept:\n' + one + '  # known\n' + body + '# About the tests.\ntests: []\n', from: 5, to: 8 })
    expect(at('rule: x\nexcept:   # known\n- when: a\n  reason: r\ntests: []\n')!.text).toBe('rule: x\nexcept:   # known\n- when: a\n  reason: r\n' + body.replace(/^ {2}/gm, '') + 'tests: []\n')
    expect(at('rule: x\nexcept: []\n')!.text).toBe('rule: x\nexcept:\n' + body)
    expect(at('rule: x\nexcept:\n' + one + '---\n')!.text).toBe('rule: x\nexcept:\n' + one + body + '---\n')
  })
  it('what is written otherwise is left alone', () => {
    for (const text of ['title: Sigma\ndetection: {}\n', 'rule: x\nexcept: [{when: a}]\n', 'rule: x\nexcept:\n  [{when: a}]\n', 'rule: x\nexcept: *known\n']) expect(at(text), text).toBeNull()
  })
})

describe('the list', () => {
  const x = (when: string, expires: string) => ({ when, reason: 'r', owner: 'platform', expires })
  const rule = (id: string, exceptions: unknown[], expressions: string[], excepted = 0) =>
    ({ id, title: id.toUpperCase(), exceptions, patterns: expressions.map((expression, i) => ({ name: 'p' + i, expression })), stats: { excepted } }) as unknown as Rule
  const rules = [rule('a', [x('u == 1', '2027-06-30T23:59:59Z'), x('u == 2', '2026-01-31T23:59:59Z')], ['p == 1\n', 'q or r'], 7), rule('b', [x('u == 3', '2026-12-10T23:59:59Z')], ['detection("a")'])]
  const all = exceptionsOf(rules)
  const now = Date.parse('2026-12-01T00:00:00Z')
  it('has what ends first first', () => {
    expect(all.map((e) => [e.rule.id, stateOf(e, now), e.excepted, e.together])).toEqual([['a', 'over', 7, 2], ['b', 'ends soon', 0, 1], ['a', 'in force', 7, 2]])
  })
  it('is narrowed by words and by state', () => {
    const ids = (q: string, state: string) => exceptionsWith(all, q, state, now).map((e) => e.when)
    expect([ids('platform', ''), ids('B u', ''), ids('', 'over'), ids('u', 'in force'), ids('nobody', '')]).toEqual([['u == 2', 'u == 3', 'u == 1'], ['u == 3'], ['u == 2'], ['u == 1'], []])
    expect([exceptionsPlaced('', ''), exceptionsPlaced('a b', 'over')]).toEqual(['/exceptions', '/exceptions?q=a+b&state=over'])
  })
  it('is searched for by what a pattern saw and the exception covers', () => {
    expect(all.map(coveredBy)).toEqual(['(u == 2) and ((p == 1) or (q or r))', '', '(u == 1) and ((p == 1) or (q or r))'])
    expect(rules.map(overOthers)).toEqual([false, true])
  })
  it('was last hit as far back as there is something to search', async () => {
    const asked: string[] = []
    const search = (pages: Found[]) => async (q: URLSearchParams) => {
      asked.push(q.get('cursor') ?? '')
      expect([q.get('q'), q.get('until')]).toEqual([coveredBy(all[2]!), all[2]!.expires])
      return pages[Math.min(asked.length, pages.length) - 1]!
    }
    const none = (next_cursor: string, searched_to: string | null): Found => ({ items: null, next_cursor, searched_to })
    const last = (...pages: Found[]) => { asked.length = 0; return lastHit(all[2]!, search(pages)) }
    expect(await last(none('9.0', 'c'), { items: [{ time: 'b' }], next_cursor: '5.0', searched_to: 'a' })).toEqual({ state: 'hit', at: 'b' })
    expect(asked).toEqual(['', '9.0'])
    expect(await last(none('9.0', 'c'), none('', null))).toEqual({ state: 'none', to: 'c' })
    expect(await last(none('', null))).toEqual({ state: 'none', to: null })
    expect(asked).toEqual([''])
    expect(await last(none('9.0', 'c'))).toEqual({ state: 'none', to: 'c' })
    expect(asked.length).toBe(pagesMost)
    asked.length = 0
    expect((await lastHit(all[1]!, search([]))).state).toBe('unknown')
    expect(asked).toEqual([])
  })
})

it('a value leads to a draft, for who may write one', () => {
  const draftOf = (excepts: boolean) => leads('user.name', 'a&b', { known: () => true, excepts, incident: 'ab' }).map((i) => i.href).find((h) => h.startsWith('/exceptions'))
  expect(draftOf(false)).toBeUndefined()
  expect(draftOf(true)).toBe('/exceptions/new?incident=ab&field=user.name&value=a%26b')
  expect(draftAt({})).toBe('/exceptions/new')
  expect([pageOf('/exceptions'), pageOf('/exceptions/new'), pageOf('/exceptions/old')]).toEqual([{ name: 'exceptions' }, { name: 'draft' }, { name: 'none' }])
})
