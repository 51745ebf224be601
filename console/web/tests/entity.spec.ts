// SPDX-License-Identifier: Apache-2.0
// What is known of an entity: risk, incidents, neighbours, violations.
import { expect, test } from './fixtures'
import { attack, decided, post, violation } from './records'

test('a pod: its risk over time, who was in its incidents, and the policies that it violates', async ({ signedIn: page }) => {
  await post('kyverno', violation('shop', 'cart-6f7d-lq2mz', 'require-limits'))
  await post('kyverno', violation('shop', 'cart-6f7d-other', 'somebody-elses'))
  await decided()
  await page.goto('/entities/pod/shop%2Fcart-6f7d-lq2mz')
  await expect(page.getByRole('img', { name: /^Risk, 0 to 100: 30 days ago 0, now [\d.]+, at most [\d.]+ on \d{4}-/ })).toBeVisible()
  await expect(page.getByRole('main')).toContainText(/Incidents\s*\d+ open of \d+/)
  const found = page.getByRole('table', { name: 'Policy violations' })
  await expect(found.getByRole('row', { name: /require-limits: check/ })).toContainText('require-limits is not kept')
  await expect(found).not.toContainText('somebody-elses')
  await expect(page.getByRole('region', { name: 'Policy violations' }).getByRole('status')).toHaveText('That is all in the events that are kept.')
  await page.getByRole('table', { name: /^Incidents/ }).getByRole('link').first().press('Enter')
  await expect(page.getByRole('region', { name: 'Why it fired' })).toBeVisible()
})

test('a neighbour leads on, and who is in no incident is said to be in none', async ({ signedIn: page }) => {
  const made = await attack('xenia')
  const ip = made.entities.find((e: any) => e.type === 'ip').name
  await page.goto('/entities/user/xenia')
  const met = page.getByRole('table', { name: 'Neighbours' })
  await expect(met.getByRole('row', { name: new RegExp(`^ip ${ip} 1`) })).toBeVisible()
  await expect(page.getByRole('region', { name: 'Policy violations' })).toHaveCount(0)
  await met.getByRole('link', { name: ip }).press('Enter')
  await expect(page).toHaveURL('/entities/ip/' + ip)
  await expect(met.getByRole('link', { name: 'xenia' })).toBeVisible()
  await page.goto('/entities/user/nobody-at-all')
  await expect(page.getByText('No incident is about it.')).toBeVisible()
})
