// SPDX-License-Identifier: Apache-2.0
// Every request to the API goes through here: proof, errors, ETags.
import { session } from './session.svelte'

// Problem is an answer that is no success; its message is the detail that the server gave.
export class Problem extends Error {
  constructor(readonly status: number, message: string, readonly errors: string[] = []) {
    super(message)
  }
}

export interface Options {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal
}

export interface Answer<T> { data: T; etag: string | null }

// send asks and returns the response of a success. A 401 ends the session: whoever listens shows the login.
export async function send(path: string, o: Options = {}): Promise<Response> {
  const headers: Record<string, string> = { ...session.proof(), ...o.headers }
  if (o.body !== undefined) headers['Content-Type'] ??= 'application/json'
  let r: Response
  try {
    r = await fetch('/api/v1/' + path, { method: o.method ?? 'GET', headers, signal: o.signal, body: o.body === undefined ? undefined : JSON.stringify(o.body) })
  } catch (e) {
    if (o.signal?.aborted) throw e
    throw new Problem(0, 'The server does not answer.')
  }
  if (r.status === 401) session.refused()
  if (r.ok) return r
  const problem = await r.json().catch(() => ({})) as { detail?: string; title?: string; errors?: { message?: string; location?: string }[] }
  const errors = (problem.errors ?? []).map((e) => [e.location, e.message].filter(Boolean).join(': '))
  throw new Problem(r.status, [problem.detail || problem.title || r.statusText, ...errors].join('\n'), errors)
}

export async function ask<T>(path: string, o: Options = {}): Promise<Answer<T>> {
  const r = await send(path, o)
  return { data: (r.status === 204 ? null : await r.json()) as T, etag: r.headers.get('ETag') }
}

export const get = async <T>(path: string, signal?: AbortSignal): Promise<T> => (await ask<T>(path, { signal })).data

// idempotent is the header that makes a request sent twice one act.
export const idempotent = () => ({ 'Idempotency-Key': crypto.randomUUID?.() ?? String(Math.random()).slice(2) + Date.now() })

// said is what to show of an error; an aborted request is none.
export function said(e: unknown): string {
  if (e instanceof DOMException && e.name === 'AbortError') return ''
  return e instanceof Error ? e.message : String(e)
}
