// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest'
import type { Detection, Evidence, Rule } from './types'
import { fieldsOf, numbers, parts, steps } from './why'

const detection = {
  steps: { failed: 2, worked: 1 },
  evidence: [{ event_id: '1', step: 'failed', time: '2026-01-01T00:00:00Z' }, { event_id: '2', step: 'failed', time: '2026-01-01T00:00:01Z' }, { event_id: '3', step: 'worked', time: '2026-01-01T00:00:02Z' }],
} as unknown as Detection
const rule = { patterns: [{ name: 'never', expression: 'a == 1' }, { name: 'worked', expression: 'event.outcome == "success"' }, { name: 'failed', expression: 'event.outcome == "failure"' }] } as unknown as Rule
const evidence = ['failure', 'failure', 'success'].map((o, i) => ({ event_id: String(i + 1), step: i < 2 ? 'failed' : 'worked', fields: { 'event.outcome': o, failure: 'x' } })) as unknown as Evidence[]

it('steps have the order of the patterns, and those that saw nothing no number', () => {
  expect([...numbers(detection, rule)]).toEqual([['worked', 1], ['failed', 2]])
  expect(steps(detection, rule, evidence).map((s) => [s.name, s.number, s.count])).toEqual([['never', 0, 0], ['worked', 1, 1], ['failed', 2, 2]])
})
it('without the rule they have the order of their first events', () => {
  expect([...numbers(detection, null)]).toEqual([['failed', 1], ['worked', 2]])
})
it('the values are those of the fields that the pattern names', () => {
  expect(steps(detection, rule, evidence)[2]!.fields).toEqual([{ name: 'event.outcome', values: [{ value: 'failure', times: 2 }], more: 0 }])
})
it('a list has several values', () => {
  expect([parts(['a', 1]), parts('a'), parts({ a: 1 }), parts([{ a: 1 }]), parts([])]).toEqual([['a', '1'], ['a'], ['{"a":1}'], ['[{"a":1}]'], []])
})
it('evidence of another detection is not this one\'s', () => {
  expect(steps(detection, rule, [{ ...evidence[0]!, event_id: '9' }])[2]!.evidence).toEqual([])
})
it('a name within quotes is no field', () => {
  expect(fieldsOf('a.b == "c.d" and not (x matches \'e\') or c.d in ["\\"a"]', new Set(['a.b', 'c.d', 'e', 'a']))).toEqual(['a.b', 'c.d'])
  expect(fieldsOf('user.name == "user.id"', new Set(['user.name', 'user.id']))).toEqual(['user.name'])
})
