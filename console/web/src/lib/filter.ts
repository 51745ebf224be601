// SPDX-License-Identifier: Apache-2.0
// The filter of the list: what is typed, what is in the address, and what the API is asked. The names in the
// address are the API's own, so that a view is a query string.

const names = ['status', 'severity', 'rule', 'entity', 'technique', 'since', 'until', 'include'] as const
const several = new Set(['status', 'severity', 'include'])
const open = 'new,in_progress,on_hold'

// The types of entities, so that user:ana can be typed for entity:user:ana.
const entityTypes = new Set(['pod', 'namespace', 'host', 'user', 'ip', 'node', 'service', 'serviceaccount', 'workload', 'image'])

// tokens splits at spaces outside of "…".
const tokens = (text: string) => text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? []
const bare = (s: string) => s.replaceAll('"', '')

// parseFilter reads what is typed. Words without a name are searched as text.
export function parseFilter(text: string): URLSearchParams {
  const out = new URLSearchParams()
  const free: string[] = []
  for (const token of tokens(text)) {
    const colon = token.indexOf(':')
    const name = token.slice(0, Math.max(colon, 0)).toLowerCase()
    const value = bare(token.slice(colon + 1))
    if (colon > 0 && value && (names as readonly string[]).includes(name)) {
      const before = out.get(name)
      out.set(name, before && several.has(name) ? before + ',' + value : value)
    } else if (colon > 0 && value && entityTypes.has(name)) {
      out.set('entity', name + ':' + value)
    } else if (bare(token)) {
      free.push(bare(token))
    }
  }
  if (free.length) out.set('q', free.join(' '))
  return out
}

const quoted = (s: string) => (/\s/.test(s) ? `"${s}"` : s)

// formatFilter writes a query so that parseFilter reads it back.
export function formatFilter(q: URLSearchParams): string {
  const out: string[] = []
  for (const name of names) {
    const v = q.getAll(name).filter(Boolean).join(',')
    if (v) out.push(name + ':' + quoted(v))
  }
  const text = q.get('q')
  if (text) out.push(text)
  return out.join(' ')
}

// askOf is the query for the API: open incidents, unless the address says otherwise.
export function askOf(q: URLSearchParams): URLSearchParams {
  const out = new URLSearchParams()
  for (const [k, v] of q) if (v && ((names as readonly string[]).includes(k) || k === 'q')) out.append(k, v)
  if (out.get('status') === 'all') out.delete('status')
  else if (!out.has('status')) out.set('status', open)
  return out
}

// toggled is a query in which a value of a list is turned on or off.
export function toggled(q: URLSearchParams, name: string, value: string): URLSearchParams {
  const out = new URLSearchParams(q)
  const have = new Set((out.get(name) ?? '').split(',').filter(Boolean))
  if (!have.delete(value)) have.add(value)
  if (have.size) out.set(name, [...have].join(','))
  else out.delete(name)
  return out
}

// placed is the address of the list with a query.
export function placed(q: URLSearchParams): string {
  const s = q.toString().replaceAll('%2C', ',').replaceAll('%3A', ':')
  return s ? '/?' + s : '/'
}
