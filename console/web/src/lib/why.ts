// SPDX-License-Identifier: Apache-2.0
// Why a rule fired: its patterns, and the values in the evidence that satisfied each.
import type { Detection, Evidence, Rule } from './types'

export interface Value { value: string; times: number }
export interface Field { name: string; values: Value[]; more: number }
export interface Step {
  // number is the step's place in the story, from 1; 0 for a pattern that saw nothing.
  number: number
  name: string
  expression: string
  count: number
  fields: Field[]
  evidence: Evidence[]
}

const shown = 4

// text is a field's value as one line.
export const text = (v: unknown): string => (typeof v === 'string' ? v : JSON.stringify(v) ?? '')

// parts are the values of a field, each as one line: a list has several.
export const parts = (v: unknown): string[] => (Array.isArray(v) && v.every((x) => typeof x !== 'object') ? v.map(text) : [text(v)])

// numbers gives each step of a detection its number: the order of the rule's patterns, and what the rule no longer has
// behind them by its first event.
export function numbers(d: Detection, rule: Rule | null): Map<string, number> {
  const seen = new Set(Object.keys(d.steps ?? {}))
  for (const e of d.evidence ?? []) seen.add(e.step)
  const first = (step: string) => Math.min(...(d.evidence ?? []).filter((e) => e.step === step).map((e) => Date.parse(e.time!)))
  const patterns = (rule?.patterns ?? []).map((p) => p.name).filter((n) => seen.has(n))
  const rest = [...seen].filter((s) => !patterns.includes(s)).sort((a, b) => first(a) - first(b) || a.localeCompare(b))
  return new Map([...patterns, ...rest].map((s, i) => [s, i + 1]))
}

// fieldsOf are the fields that an expression names, in its order, of those that the events have. Texts in quotes name none.
export function fieldsOf(expression: string, has: Set<string>): string[] {
  const code = expression.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, '""')
  return [...new Set(code.match(/[A-Za-z_@][\w@-]*(?:\.[\w@-]+)*/g) ?? [])].filter((w) => has.has(w))
}

function values(name: string, evidence: Evidence[]): Field {
  const times = new Map<string, number>()
  for (const e of evidence) {
    const v = e.fields?.[name]
    if (v !== undefined) for (const p of new Set(parts(v))) times.set(p, (times.get(p) ?? 0) + 1)
  }
  const sorted = [...times].map(([value, n]) => ({ value, times: n })).sort((a, b) => b.times - a.times)
  return { name, values: sorted.slice(0, shown), more: Math.max(0, sorted.length - shown) }
}

// steps explains a detection by the evidence that was loaded.
export function steps(d: Detection, rule: Rule | null, evidence: Evidence[]): Step[] {
  const number = numbers(d, rule)
  const own = new Set((d.evidence ?? []).map((e) => e.step + '\0' + e.event_id))
  const of = (step: string) => evidence.filter((e) => e.step === step && own.has(step + '\0' + e.event_id))
  const patterns = rule?.patterns ?? []
  const names = [...patterns.map((p) => p.name), ...[...number.keys()].filter((n) => !patterns.some((p) => p.name === n))]
  return names.map((name) => {
    const events = of(name)
    const expression = patterns.find((p) => p.name === name)?.expression ?? ''
    const has = new Set(events.flatMap((e) => Object.keys(e.fields ?? {})))
    return {
      number: number.get(name) ?? 0, name, expression, count: d.steps?.[name] ?? events.length,
      fields: fieldsOf(expression, has).map((f) => values(f, events)), evidence: events,
    }
  })
}
