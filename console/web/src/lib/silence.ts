// SPDX-License-Identifier: Apache-2.0
// Silences: matchers over the labels of incidents.
import type { Incident } from './types'

export interface Matcher { name: string; op: string; value: string }
export interface Choice extends Matcher { on: boolean }

// choices are the matchers that an incident offers; its rule is what people mean most often.
export function choices(v: Incident): Choice[] {
  const of = (name: string, value: string, on = false): Choice => ({ name, op: '=', value, on })
  const out = [of('rule', v.rule.id, true), of('severity', v.severity)]
  for (const e of (v.entities ?? []).slice(0, 8)) out.push(of(e.type, e.name))
  return out
}

export const write = (m: Matcher) => `${m.name}${m.op}${JSON.stringify(m.value)}`
// matchers is their form in the API: name="value", as in routes.
export const matchers = (chosen: Matcher[]): string[] => chosen.map(write)

// readMatcher shows a matcher of the API, which is text or its parts.
export function readMatcher(m: unknown): string {
  if (typeof m === 'string') return m
  const p = (m ?? {}) as { name?: string; label?: string; op?: string; value?: string }
  return write({ name: p.name ?? p.label ?? '', op: p.op ?? '=', value: p.value ?? '' })
}
