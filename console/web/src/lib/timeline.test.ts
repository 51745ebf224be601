// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { layout, type Point } from './timeline'

const at = (...times: number[]): Point[] => times.map((t, i) => ({ id: 'e' + i, at: t, lane: 'falco', step: 's' }))
const dots = (p: Point[], width = 1000) => layout(p, width).lanes.flatMap((l) => l.dots)

describe('the picture', () => {
  it('has a lane per source, in the order in which they come in', () => {
    const p = at(0, 5000, 9000)
    p[1]!.lane = 'audit'
    expect(layout(p, 1000).lanes.map((l) => l.name)).toEqual(['falco', 'audit'])
  })
  it('goes from the first to the last event, and time only forward', () => {
    const l = layout(at(0, 1000, 2000, 500_000, 501_000), 900)
    expect(l.xOf(0)).toBe(0)
    expect(l.xOf(501_000)).toBeCloseTo(900)
    let before = -1
    for (let t = 0; t <= 501_000; t += 500) {
      expect(l.xOf(t)).toBeGreaterThanOrEqual(before)
      before = l.xOf(t)
    }
  })
  it('folds a long silence, and says how long it was', () => {
    const l = layout(at(0, 1000, 2000, 3000, 3_600_000, 3_601_000), 900)
    expect(l.folds).toHaveLength(1)
    expect(l.folds[0]!.ms).toBe(3_597_000)
    expect(l.folds[0]!.x1 - l.folds[0]!.x0).toBeCloseTo(46)
  })
  it('folds nothing when everything is as far apart', () => {
    expect(layout(at(0, 2000, 4000, 6000, 9000), 900).folds).toEqual([])
    expect(layout(at(0, 1000, 2000, 3000, 4000, 6500), 900).folds).toEqual([])
    expect(layout(at(0, 60_000), 900).folds).toEqual([])
  })
  it('draws events that would hide each other as one, and loses none', () => {
    const p = at(...Array.from({ length: 500 }, (_, i) => i))
    const d = dots(p)
    expect(d.length).toBeLessThan(80)
    expect(d.flatMap((x) => x.points)).toHaveLength(500)
  })
  it('sets steps at the same time side by side, within the picture', () => {
    const p = at(0, 1000, 1000, 1000)
    p.forEach((q, i) => { q.step = 's' + i })
    const d = dots(p, 200)
    expect(d).toHaveLength(4)
    for (const [i, x] of d.entries()) {
      expect(x.x).toBeLessThanOrEqual(200)
      if (i) expect(x.x - d[i - 1]!.x).toBeGreaterThanOrEqual(16.9)
    }
  })
  it('puts a single moment in the middle, and nothing at all nowhere', () => {
    expect(dots(at(7), 300)[0]!.x).toBe(150)
    expect(layout([], 300)).toMatchObject({ lanes: [], folds: [], ticks: [] })
  })
  it('has labels that have room', () => {
    for (const times of [[0, 1, 2], [0, 1000, 90_000_000, 90_001_000, 180_000_000], [5]]) {
      const { ticks } = layout(at(...times), 400)
      ticks.forEach((t, i) => { if (i) expect(t.x - ticks[i - 1]!.x).toBeGreaterThanOrEqual(84) })
    }
  })
})
