// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { askOf, formatFilter, parseFilter, placed, toggled } from './filter'

describe('what is typed', () => {
  const cases: [string, string, Record<string, string>][] = [
    ['names', 'severity:high rule:brute-force', { severity: 'high', rule: 'brute-force' }],
    ['several of one name', 'severity:high severity:critical', { severity: 'high,critical' }],
    ['a type of entity is an entity', 'user:ana', { entity: 'user:ana' }],
    ['colons in a value', 'entity:pod:shop/web-1', { entity: 'pod:shop/web-1' }],
    ['spaces in quotes', 'user:"ana lopez" x', { entity: 'user:ana lopez', q: 'x' }],
    ['words are searched', 'failed  login', { q: 'failed login' }],
    ['an unknown name is text, not lost', 'colour:red', { q: 'colour:red' }],
    ['a name without a value is text', 'rule:', { q: 'rule:' }],
    ['a quote that never ends', 'user:"ana', { entity: 'user:ana' }],
  ]
  for (const [name, text, want] of cases) it(name, () => expect(Object.fromEntries(parseFilter(text))).toEqual(want))

  it('is read back from what is written', () => {
    for (const q of ['status=all&severity=high%2Clow', 'entity=user%3Aana+lopez&q=two+words', 'technique=T1110&since=24h&until=1h', '']) {
      const again = parseFilter(formatFilter(new URLSearchParams(q)))
      expect(Object.fromEntries(again)).toEqual(Object.fromEntries(new URLSearchParams(q)))
    }
  })
})

describe('what the API is asked', () => {
  it('is open incidents, unless a status is named', () => {
    expect(askOf(new URLSearchParams('q=x')).get('status')).toBe('new,in_progress,on_hold')
    expect(askOf(new URLSearchParams('status=closed')).get('status')).toBe('closed')
    expect(askOf(new URLSearchParams('status=all')).has('status')).toBe(false)
  })
  it('leaves out what the API does not know: it would refuse it', () => {
    expect([...askOf(new URLSearchParams('status=all&order=up&q=')).keys()]).toEqual([])
  })
})

it('a value is turned on and off', () => {
  const on = toggled(new URLSearchParams('severity=low'), 'severity', 'high')
  expect(on.get('severity')).toBe('low,high')
  expect(toggled(toggled(on, 'severity', 'high'), 'severity', 'low').has('severity')).toBe(false)
})

it('an address can be read by people', () => {
  expect(placed(new URLSearchParams({ severity: 'high,low', entity: 'user:ana' }))).toBe('/?severity=high,low&entity=user:ana')
  expect(placed(new URLSearchParams())).toBe('/')
})
