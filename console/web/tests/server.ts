// SPDX-License-Identifier: Apache-2.0
// A real server, with what the demo's recorded attack and a few others made of it.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { decided, known, login, post, robots, shell } from './records'

const root = resolve(import.meta.dirname ?? '.', '../../..')
const any = '127.0.0.1:0'

export type Running = { url: string; token: string; ingest: string; stop: (keep?: boolean) => Promise<void> }

export const folder = () => mkdtempSync(join(tmpdir(), 'tocsin-console-'))

// demo starts a server with the demo's recorded attack, and waits until it has played.
export const demo = (config?: string, data?: string) => serve(['--demo'], 'Look at them:', {}, config, data)

// serve starts a server and waits until it has said something. What it keeps in its folder is gone when it stops, unless another
// one is to begin with that.
export async function serve(flags: string[], until: string, env: Record<string, string>, config?: string, data = folder()): Promise<Running> {
  const args = ['serve', ...flags]
  if (config) {
    writeFileSync(join(data, 'tocsin.yaml'), config)
    args.push('--config', join(data, 'tocsin.yaml'))
  }
  const child = spawn(process.env.TOCSIN_BIN || join(root, 'bin/tocsin'), args, {
    cwd: root, stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TOCSIN_DATA: join(data, 'data'), TOCSIN_INGEST_LISTEN: any, TOCSIN_API_LISTEN: any, TOCSIN_ADMIN_LISTEN: any, TOCSIN_VECTOR_LISTEN: any, ...env },
  })
  let said = ''
  const ended = new Promise<never>((_, no) => child.on('exit', (code) => no(new Error(`tocsin ended with ${code}:\n${said}`))))
  ended.catch(() => {}) // it ends in the teardown, too
  const announced = new Promise<void>((yes) => {
    const hear = (b: Buffer) => {
      said += b
      if (said.includes(until)) yes()
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
  })
  const late = new Promise<never>((_, no) => { setTimeout(() => no(new Error('tocsin did not get so far:\n' + said)), 90_000).unref() })
  await Promise.race([announced, ended, late])
  const page = /incidents\s+(http:\S+)\/#token=(\S+)/.exec(said)!
  return {
    url: page[1]!, token: page[2]!, ingest: /(http:\S+)\/ingest\/vector/.exec(said)![1]!,
    stop: async (keep = false) => {
      const gone = new Promise((yes) => child.once('exit', yes))
      child.kill('SIGTERM')
      await gone
      if (!keep) rmSync(data, { recursive: true, force: true })
    },
  }
}

export default async function server() {
  // A receiver that refuses for good until it is told otherwise: POST /accept.
  let accepts = false
  const receiver = createServer((q, r) => {
    if (q.url === '/accept') accepts = true
    r.statusCode = q.url === '/accept' || accepts ? 200 : 410
    r.end()
  })
  await new Promise<void>((up) => receiver.listen(0, '127.0.0.1', up))
  process.env.RECEIVER_URL = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`

  const data = folder()
  writeFileSync(join(data, 'known.yml'), known)
  const running = await demo(`rules: [./rules.d, ${join(data, 'known.yml')}]
alert:
  receivers:
    - {name: ops, type: webhook, url: "${process.env.RECEIVER_URL}/hook"}
  routes:
    - {receiver: ops, severity: critical}
`, data)
  process.env.TOCSIN_URL = running.url
  process.env.TOCSIN_TOKEN = running.token
  process.env.TOCSIN_INGEST = running.ingest

  for (const [i, user] of ['bo', 'carla', 'dmitri', 'erika'].entries()) await post('vector', login(user, `203.0.113.${20 + i}`))
  await post('vector', login('<img src=x onerror=alert(1)>', '203.0.113.66'))
  await post('falco', shell('shop', 'cart-6f7d-lq2mz'))
  await post('falco', shell('billing', 'ledger-58c9-0x1yz'))
  await post('vector', robots())
  for (const raw of ['nonsense{', '{"rule":"a\u202eb","x":"\x00"', Uint8Array.of(0x7b, 0xff, 0xfe, 0x00)]) await post('falco', [raw])
  await decided()

  return async () => {
    await running.stop()
    await new Promise((yes) => receiver.close(yes))
  }
}
