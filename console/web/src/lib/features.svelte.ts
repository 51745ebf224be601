// SPDX-License-Identifier: Apache-2.0
// What this server can do, from its own OpenAPI document: a control whose operation is not there is not shown.

class Features {
  #operations = $state.raw(new Set<string>())

  async load() {
    const r = await fetch('/openapi.json')
    if (!r.ok) return
    const doc = await r.json() as { paths?: Record<string, Record<string, unknown>> }
    const found = new Set<string>()
    for (const [path, methods] of Object.entries(doc.paths ?? {})) {
      for (const m of Object.keys(methods)) found.add(m.toUpperCase() + ' ' + path.replace('/api/v1/', ''))
    }
    this.#operations = found
  }

  // can tells of an operation such as "PATCH incidents/{id}".
  can(operation: string): boolean {
    return this.#operations.has(operation)
  }
}

export const features = new Features()
