// SPDX-License-Identifier: Apache-2.0
// Records as the sources send them, and the way to the server.

const at = (after: number) => new Date(Date.now() - 60_000 + after * 1000).toISOString()

// login is a burst of failed logins and one that works: it makes one incident.
export function login(user: string, ip: string): string[] {
  return ['failure', 'failure', 'failure', 'failure', 'failure', 'success'].map((outcome, i) => JSON.stringify({
    timestamp: at(i * 2), host: 'node-a', 'event.category': 'authentication', 'event.action': 'login', 'event.outcome': outcome,
    'user.name': user, 'source.ip': ip, service: 'shop-login', message: `login ${outcome} for ${user}, attempt ${i + 1}`,
  }))
}

// shell is what Falco saw of somebody in a pod.
export function shell(namespace: string, pod: string): string[] {
  const of = (after: number, rule: string, output: string, fields: object, tags: string[]) => JSON.stringify({
    hostname: 'node-b', output, rule, priority: 'Warning', source: 'syscall', tags, time: at(after),
    output_fields: { 'container.id': '4c1f0d2b9a77', 'k8s.ns.name': namespace, 'k8s.pod.name': pod, 'user.name': 'root', ...fields },
  })
  return [
    of(1, 'Terminal shell in container', 'A shell was spawned in a container', { 'proc.name': 'bash', 'proc.cmdline': 'bash' }, ['T1059']),
    of(14, 'Read sensitive file untrusted', 'Sensitive file opened', { 'proc.name': 'cat', 'proc.cmdline': 'cat /etc/shadow', 'fd.name': '/etc/shadow' }, ['T1555']),
    of(29, 'Contact K8S API Server From Container', 'Unexpected connection to the API server', { 'proc.name': 'curl', 'fd.sport': 443 }, ['T1565']),
  ]
}

// known are a rule with an exception in force and one that is over, and a Sigma rule.
export const known = `rule: sessions-of-robots
title: A robot opens sessions
severity: low
shadow: true
match: event.action == "open" and user.name startsWith "robot-"
by: [user.name]
except:
  - when: user.name == "robot-backup"
    reason: the nightly backup
    owner: platform
    expires: 2099-12-31
  - {when: user.name == "robot-old", reason: it was moved, owner: storage, expires: 2020-01-31}
---
title: A robot is renamed
id: 5f0c61c2-6b4e-4d0e-9a53-5b51d5a3b0aa
status: test
level: low
logsource: {product: tocsin, category: accounts}
detection:
  selection: {event.action: rename}
  condition: selection
`

// robots open sessions: the first exception leaves one out, the second no longer does.
export const robots = () => ['backup', 'old'].map((name, i) => JSON.stringify({
  timestamp: at(i), host: 'node-c', 'event.action': 'open', 'user.name': 'robot-' + name, service: 'sessions', message: `session of robot-${name}`,
}))

// violation is what Kyverno found wrong with a pod.
export const violation = (namespace: string, pod: string, policy: string) => [JSON.stringify({
  policy, rule: 'check', result: 'fail', severity: 'high', message: `${policy} is not kept`, scope: { kind: 'Pod', namespace, name: pod },
  timestamp: { seconds: Math.floor(Date.now() / 1000), nanos: 0 },
})]

export async function post(source: 'vector' | 'falco' | 'kyverno', records: (string | Uint8Array<ArrayBuffer>)[]) {
  for (const body of source === 'vector' ? [records.join('\n')] : records) {
    const r = await fetch(`${process.env.TOCSIN_INGEST}/ingest/${source}`, { method: 'POST', body })
    if (r.status !== 200) throw new Error(`${source}: ${r.status} ${await r.text()}`)
  }
}

export async function api<T = any>(path: string, init: RequestInit = {}): Promise<T> {
  const r = await fetch(`${process.env.TOCSIN_URL}/api/v1/${path}`, {
    ...init, headers: { Authorization: 'Bearer ' + process.env.TOCSIN_TOKEN, 'Content-Type': 'application/json', ...init.headers },
  })
  if (!r.ok) throw new Error(`${path}: ${r.status} ${await r.text()}`)
  return r.status === 204 ? (null as T) : await r.json()
}

// decided waits until everything that was accepted is decided.
export async function decided() {
  for (const end = Date.now() + 20_000; ;) {
    const s = await api('status')
    if (s.match_lag === 0 && s.correlate_lag === 0) return
    if (Date.now() > end) throw new Error('not decided: ' + JSON.stringify(s))
    await new Promise((f) => setTimeout(f, 100))
  }
}

// attack makes an incident of its own for a user, and returns it.
export async function attack(user: string): Promise<any> {
  const ip = `198.51.100.${1 + Math.floor(Math.random() * 250)}`
  await post('vector', login(user, ip))
  for (const end = Date.now() + 20_000; ;) {
    const page = await api('incidents?' + new URLSearchParams({ entity: 'user:' + user }))
    const found = page.items.find((v: any) => v.rule.id === 'brute-force-then-login')
    if (found) return found
    if (Date.now() > end) throw new Error('no incident came of it')
    await new Promise((f) => setTimeout(f, 100))
  }
}
