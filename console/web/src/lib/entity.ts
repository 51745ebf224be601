// SPDX-License-Identifier: Apache-2.0
// What surrounds an entity: its neighbours, its risk as a line, and the expression that finds the policy violations of it.
import type { components } from '../schema'
import type { Entity, Incident } from './types'

export type About = components['schemas']['EntityView']
export type Risk = components['schemas']['RiskAt']

export interface Neighbour extends Entity {
  // incidents are those that both are in; last is the latest event of them.
  incidents: number
  last: string
}

// neighbours are the entities of an entity's incidents, those of most incidents first, then the latest.
export function neighbours(of: Entity, incidents: Incident[]): Neighbour[] {
  const met = new Map<string, Neighbour>()
  for (const v of incidents) {
    for (const e of v.entities ?? []) {
      if (e.type === of.type && e.name === of.name) continue
      const k = e.type + '\0' + e.name
      const n = met.get(k) ?? { type: e.type, name: e.name, incidents: 0, last: '' }
      n.incidents++
      if (!n.last || Date.parse(v.last_event ?? '') > Date.parse(n.last)) n.last = v.last_event ?? ''
      met.set(k, n)
    }
  }
  return [...met.values()].sort((a, b) => b.incidents - a.incidents || Date.parse(b.last) - Date.parse(a.last) || a.name.localeCompare(b.name))
}

// violations finds what Kyverno said of an entity; '' of one of which it says nothing.
export function violations(type: string, name: string): string {
  const is = (field: string, value: string) => `${field} == ${JSON.stringify(value)}`
  const slash = name.indexOf('/')
  const where = type === 'namespace' ? [is('k8s.namespace.name', name)]
    : type === 'host' ? [is('k8s.node.name', name)]
    : type === 'pod' && slash > 0 ? [is('k8s.namespace.name', name.slice(0, slash)), is('k8s.pod.name', name.slice(slash + 1))]
    : type === 'pod' ? [is('k8s.pod.name', name)] : []
  return where.length ? [is('event.module', 'kyverno'), ...where].join(' and ') : ''
}

// line is a risk over time as the points of an SVG polyline, 0 at the bottom and 100 at the top.
export const line = (risks: Risk[], width: number, height: number) =>
  risks.map((r, i) => `${((i * width) / Math.max(risks.length - 1, 1)).toFixed(1)},${(height - (r.risk * height) / 100).toFixed(1)}`).join(' ')

// trend says the same in words.
export function trend(risks: Risk[]): string {
  if (!risks.length) return ''
  const most = risks.reduce((a, b) => (b.risk > a.risk ? b : a))
  return `${risks.length - 1} days ago ${risks[0]!.risk}, now ${risks.at(-1)!.risk}, at most ${most.risk} on ${(most.at ?? '').slice(0, 10)}`
}
