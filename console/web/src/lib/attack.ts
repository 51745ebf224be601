// SPDX-License-Identifier: Apache-2.0
// ATT&CK: what rules cover and what incidents showed.
import table from './techniques.json'
import type { Incident, Rule } from './types'

// The enterprise tactics in the order of an attack.
export const tactics = [
  'reconnaissance', 'resource-development', 'initial-access', 'execution', 'persistence', 'privilege-escalation',
  'defense-evasion', 'credential-access', 'discovery', 'lateral-movement', 'collection', 'command-and-control',
  'exfiltration', 'impact',
] as const

const small = new Set(['and'])
// tacticName is the name for people: "Command and control".
export function tacticName(tactic: string): string {
  const text = tactic.split('-').filter(Boolean).map((w, i) => (i > 0 || small.has(w) ? w : w[0]!.toUpperCase() + w.slice(1))).join(' ')
  return text
}

export interface Cell {
  technique: string
  // rules are the ids of the enabled rules about it; tested says that one of them has tests.
  rules: string[]
  tested: boolean
  shadow: string[]
  incidents: number
}

export interface Column { tactic: string; cells: Cell[] }

const isTechnique = (s: string) => /^T\d{4}(\.\d{3})?$/.test(s)

// tacticsOf places each technique: by the table of the rules package, which techniques.json copies, else by who names it.
// The API says which tactics a rule has in all, not which technique has which; the tactics that all who name a technique
// have in common are its own.
export function tacticsOf(named: { techniques: string[]; tactics: string[] }[]): Map<string, string[]> {
  const common = new Map<string, string[]>()
  for (const n of named) {
    for (const t of n.techniques.filter(isTechnique)) {
      const sure = (table as Record<string, string[]>)[t.split('.')[0]!]
      if (sure) {
        common.set(t, sure)
        continue
      }
      const before = common.get(t)
      const both = before?.filter((x) => n.tactics.includes(x))
      common.set(t, before === undefined ? n.tactics : both!.length ? both! : before)
    }
  }
  return common
}

// heat is the map: a column per tactic, its techniques sorted. A technique without a
// tactic is in the last column, "".
export function heat(rules: Rule[], incidents: Incident[]): Column[] {
  const cells = new Map<string, Cell>()
  const cell = (t: string) => {
    let c = cells.get(t)
    if (!c) cells.set(t, c = { technique: t, rules: [], tested: false, shadow: [], incidents: 0 })
    return c
  }
  for (const r of rules) {
    for (const t of (r.attack ?? []).filter(isTechnique)) {
      const c = cell(t)
      if (r.shadow) c.shadow.push(r.id)
      else {
        c.rules.push(r.id)
        c.tested ||= r.tests > 0
      }
    }
  }
  for (const v of incidents) for (const t of new Set((v.attack.techniques ?? []).filter(isTechnique))) cell(t).incidents++
  const places = tacticsOf([
    ...rules.map((r) => ({ techniques: r.attack ?? [], tactics: r.tactics ?? [] })),
    ...incidents.map((v) => ({ techniques: v.attack.techniques ?? [], tactics: v.attack.tactics ?? [] })),
  ])
  const columns = new Map<string, Cell[]>(tactics.map((t) => [t, []]))
  for (const c of [...cells.values()].sort((a, b) => a.technique.localeCompare(b.technique))) {
    const where = places.get(c.technique)
    for (const t of where?.length ? where : ['']) {
      if (!columns.has(t)) columns.set(t, [])
      columns.get(t)!.push(c)
    }
  }
  const order = [...tactics, ''] as string[]
  return [...columns].map(([tactic, cs]) => ({ tactic, cells: cs }))
    .sort((a, b) => (order.indexOf(a.tactic) + 99) % 99 - (order.indexOf(b.tactic) + 99) % 99)
}

// navigator is the layer that the ATT&CK Navigator opens, as `tocsin rules coverage` prints it: score 1 is covered,
// 2 covered by a rule with tests.
export function navigator(columns: Column[]) {
  const unique = new Map(columns.flatMap((c) => c.cells).map((c) => [c.technique, c]))
  return {
    name: 'Tocsin',
    versions: { layer: '4.5' },
    domain: 'enterprise-attack',
    description: 'What the rules in force are about. Score 2: one of the rules has tests.',
    techniques: [...unique.values()].filter((c) => c.rules.length).map((c) => ({
      techniqueID: c.technique, score: c.tested ? 2 : 1, comment: c.rules.join(', '),
      metadata: c.incidents ? [{ name: 'incidents', value: String(c.incidents) }] : [], showSubtechniques: true,
    })),
    gradient: { colors: ['#ffffff', '#f6d365', '#3a9d5d'], minValue: 0, maxValue: 2 },
    legendItems: [{ label: 'covered', color: '#f6d365' }, { label: 'covered and tested', color: '#3a9d5d' }],
  }
}
