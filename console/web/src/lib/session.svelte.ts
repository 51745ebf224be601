// SPDX-License-Identifier: Apache-2.0
// Who asks. The one place that knows of tokens, cookies and names.

import { features } from './features.svelte'

const slot = 'token'

// given takes a token from the address and wipes it there, so that it stays in no history.
function given(): string {
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  if (token) {
    sessionStorage.setItem(slot, token)
    history.replaceState(null, '', location.pathname + location.search)
  }
  return sessionStorage.getItem(slot) ?? ''
}

interface Me {
  name?: string
  roles?: string[] | null
  permissions?: string[] | null
  scope?: string[] | null
  login?: unknown
}

// Where a browser signs in with an identity provider, if the server says that there is one.
function loginOf(me: Me): string {
  const l = me.login as { oidc?: unknown; url?: unknown } | string | boolean | null | undefined
  if (typeof l === 'string') return l.startsWith('/') ? l : ''
  if (!l || typeof l !== 'object') return ''
  return typeof l.url === 'string' && l.url.startsWith('/') ? l.url : l.oidc ? '/auth/login' : ''
}

class Session {
  token = $state(given())
  // wanted says that the server asked for proof: the login shows instead of the page.
  wanted = $state(false)
  // tried says that a token was given and refused.
  tried = $state(false)
  me = $state<Me>({})

  readonly loginAt = $derived(loginOf(this.me))

  // meet asks the server who this is. A server that has no such question knows one person, the admin.
  async meet() {
    if (!features.can('GET me')) return
    const r = await fetch('/api/v1/me', { headers: this.proof() })
    if (r.ok) this.me = await r.json() as Me
  }

  proof(): Record<string, string> {
    return this.token ? { Authorization: 'Bearer ' + this.token } : {}
  }

  refused() {
    this.tried ||= this.token !== '' // of two requests at once the second finds no token any more
    this.token = ''
    sessionStorage.removeItem(slot)
    this.me = { login: this.me.login } // the rights of one are not those of the next
    this.wanted = true
  }

  enter(token: string) {
    sessionStorage.setItem(slot, token)
    this.token = token
    this.tried = false
    this.wanted = false
    void this.meet().catch(() => {})
  }

  // leave forgets the token; a session that is a cookie is ended where it was begun.
  leave() {
    if (!this.token && this.loginAt) void fetch('/auth/logout', { method: 'POST' }).catch(() => {})
    this.refused()
    sessionStorage.clear() // the rules that were written and the events that were picked are not the next one's
    this.tried = false
  }

  // may tells of a right such as "audit:read" over all clusters. Who is not known yet may nothing.
  may(right: string): boolean {
    const [resource, action] = right.split(':')
    const fits = (p: string) => { const [r, a] = p.split(':'); return (r === '*' || r === resource) && (a === '*' || a === action) }
    return (this.me.scope ?? null) === null && (this.me.permissions ?? []).some(fits)
  }

  // name is who acts, as the server knows it; the admin token is "admin".
  get name() {
    return this.me.name || 'admin'
  }
}

export const session = new Session()
