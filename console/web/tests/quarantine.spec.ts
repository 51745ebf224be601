// SPDX-License-Identifier: Apache-2.0
// What could not be read: found, looked at, released.
import AxeBuilder from '@axe-core/playwright'
import { readFileSync } from 'node:fs'
import { expect, test } from './fixtures'
import { api } from './records'
import { demo, folder, type Running } from './server'

// Servers of a test's own end with it, however it ends.
const own: Running[] = []
const begin = async (config?: string, data?: string) => {
  const r = await demo(config, data)
  own.push(r)
  return r
}
test.afterEach(async ({ page }) => {
  await page.goto('about:blank') // it asks no server that is gone
  for (const r of own.splice(0)) await r.stop()
})

test('what could not be read is found, and its bytes are seen as they are', async ({ signedIn: page }) => {
  await page.goto('/sources')
  await page.getByRole('navigation', { name: 'About sources' }).getByRole('link', { name: 'Quarantine' }).press('Enter')
  await expect(page).toHaveURL('/quarantine')
  const list = page.getByRole('table', { name: 'Quarantine' })
  await expect(list.getByRole('row', { name: /falco/ })).toHaveCount(3)
  // What would turn the text around is written out.
  await expect(list).toContainText('{"rule":"a<U+202E>b"')
  const row = list.getByRole('row').filter({ hasText: 'nonsense{' }).first() // its bytes have one of their own
  await row.getByRole('button', { name: /^Record .* of falco/ }).press('Enter')
  const record = list.getByRole('region', { name: /^Record of/ })
  await expect(record).toHaveText('nonsense{')
  await list.getByRole('button', { name: 'Hex' }).press('Enter')
  await expect(record).toHaveText('00000000  6e 6f 6e 73 65 6e 73 65  7b                       |nonsense{|')
  const download = page.waitForEvent('download')
  await list.getByRole('button', { name: 'Save the bytes' }).press('Enter')
  expect(readFileSync(await (await download).path(), 'utf8')).toBe('nonsense{')

  await row.getByRole('button', { name: /^Release/ }).press('Enter')
  await expect(page.getByRole('status', { name: 'Messages' })).toContainText('it cannot be read now either')
  await row.getByRole('link', { name: 'malformed_falco' }).press('Enter')
  await expect(page).toHaveURL('/quarantine?reason=malformed_falco')
  await expect(row).toBeVisible()
  await page.keyboard.press('/')
  await page.keyboard.type('nobody')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL('/quarantine?source=nobody&reason=malformed_falco')
  await expect(page.getByRole('heading', { name: 'Nothing in quarantine is like this' })).toBeVisible()
  await page.getByRole('link', { name: 'Clear' }).press('Enter')
  await page.getByLabel('Time').selectOption('Last hour')
  await expect(page).toHaveURL('/quarantine?since=1h')
  await expect(row).toBeVisible()
})

test('older entries are fetched on demand, each once', async ({ signedIn: page }) => {
  const bad = Array.from({ length: 60 }, (_, i) => `{"older":${i}`).join('\n')
  expect((await fetch(process.env.TOCSIN_INGEST + '/ingest/pages', { method: 'POST', body: bad })).status).toBe(200)
  await page.goto('/quarantine?source=pages')
  const rows = page.getByRole('table', { name: 'Quarantine' }).getByRole('row').filter({ hasText: 'older' })
  await expect(rows).toHaveCount(50)
  // Twice at once, and on the button itself: a second press of the mouse would meet what came in its place.
  await page.getByRole('button', { name: 'Older entries' }).evaluate((b: HTMLElement) => { b.click(); b.click() })
  await expect(rows).toHaveCount(60)
  await page.getByRole('button', { name: 'Release all of these' }).press('Enter')
  const dialog = page.getByRole('dialog', { name: 'Release what is listed' })
  await expect(dialog).toContainText('All with source pages')
  for (const scheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme: scheme })
    await page.screenshot({ path: `shots/release-${scheme}-1280.png` })
    expect((await new AxeBuilder({ page }).analyze()).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join('; ')}`)).toEqual([])
  }
  await dialog.getByRole('button', { name: 'Release' }).press('Enter')
  await expect(dialog.getByRole('status')).toHaveText('0 entries are taken in as 0 events; what cannot be read now either: 60 malformed_json.')
  await dialog.getByRole('button', { name: 'Close' }).press('Enter')
  await expect(dialog).toBeHidden()
})

test('once what was wrong is mended, an entry and then all of them are taken in', async ({ page }) => {
  test.setTimeout(180_000)
  // Lines of a container that the configuration wrongly takes for Falco's.
  const data = folder()
  const before = await begin('ingest:\n  falco_from: [{namespace: odd, container: "*"}]\n', data)
  const line = (n: number) => JSON.stringify({
    timestamp: '2026-01-01T00:00:00Z', kubernetes: { pod_namespace: 'odd', pod_name: 'p', container_name: 'c' },
    message: JSON.stringify({ rule: 'discount ' + n, priority: 'vip', time: '', output_fields: {} }),
  })
  expect((await fetch(before.ingest + '/ingest/vector', { method: 'POST', body: [1, 2, 3].map(line).join('\n') })).status).toBe(200)
  const entries = async () => (await fetch(before.url + '/api/v1/quarantine', { headers: { Authorization: 'Bearer ' + before.token } }).then((r) => r.json())).items.length
  await expect.poll(entries).toBe(3)
  own.splice(0)
  await before.stop(true)

  const after = await begin(undefined, data)
  await page.goto(`${after.url}/#token=${after.token}`)
  await expect(page.getByRole('table', { name: 'Incidents' })).toBeVisible()
  await page.goto(after.url + '/quarantine')
  const list = page.getByRole('table', { name: 'Quarantine' })
  const found = async () => {
    const of = new URLSearchParams({ q: 'k8s.namespace.name == "odd"' })
    return (await fetch(`${after.url}/api/v1/events?${of}`, { headers: { Authorization: 'Bearer ' + after.token } }).then((r) => r.json())).items.length
  }
  await expect.poll(found).toBe(3)
  const row = list.getByRole('row').filter({ hasText: 'discount 2' })
  await row.getByRole('button', { name: /^Release/ }).press('Enter')
  await expect(page.getByRole('status', { name: 'Messages' })).toContainText('1 entry is taken in as 1 event')
  await expect(row).toContainText('released')
  await list.getByRole('link', { name: 'malformed_vector' }).first().press('Enter')
  await page.getByRole('button', { name: 'Release all of these' }).press('Enter')
  const dialog = page.getByRole('dialog', { name: 'Release what is listed' })
  await dialog.getByRole('button', { name: 'Release' }).press('Enter')
  await expect(dialog.getByRole('status')).toHaveText('3 entries are taken in as 3 events.')
  // What could not be read then is read now, too: each is in the log twice.
  await expect.poll(found).toBe(6)
})

test('nothing there says what would be', async ({ page }) => {
  test.setTimeout(120_000)
  const empty = await begin()
  await page.goto(`${empty.url}/#token=${empty.token}`)
  await expect(page.getByRole('table', { name: 'Incidents' })).toBeVisible()
  await page.goto(empty.url + '/quarantine')
  await expect(page.getByRole('heading', { name: 'Everything that came could be read' })).toBeVisible()
  await page.screenshot({ path: 'shots/quarantine-empty-light-1280.png' })
  await page.goto(empty.url + '/exceptions')
  await expect(page.getByRole('heading', { name: 'No rule has an exception' })).toBeVisible()
  await page.screenshot({ path: 'shots/exceptions-empty-light-1280.png' })
})

test('who may not read it is not led there, and told what it needs', async ({ page }) => {
  const { token } = await api('tokens', { method: 'POST', body: JSON.stringify({ name: 'no-quarantine', roles: ['analyst'] }) })
  await page.goto('/#token=' + token)
  await expect(page.getByRole('banner').getByText('token:no-quarantine')).toBeVisible()
  await page.goto('/sources')
  await expect(page.getByRole('table', { name: 'Sources' })).toBeVisible()
  await expect(page.getByRole('link', { name: 'Quarantine' })).toHaveCount(0)
  await page.goto('/quarantine')
  await expect(page.getByRole('heading', { name: 'The quarantine is not yours to read' })).toBeVisible()
})
