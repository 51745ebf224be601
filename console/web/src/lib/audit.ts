// SPDX-License-Identifier: Apache-2.0
// The audit log's filter, in the address as the API names it.

const names = ['actor', 'operation', 'outcome', 'object', 'since', 'until']

// auditPlaced is the query of what the audit log knows and is given, with its "?", or nothing.
export function auditPlaced(query: URLSearchParams): string {
  const q = new URLSearchParams()
  for (const name of names) {
    const v = query.get(name)
    if (v) q.set(name, v)
  }
  return q.size ? '?' + q : ''
}
