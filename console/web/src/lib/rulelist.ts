// SPDX-License-Identifier: Apache-2.0
// The list of rules: which, and in what order.
import { severities, type Rule } from './types'

export type Order = 'severity' | 'incidents' | 'title' | 'untested'

const rank = (r: Rule) => (severities as readonly string[]).indexOf(r.severity)

// rulesWith are the rules that have all words of a query, in order.
export function rulesWith(rules: Rule[], query: string, order: Order): Rule[] {
  const wanted = query.toLowerCase().split(/\s+/).filter(Boolean)
  const text = (r: Rule) => [r.id, r.title, r.file, r.severity, ...(r.attack ?? []), ...(r.tactics ?? []), r.shadow ? 'shadow' : ''].join(' ').toLowerCase()
  const title = (a: Rule, b: Rule) => (a.title || a.id).localeCompare(b.title || b.id)
  const by: Record<Order, (a: Rule, b: Rule) => number> = {
    severity: (a, b) => rank(a) - rank(b),
    incidents: (a, b) => (b.stats['incidents'] ?? 0) - (a.stats['incidents'] ?? 0),
    title: () => 0,
    untested: (a, b) => Number(a.tests > 0) - Number(b.tests > 0),
  }
  const compare = by[order] ?? by.severity
  return rules.filter((r) => wanted.every((w) => text(r).includes(w))).sort((a, b) => compare(a, b) || title(a, b))
}

export function placedRules(query: string, order: Order): string {
  const q = new URLSearchParams()
  if (query) q.set('q', query)
  if (order !== 'severity') q.set('order', order)
  return q.size ? '/rules?' + q : '/rules'
}
