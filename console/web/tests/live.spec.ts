// SPDX-License-Identifier: Apache-2.0
// The list changes as the server tells of it: nothing is asked again and again.
import type { Page, Request } from '@playwright/test'
import { expect, row, test } from './fixtures'
import { api, attack, login, post } from './records'

const isStream = (r: Request) => r.url().includes('/incidents/stream')
const pill = (page: Page) => page.getByRole('button', { name: /^\d+ new$/ })

// hide has the page believe that nobody looks at it, or somebody does again.
const hide = (page: Page, on: boolean) => page.evaluate((on) => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => on })
  document.dispatchEvent(new Event('visibilitychange'))
}, on)

test('a row takes on what is new of it, and is pale when it is gone', async ({ signedIn: page }) => {
  const made = await attack('runa')
  await page.goto('/?entity=user:runa')
  await expect(row(page, 'runa')).toHaveCount(1)
  const asked: string[] = []
  page.on('request', (r) => { if (/\/incidents\?/.test(r.url())) asked.push(r.url()) })
  await api('incidents/bulk', { method: 'POST', body: JSON.stringify({ ids: [made.id], assignee: 'olga' }) })
  await expect(row(page, 'runa')).toContainText('olga')
  await api(`incidents/${made.id}/close`, { method: 'POST', body: JSON.stringify({ verdict: 'benign' }) })
  await expect(row(page, 'runa')).toContainText('no longer in this view')
  expect(asked).toEqual([])
})

test('a whole is told of when a part of it changes', async ({ signedIn: page }) => {
  const [whole, part] = [await attack('stig'), await attack('svea')]
  await api(`incidents/${part.id}/merge`, { method: 'POST', body: JSON.stringify({ into: whole.id }) })
  await page.goto('/?entity=user:stig')
  const events = row(page, 'stig').getByRole('cell', { name: String(whole.event_count + part.event_count), exact: true })
  await expect(events).toHaveCount(1)
  const asked: string[] = []
  page.on('request', (r) => { if (/\/incidents\?/.test(r.url())) asked.push(r.url()) })
  await post('vector', login('svea', part.key['source.ip'])) // to the part, which is no row of its own
  await expect(events).toHaveCount(0)
  await expect(row(page, 'stig')).toHaveCount(1)
  expect(asked).toEqual([])
})

test('a page that nobody sees has no stream, and goes on from where it was', async ({ signedIn: page }) => {
  const ended = page.waitForEvent('requestfailed', isStream)
  await hide(page, true)
  await ended
  await attack('moa')
  await expect(pill(page)).toHaveCount(0)
  const asked: string[] = []
  page.on('request', (r) => { if (/\/incidents\?/.test(r.url())) asked.push(r.url()) })
  const again = page.waitForRequest(isStream)
  await hide(page, false)
  expect((await again).headers()['last-event-id']).toMatch(/^\d+\./)
  await expect(pill(page)).toBeVisible()
  expect(asked).toEqual([])
  await page.keyboard.press('r')
  await expect(row(page, 'moa')).toHaveCount(1)
})

test('where something is missing the list is read again', async ({ signedIn: page }) => {
  const ended = page.waitForEvent('requestfailed', isStream)
  await hide(page, true)
  await ended
  await attack('nils')
  // The place is of another store, as after a restore: the server says that there is a gap.
  await page.route('**/incidents/stream*', (r) => r.continue({ headers: { ...r.request().headers(), 'last-event-id': '9223372036854775806.' } }))
  await hide(page, false)
  await expect(pill(page)).toBeVisible()
  await pill(page).click()
  await expect(row(page, 'nils')).toHaveCount(1)
})

test('who has too many streams is told so, has the list, and is live as soon as one is free', async ({ page }) => {
  const { token } = await api('tokens', { method: 'POST', body: JSON.stringify({ name: 'many-streams', roles: ['viewer'] }) })
  const end = new AbortController()
  const taken = Array.from({ length: 16 }, () => fetch(process.env.TOCSIN_URL + '/api/v1/incidents/stream', { headers: { Authorization: 'Bearer ' + token }, signal: end.signal }))
  expect((await Promise.all(taken)).map((r) => r.status)).toEqual(Array(16).fill(200))
  await page.goto('/#token=' + token)
  await expect(page.getByText(/^Not live: you follow 16 streams already/)).toBeVisible()
  await expect(page.getByRole('table', { name: 'Incidents' })).toBeVisible()
  await attack('otto')
  await expect(pill(page)).toBeVisible({ timeout: 30_000 })
  end.abort()
  await expect(page.getByText(/^Not live/)).toHaveCount(0, { timeout: 30_000 })
})
