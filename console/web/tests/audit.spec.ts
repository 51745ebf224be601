// SPDX-License-Identifier: Apache-2.0
// Who did what: the audit log's page.
import { expect, test } from './fixtures'
import { api, attack } from './records'

test('an act is found by who, what and result, and leads to its incident', async ({ signedIn: page }) => {
  const made = await attack('vera')
  await api(`incidents/${made.id}/close`, { method: 'POST', body: JSON.stringify({ verdict: 'benign' }) })
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Audit' }).press('Enter')
  await expect(page).toHaveURL('/audit')
  const log = page.getByRole('table', { name: 'Audit log' })
  const act = log.getByRole('row').filter({ hasText: `/api/v1/incidents/${made.id}/close` })
  await expect(act).toContainText('admin')
  await expect(act).toContainText('done')
  await page.getByLabel('Did').fill('close-incident')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL('/audit?operation=close-incident')
  await expect(log.getByRole('row').nth(1)).toContainText('close-incident')
  await expect(log.getByRole('link', { name: 'reload-rules' })).toHaveCount(0)
  await page.getByLabel('Time').selectOption('Last hour')
  await expect(page).toHaveURL('/audit?operation=close-incident&since=1h')
  await act.getByRole('link', { name: /incidents/ }).click()
  await expect(page).toHaveURL('/incidents/' + made.id)
  await page.goto('/audit?actor=nobody-of-that-name')
  await expect(page.getByRole('heading', { name: 'No entry is like this' })).toBeVisible()
})

test('older entries are fetched on demand, each once, with a span back, too', async ({ signedIn: page }) => {
  const none = '0'.repeat(31)
  for (let i = 0; i < 60; i++) {
    await expect(api(`incidents/${none}1/close`, { method: 'POST', body: JSON.stringify({ verdict: 'benign' }) })).rejects.toThrow('404')
  }
  await page.goto('/audit?outcome=failed&operation=close-incident&since=24h')
  const rows = page.getByRole('table', { name: 'Audit log' }).getByRole('row').filter({ hasText: none })
  await expect(rows).toHaveCount(50)
  // Twice at once, and on the button itself: a second press of the mouse would meet what came in its place.
  await page.getByRole('button', { name: 'Older entries' }).evaluate((b: HTMLElement) => { b.click(); b.click() })
  await expect(rows).toHaveCount(60)
  await expect(page.getByRole('alert')).toHaveCount(0)
})

test('what is in the tree is said, with when it was verified, and what does not verify in red', async ({ signedIn: page }) => {
  const made = await attack('tree')
  await api(`incidents/${made.id}/close`, { method: 'POST', body: JSON.stringify({ verdict: 'benign' }) })
  let answer = () => {}
  const asked = new Promise<void>((go) => { answer = go })
  await page.route('**/api/v1/audit/checkpoint', async (r) => { await asked; await r.continue() })
  await page.goto('/audit')
  const log = page.getByRole('table', { name: 'Audit log' })
  await expect(log).toBeVisible()
  const place = await log.boundingBox()
  answer()
  // When is beside what is announced: it counts on each second.
  await expect(page.getByText(/^\s*Checkpoint of \d+ entr(y|ies), verified (just now|.+ ago)\s*$/)).toBeVisible()
  await expect(page.getByRole('status').filter({ hasText: /^Checkpoint of \d+ entr(y|ies), verified$/ })).toBeVisible()
  expect(await log.boundingBox()).toEqual(place)
  const at = await api('audit/checkpoint')
  await page.route('**/api/v1/audit/checkpoint', (r) => r.fulfill({ json: { ...at, problem: 'entry 7, place 6 in the tree, is not what it was when it entered' } }))
  await page.getByRole('button', { name: 'Read again' }).click()
  await expect(page.getByRole('alert')).toHaveText(/^The audit log does not verify: entry 7, .* when it entered$/)
  expect(await log.boundingBox()).toEqual(place)
  await page.screenshot({ path: 'shots/audit-problem.png' })
  // What is known to be wrong is not hidden by a server that is away.
  await page.route('**/api/v1/audit/checkpoint', (r) => r.fulfill({ status: 429, json: { detail: 'too many requests' } }))
  await page.getByRole('button', { name: 'Read again' }).click()
  await expect(page.getByText('too many requests')).toBeVisible()
  await expect(page.getByRole('alert')).toContainText('entry 7')
})

test('an evidence bundle is saved from its incident', async ({ signedIn: page }) => {
  const made = await attack('buna')
  await page.goto('/incidents/' + made.id)
  const coming = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Evidence bundle' }).click()
  expect((await coming).suggestedFilename()).toBe(`evidence-${made.id.slice(0, 8)}.tar.gz`)
})

test('who may not read it is not led there, and told what it needs', async ({ page }) => {
  const { token } = await api('tokens', { method: 'POST', body: JSON.stringify({ name: 'looks-only', roles: ['viewer'] }) })
  await page.goto('/#token=' + token)
  await expect(page.getByRole('banner').getByText('token:looks-only')).toBeVisible()
  await expect(page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Audit' })).toHaveCount(0)
  await page.goto('/audit')
  await expect(page.getByRole('heading', { name: 'The audit log is not yours to read' })).toBeVisible()
})
