// SPDX-License-Identifier: Apache-2.0
// What docs/quickstart.md says to press, on a server as `make run` starts it. The pictures are in shots/quickstart; those of the page
// are taken anew with TOCSIN_PICTURES=1.
import { expect, row, test } from './fixtures'
import { demo, type Running } from './server'

let server: Running
test.beforeAll(async () => { server = await demo() })
test.afterAll(async () => { await server.stop() })

test('the quickstart, with its pictures', async ({ page }) => {
  const folder = process.env.TOCSIN_PICTURES ? '../../docs/quickstart' : 'shots/quickstart'
  const picture = (name: string) => page.screenshot({ path: `${folder}/${name}.png` })
  await page.emulateMedia({ colorScheme: 'light' })

  await page.goto(`${server.url}/#token=${server.token}`)
  const rows = page.getByRole('table', { name: 'Incidents' }).locator('tbody').getByRole('row')
  await expect(rows).toHaveCount(3)
  await expect(page.getByText('all decided')).toBeVisible()
  await picture('list')

  const ana = row(page, 'Password of ana')
  for (let n = 0; n < 3 && !(await ana.evaluate((e) => e === document.activeElement)); n++) await page.keyboard.press('j')
  await expect(ana).toBeFocused()
  await page.keyboard.press('o')
  const preview = page.getByRole('complementary', { name: 'Preview' })
  await expect(preview).toContainText("Ask the account's owner")
  await expect(preview.getByRole('group', { name: 'Timeline: vector' }).getByRole('link').first()).toBeVisible()
  await picture('preview')

  await page.keyboard.press('Enter')
  await expect(page.getByRole('region', { name: 'Why it fired' }).getByRole('listitem')).toHaveCount(2)
  await expect(page.getByRole('table', { name: 'Evidence' }).getByRole('row')).toHaveCount(1 + 6)
  await expect(page.getByRole('heading', { name: 'Beside it' })).toBeVisible()
  await picture('incident')

  const messages = page.getByRole('status', { name: 'Messages' })
  await page.keyboard.press('a')
  await expect(messages).toContainText(/in progress|acknowledged/i)
  await page.keyboard.press('c')
  await page.keyboard.press('t')
  await expect(messages).toContainText('Closed: true positive')
  await expect(page.getByRole('region', { name: 'What was done' })).toContainText('true positive')
  await picture('closed')
  await page.keyboard.press('u')
  await expect(rows).toHaveCount(2)
})
