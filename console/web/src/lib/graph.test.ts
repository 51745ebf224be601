// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest'
import { graphOf, hue, legend, moments } from './graph'

it('a graph has the times at which something is new, each once and in order', () => {
  const at = (second: number) => `2026-11-28T10:00:0${second}Z`
  const g = graphOf({
    nodes: [{ id: 'user:ana', type: 'user', name: 'ana', first_event: at(5) }, { id: 'ip:a', type: 'ip', name: 'a', first_event: at(1) }, { id: 'ip:b', type: 'ip', name: 'b', first_event: at(5) }],
    edges: [{ from: 'ip:a', to: 'user:ana', steps: ['failed', 'worked'], tactics: ['impact', 'execution', 'unheard-of'], count: 3, first_event: at(7) }, { from: 'ip:none', to: 'user:ana', steps: [], count: 1, first_event: at(2) }],
    left_out: 4,
  })
  expect(moments(g).map((t) => new Date(t).getUTCSeconds())).toEqual([1, 5, 7])
  expect(g.edges).toMatchObject([{ label: 'failed, worked', count: 3, tactics: ['execution', 'impact'] }])
  expect(legend(g, Date.parse(at(6)))).toEqual([])
  expect(legend(g, Date.parse(at(7)))).toEqual(['execution', 'impact'])
  expect([hue('reconnaissance'), hue('execution'), hue('impact')]).toEqual([0, 71, 306])
  expect(g.leftOut).toBe(4)
})
