// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest'
import { line, neighbours, trend, violations } from './entity'
import type { Incident } from './types'

const incident = (last: string, ...names: string[]) => ({ last_event: `2026-11-${last}T00:00:00Z`, entities: names.map((n) => ({ type: n.split(':')[0], name: n.split(':')[1] })) }) as unknown as Incident

it('neighbours are who was in the same incidents, the most often first', () => {
  const found = neighbours({ type: 'user', name: 'ana' }, [incident('03', 'user:ana', 'ip:a', 'host:ana'), incident('02', 'user:ana', 'ip:b'), incident('01', 'ip:b', 'user:ana', 'ip:a2')])
  expect(found.map((n) => `${n.type} ${n.name} ${n.incidents} ${n.last.slice(8, 10)}`)).toEqual(['ip b 2 02', 'ip a 1 03', 'host ana 1 03', 'ip a2 1 01'])
})

it('violations are of pods, namespaces and nodes', () => {
  expect(violations('pod', 'shop/web-1')).toBe('event.module == "kyverno" and k8s.namespace.name == "shop" and k8s.pod.name == "web-1"')
  expect(violations('pod', 'web-1')).toBe('event.module == "kyverno" and k8s.pod.name == "web-1"')
  expect(violations('namespace', 'a"b')).toBe('event.module == "kyverno" and k8s.namespace.name == "a\\"b"')
  expect(violations('host', 'n1')).toBe('event.module == "kyverno" and k8s.node.name == "n1"')
  expect(violations('user', 'ana')).toBe('')
})

it('a risk over time is a line and a sentence', () => {
  const risks = [[1, 0], [2, 80], [3, 40]].map(([d, risk]) => ({ at: `2026-11-0${d}T10:00:00Z`, risk: risk! }))
  expect(line(risks, 100, 50)).toBe('0.0,50.0 50.0,10.0 100.0,30.0')
  expect(trend(risks)).toBe('2 days ago 0, now 40, at most 80 on 2026-11-02')
  expect([line([], 100, 50), trend([])]).toEqual(['', ''])
})
