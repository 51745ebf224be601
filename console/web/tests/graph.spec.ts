// SPDX-License-Identifier: Apache-2.0
// Who met whom, and when.
import AxeBuilder from '@axe-core/playwright'
import { readFileSync } from 'node:fs'
import { expect, test } from './fixtures'
import { api, decided, login, post, shell } from './records'

test('the picture of an attack goes back and forth in time, by keyboard, and is saved as it is', async ({ signedIn: page }) => {
  const records = login('yrsa', '203.0.113.60')
  records[5] = records[5]!.replace('"node-a"', '"node-z"')
  await post('vector', records)
  await decided()
  const { items } = await api('incidents?entity=user:yrsa')
  await page.goto('/incidents/' + items[0].id)
  const graph = page.getByRole('region', { name: /^Who met whom/ })
  const time = graph.getByRole('slider', { name: 'Until' })
  const last = graph.getByRole('link', { name: 'host node-z' })
  await expect(time).toHaveAttribute('aria-valuetext', /, 4 of 4 entities$/)
  await expect(last).toBeVisible()
  await time.focus() // the page is where it will be
  const place = await graph.getByRole('link', { name: 'host node-a' }).boundingBox()
  await time.press('Home')
  await expect(time).toHaveAttribute('aria-valuetext', /, 3 of 4 entities$/)
  await expect(last).toHaveCount(0)
  expect(await graph.getByRole('link', { name: 'host node-a' }).boundingBox()).toEqual(place)
  await graph.screenshot({ path: 'shots/graph-1280.png' })
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme })
    expect((await new AxeBuilder({ page }).include('section[aria-labelledby=h-graph]').analyze()).violations).toEqual([])
  }

  const download = page.waitForEvent('download')
  await graph.getByRole('button', { name: 'Save as SVG' }).press('Enter')
  const svg = readFileSync(await (await download).path(), 'utf8')
  expect(svg).toMatch(/<a [^>]*host node-z[^>]*visibility="hidden"/)
  expect(svg).toMatch(/<a [^>]*host node-a[^>]*visibility="visible"/)
  await time.press('End')
  await expect(last).toBeVisible()
})

test('what joins two has the colour of its tactic, and a legend says which', async ({ signedIn: page }) => {
  const records = shell('tactics', 'web-3')
  records[2] = records[2]!.replace('"root"', '"www-data"').replace('"node-b"', '"node-y"') // who joins nobody whom the others do
  await post('falco', records)
  await decided()
  const { items } = await api('incidents?entity=pod:tactics/web-3')
  await page.goto('/incidents/' + items[0].id)
  const graph = page.getByRole('region', { name: /^Who met whom/ })
  const legend = graph.getByRole('list', { name: 'Tactics' }).getByRole('listitem')
  await expect(legend).toHaveText(['Execution', 'Credential access', 'Impact'])
  // What is not met yet has its place all the same.
  const time = graph.getByRole('slider', { name: 'Until' })
  const height = async () => (await graph.boundingBox())!.height
  const size = await height()
  await time.press('Home')
  await expect(legend).toHaveText(['Execution', 'Credential access'])
  await expect(graph.getByRole('list', { name: 'Tactics' }).locator('li')).toHaveText(['Execution', 'Credential access', 'Impact'])
  expect(await height()).toBe(size)
  await time.press('End')
  await expect(legend).toHaveCount(3)
  const edge = graph.locator('path.edge').filter({ hasText: 'Impact' }).first()
  const drawn = (e: Element) => getComputedStyle(e, e.localName === 'li' ? '::before' : null)[e.localName === 'li' ? 'backgroundColor' : 'stroke']
  expect(await edge.evaluate(drawn)).toBe(await legend.last().evaluate(drawn))
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme })
    await graph.screenshot({ path: `shots/graph-tactics-${colorScheme}.png` })
    expect((await new AxeBuilder({ page }).include('section[aria-labelledby=h-graph]').analyze()).violations).toEqual([])
  }
})
