// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { heldBy } from './held'
import { entityAt, pageOf, withEntity } from './routes'
import { Lines } from './lines'
import { holds, seenOf } from './seen'
import { age, clockOf, goSpan, span, stamp } from './time'
import { rulesWith } from './rulelist'
import type { Rule } from './types'

describe('times', () => {
  it('spans have their two greatest units', () => {
    const cases: [number, string][] = [[0, '0s'], [400, '400ms'], [1000, '1s'], [61_000, '1m 1s'], [3_600_000, '1h'], [3_601_000, '1h'], [90_061_000, '1d 1h'], [-5, '0s']]
    for (const [ms, want] of cases) expect(span(ms), String(ms)).toBe(want)
  })
  it('ages have one', () => {
    expect([age(0), age(59_000), age(90_000), age(1e9), age(6e10), age(1e11)]).toEqual(['now', '59s', '1m', '11d', '694d', '3y'])
  })
  it('stamps are UTC to the second', () => {
    expect(stamp('2026-01-02T03:04:05.123456789Z', true)).toBe('2026-01-02 03:04:05Z')
    expect(stamp(null, true)).toBe('')
    expect(clockOf('2026-01-02T03:04:05.12Z', true)).toBe('03:04:05.120')
  })
  it('Go writes zeros, people do not', () => {
    expect(['10m0s', '1h0m0s', '1h30m0s', '90s', '120h0m0s'].map(goSpan)).toEqual(['10m', '1h', '1h30m', '90s', '120h'])
  })
})

describe('addresses', () => {
  it('name their pages', () => {
    expect(pageOf('/')).toEqual({ name: 'triage' })
    expect(pageOf('/incidents/ab')).toEqual({ name: 'incident', id: 'ab' })
    expect(pageOf('/incidents/ab/cd')).toEqual({ name: 'none' })
    expect(pageOf('/rules')).toEqual({ name: 'rules' })
    expect(pageOf('/nowhere')).toEqual({ name: 'none' })
    expect(pageOf('/rules/%E0%A4%A')).toEqual({ name: 'none' })
  })
  it('carry any name there and back', () => {
    for (const name of ['shop/web-1', 'a b', 'ü?#&%', '<b>']) {
      expect(pageOf(entityAt('pod', name))).toEqual({ name: 'entity', type: 'pod', entity: name })
      expect(new URLSearchParams(withEntity('pod', name).slice(2)).get('entity')).toBe('pod:' + name)
    }
  })
})

describe('the tail', () => {
  it('cuts lines wherever the chunks end', () => {
    const text = '{"a":1}\n\n{"b":"ü"}\n{"c":3}\n'
    for (let size = 1; size < text.length; size++) {
      const l = new Lines()
      const out: unknown[] = []
      for (let i = 0; i < text.length; i += size) out.push(...l.push(text.slice(i, i + size)))
      expect(out).toEqual(['{"a":1}', '', '{"b":"ü"}', '{"c":3}'])
    }
  })
  it('gives a line up that is too long, says so once, and goes on', () => {
    for (const size of [3, 8, 100]) {
      const l = new Lines(10)
      const text = 'x'.repeat(50) + '\n{"a":1}\n'
      const out: unknown[] = []
      for (let i = 0; i < text.length; i += size) out.push(...l.push(text.slice(i, i + size)))
      expect(out, `chunks of ${size}`).toEqual([null, '{"a":1}'])
    }
  })
  it('says what is missing, and of a detection what its incident is called', () => {
    const gap = (data: string) => seenOf({ id: '', event: 'gap', data }, 1)?.gap
    expect([gap('{"reason":"retention","lost":3}'), gap('{"reason":"unknown","lost":0}'), gap('{}')]).toEqual(
      ['3 messages of the log are no longer kept: they are missing here', 'The log was made anew: what came meanwhile is missing here', 'One was too large to show'])
    expect(seenOf({ id: '1.', event: '', data: '' }, 1)).toBeNull()
    const d = { incident: { id: 'i', title: 'Guessing', severity: 'high' }, detection: { rule: { id: 'r' }, key: { 'user.name': 'ana' }, event_count: 2, steps: { failed: 2 }, capped: false, retracted: null, last_event: 'then' } }
    const seen = seenOf({ id: '1.a', event: 'detection', data: JSON.stringify(d) }, 7)!
    expect(seen).toMatchObject({ id: 7, time: 'then', source: 'r', text: 'Guessing: 2 events, user.name = ana', of: { id: 'i', severity: 'high' } })
    expect(holds(seen, 'user.name:ana guessing')).toBe(true)
  })
  it('says of an alert what became of the attempt, and why', () => {
    const of = (delivery: object) => seenOf({ id: '1.a', event: 'delivery', data: JSON.stringify({
      incident: { id: 'i', title: 'Guessing', severity: 'high' },
      delivery: { alert: 7, key: 'k', receiver: 'ops', kind: 'opened', outcome: 'sent', attempt: 1, time: 'then', error: '', silenced_by: '', ...delivery },
    }) }, 3)!
    expect(of({})).toMatchObject({ id: 3, time: 'then', source: 'ops', text: 'opened: Guessing', of: { id: 'i', severity: 'high' }, outcome: 'sent', why: '' })
    expect(of({ outcome: 'retry', attempt: 2, error: '503' })).toMatchObject({ outcome: 'retry', why: 'attempt 2: 503' })
    expect(of({ outcome: 'silenced', silenced_by: 'silence x' })).toMatchObject({ outcome: 'silenced', why: 'silence x' })
    expect([holds(of({}), 'receiver:ops outcome:sent guessing'), holds(of({}), 'outcome:dead')]).toEqual([true, false])
  })
  it('filters by words and by fields', () => {
    const e = seenOf({ id: '1.0', event: 'event', data: '{"source":"vector","fields":{"message":"login failed","user.name":"Ana"}}' }, 1)!
    expect(['', 'LOGIN', 'login failed', 'user.name:ana', 'source:vec', 'ana'].map((f) => holds(e, f))).toEqual(Array(6).fill(true))
    expect(['bo', 'user.name:bo', 'source:falco', 'login bo'].map((f) => holds(e, f))).toEqual(Array(4).fill(false))
  })
})

describe('an alert that is held back', () => {
  it('leads to the silence or the incident that holds it', () => {
    const id = '0123456789abcdef0123456789abcdef'
    expect(heldBy('silence ' + id, true)).toEqual({ text: 'silence 01234567', title: 'silence ' + id, href: '/silences?id=' + id })
    expect(heldBy('incident ' + id, false)).toEqual({ text: 'incident 01234567', title: 'incident ' + id, href: '/incidents/' + id })
    expect(heldBy('silence ' + id, false)).toEqual({ text: 'silence 01234567', title: 'silence ' + id, href: undefined })
  })
  it('says what else does as the server says it', () => {
    for (const by of ['mute time nights', 'mute time silence x', 'the incident is over', 'silence', 'something new']) expect(heldBy(by, true)).toEqual({ text: by })
  })
})

it('rules are found by words and put in order', () => {
  const r = (id: string, severity: string, tests: number, incidents: number) => ({ id, title: id, severity, tests, attack: ['T1110'], stats: { incidents } }) as unknown as Rule
  const all = [r('b', 'low', 0, 9), r('a', 'critical', 1, 0), r('c', 'low', 1, 2)]
  const ids = (q: string, o: Parameters<typeof rulesWith>[2]) => rulesWith(all, q, o).map((x) => x.id).join('')
  expect([ids('', 'severity'), ids('', 'incidents'), ids('', 'untested'), ids('t1110 LOW', 'title'), ids('none', 'title')]).toEqual(['abc', 'bca', 'bac', 'bc', ''])
})
