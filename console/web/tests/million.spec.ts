// SPDX-License-Identifier: Apache-2.0
// How soon the first list is on screen: a measurement, of the store that TOCSIN_MILLION names (docs/performance.md).
import { expect, test } from './fixtures'
import { serve, type Running } from './server'

const times = 20
let server: Running

test.skip(!process.env.TOCSIN_MILLION, 'TOCSIN_MILLION names no store')
test.beforeAll(async () => { server = await serve([], 'metrics  ', { TOCSIN_STORE_URL: process.env.TOCSIN_MILLION! }) })
test.afterAll(async () => { await server?.stop() })

for (const [name, query] of [['open ones', ''], ['everything', '?status=all'], ['critical ones with a technique', '?severity=critical&technique=T1059']] as const) {
  test(`the first list on screen: ${name}`, async ({ browser }) => {
    test.setTimeout(300_000)
    const took: number[] = []
    for (let i = 0; i < times; i++) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 } }) // nothing cached
      const page = await context.newPage()
      await page.addInitScript(() => {
        // The frame after the first row is there.
        const seen = new MutationObserver(() => {
          if (!document.querySelector('table tbody tr')) return
          seen.disconnect()
          requestAnimationFrame(() => requestAnimationFrame(() => { (window as any).firstRow = performance.now() }))
        })
        seen.observe(document, { childList: true, subtree: true })
      })
      await page.goto(`${server.url}/${query}#token=${server.token}`)
      await expect(page.getByRole('table', { name: 'Incidents' }).getByRole('row').nth(1)).toBeVisible()
      took.push(await (await page.waitForFunction(() => (window as any).firstRow as number)).jsonValue())
      await context.close()
    }
    took.sort((a, b) => a - b)
    console.log(`${name}: from the address to the first row p50 ${took[times / 2]!.toFixed(0)} ms, slowest of ${times} ${took[times - 1]!.toFixed(0)} ms`)
  })
}
