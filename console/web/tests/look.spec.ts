// SPDX-License-Identifier: Apache-2.0
// Every page: no violation that axe knows of, nothing wider than the window, in dark and light, at both widths. The
// pictures are in shots/.
import AxeBuilder from '@axe-core/playwright'
import { expect, test } from './fixtures'
import { api, decided, login, post, violation } from './records'

const pages: [string, () => Promise<string>, RegExp | string, string][] = [
  ['incidents', async () => '/', 'Incidents · Tocsin', 'container-takeover'],
  ['incident', async () => '/incidents/' + (await api('incidents?q=ana&limit=1')).items[0].id, /ana/, 'Why it fired'],
  ['takeover', async () => '/incidents/' + (await api('incidents?rule=container-takeover&limit=1')).items[0].id, /Intruder/, 'Why it fired'],
  ['rules', async () => '/rules', 'Rules · Tocsin', 'brute-force-then-login'],
  ['rule', async () => {
    await post('vector', login('noor', '203.0.113.58').slice(0, 4))
    await decided()
    return '/rules/brute-force-then-login'
  }, /Tocsin/, 'user.name = noor'],
  ['entity', async () => {
    await post('kyverno', violation('billing', 'ledger-58c9-0x1yz', 'disallow-privileged-containers'))
    return '/entities/pod/billing%2Fledger-58c9-0x1yz'
  }, /Tocsin/, 'disallow-privileged-containers is not kept'],
  ['bench', async () => '/bench?rule=brute-force-then-login', 'Bench · Tocsin', 'tests pass'],
  ['exceptions', async () => '/exceptions', 'Exceptions · Tocsin', 'robot-backup'],
  ['draft', async () => '/exceptions/new?incident=' + (await api('incidents?q=ana&limit=1')).items[0].id, 'Draft of an exception · Tocsin', 'source.ip =='],
  ['attack', async () => '/attack', 'ATT&CK · Tocsin', 'T1110'],
  ['sources', async () => '/sources', 'Sources · Tocsin', 'node-a'],
  ['quarantine', async () => '/quarantine', 'Quarantine · Tocsin', 'nonsense{'],
  ['alerts', async () => '/alerts', 'Alerts · Tocsin', 'given up'],
  ['tail', async () => '/tail', 'Live tail · Tocsin', 'connected'],
  ['audit', async () => { await api('rules/reload', { method: 'POST' }); return '/audit' }, 'Audit · Tocsin', 'reload-rules'],
  ['status', async () => '/status', 'Status · Tocsin', 'Partitions owned'],
  ['nothing', async () => '/?q=nothing-is-like-this', 'Incidents · Tocsin', 'No incident is like this'],
]

for (const [name, address, title, ready] of pages) {
  for (const scheme of ['dark', 'light'] as const) {
    test(`${name} in ${scheme}`, async ({ signedIn: page }) => {
      await page.emulateMedia({ colorScheme: scheme })
      for (const width of [1280, 1920]) {
        await page.setViewportSize({ width, height: width === 1280 ? 800 : 1080 })
        await page.goto(await address())
        await expect(page).toHaveTitle(title)
        if (name === 'tail') {
          await expect(page.getByText('connected;')).toBeVisible()
          await post('vector', login('gita', '203.0.113.77'))
          await expect(page.getByRole('cell', { name: 'login success for gita, attempt 6' })).toBeVisible()
        }
        if (name === 'incident') {
          await page.getByRole('button', { name: /^Details of worked/ }).click()
          await page.getByRole('button', { name: 'Who else is on their way?' }).click()
          await expect(page.getByRole('link', { name: 'the keys' })).toBeVisible()
        }
        await expect(page.getByText(/all decided|messages wait/)).toBeVisible()
        await expect(page.getByText(ready).first()).toBeVisible()
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
        expect(over, `${name} is wider than ${width} px`).toBeLessThanOrEqual(0)
        await page.screenshot({ path: `shots/${name}-${scheme}-${width}.png` })
      }
      // All of it, so that no link is cut by the edge of the window and judged by what is left.
      await page.setViewportSize({ width: 1920, height: Math.max(1080, await page.evaluate(() => document.documentElement.scrollHeight)) })
      const found = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze()
      expect(found.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 4).join('; ')}`)).toEqual([])
    })
  }
}

test('the sign-in, the preview, the dialogs and the help', async ({ page }) => {
  const check = async (name: string) => {
    for (const scheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme: scheme })
      await page.screenshot({ path: `shots/${name}-${scheme}-1280.png` })
      const found = await new AxeBuilder({ page }).analyze()
      expect(found.violations.map((v) => `${name} ${scheme} ${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join('; ')}`)).toEqual([])
    }
  }
  await page.goto('/')
  await expect(page.getByLabel('Token', { exact: true })).toBeFocused()
  await check('sign-in')
  await page.getByLabel('Token', { exact: true }).fill(process.env.TOCSIN_TOKEN!)
  await page.getByRole('button', { name: 'Open' }).click()
  await expect(page.getByRole('table', { name: 'Incidents' })).toBeVisible()
  await page.goto('/?q=brute-force-then-login')
  await expect(page.getByRole('table', { name: 'Incidents' })).toBeVisible()
  await page.keyboard.press('j')
  await page.keyboard.press('o')
  await expect(page.getByRole('complementary', { name: 'Preview' }).getByRole('group', { name: /^Timeline/ })).toBeVisible()
  await check('preview')
  await page.keyboard.press('c')
  await expect(page.getByRole('dialog', { name: 'Close with a verdict' })).toBeVisible()
  await check('close')
  await page.keyboard.press('Escape')
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog', { name: 'Keys' })).toContainText('Next incident')
  await check('help')
  await page.keyboard.press('Escape')
  await page.getByRole('complementary', { name: 'Preview' }).getByRole('button', { name: /^203/ }).first().click()
  await expect(page.getByRole('dialog', { name: 'source.ip: where else?' })).toBeVisible()
  await check('value')
})
