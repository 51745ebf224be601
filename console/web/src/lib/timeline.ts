// SPDX-License-Identifier: Apache-2.0
// Where the events of an incident stand on the picture: a lane per source, time from left to right, long silences
// folded, events that would hide each other drawn as one.

export interface Point { id: string; at: number; lane: string; step: string }

export interface Dot { x: number; step: string; points: Point[] }
export interface Lane { name: string; dots: Dot[] }
// A fold is a silence that is drawn short; it stands between x0 and x1 and lasted `ms`.
export interface Fold { x0: number; x1: number; ms: number }
export interface Tick { x: number; at: number }

export interface Layout {
  lanes: Lane[]
  folds: Fold[]
  ticks: Tick[]
  // xOf is where a time stands.
  xOf(at: number): number
}

const foldWidth = 46
const apart = 17 // two dots nearer than this would touch

// layout places points on a picture of this width.
export function layout(points: Point[], width: number): Layout {
  const sorted = [...points].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1))
  const times = [...new Set(sorted.map((p) => p.at))]
  const { xOf, folds } = scale(times, width)

  const lanes = new Map<string, Dot[]>()
  for (const p of sorted) {
    if (!lanes.has(p.lane)) lanes.set(p.lane, [])
    const dots = lanes.get(p.lane)!
    const last = dots.at(-1)
    const x = xOf(p.at)
    if (last && x - last.x < apart) {
      if (last.step === p.step) {
        last.points.push(p)
        continue
      }
      dots.push({ x: last.x + apart, step: p.step, points: [p] })
      continue
    }
    dots.push({ x, step: p.step, points: [p] })
  }
  // What was pushed aside must not leave the picture.
  for (const dots of lanes.values()) {
    let limit = width
    for (let i = dots.length - 1; i >= 0 && dots[i]!.x > limit; i--) {
      dots[i]!.x = limit
      limit -= apart
    }
  }
  return { lanes: [...lanes].map(([name, dots]) => ({ name, dots })), folds, ticks: ticks(times, folds, xOf, width), xOf }
}

// scale maps times to places. A silence is folded if it is more than a fifth of the whole and much longer than what is
// usual between two events, and if something is left to stretch.
function scale(times: number[], width: number): { xOf: (at: number) => number; folds: Fold[] } {
  const first = times[0] ?? 0
  const last = times.at(-1) ?? 0
  if (first === last) return { xOf: () => width / 2, folds: [] }
  const gaps = times.slice(1).map((t, i) => ({ from: times[i]!, to: t, ms: t - times[i]! }))
  const usual = gaps.map((g) => g.ms).sort((a, b) => a - b)[Math.floor(gaps.length / 2)]!
  let long = gaps.filter((g) => g.ms > (last - first) / 5 && g.ms > 4 * usual)
  if (long.length === gaps.length) long = []
  const stretch = (width - long.length * foldWidth) / (last - first - long.reduce((sum, g) => sum + g.ms, 0))
  const xOf = (at: number) => {
    const t = Math.min(Math.max(at, first), last)
    let x = (t - first) * stretch
    for (const g of long) {
      const inside = Math.min(Math.max(t - g.from, 0), g.ms)
      x += (inside / g.ms) * foldWidth - inside * stretch
    }
    return x
  }
  return { xOf, folds: long.map((g) => ({ x0: xOf(g.from), x1: xOf(g.to), ms: g.ms })) }
}

const labelWidth = 84

// ticks are the first and the last time, and where a stretch begins after a fold, as far as their labels have room.
function ticks(times: number[], folds: Fold[], xOf: (at: number) => number, width: number): Tick[] {
  if (!times.length) return []
  const of = (at: number): Tick => ({ x: xOf(at), at })
  const first = of(times[0]!)
  const last = of(times.at(-1)!)
  if (last.x - first.x < labelWidth) return [first]
  const out = [first]
  for (const f of folds) {
    const at = times.find((t) => Math.abs(xOf(t) - f.x1) < 0.01)
    if (at === undefined) continue
    const t = of(at)
    // The ends stand beside their place, those between around it.
    if (t.x - out.at(-1)!.x > labelWidth * 1.5 && Math.min(last.x, width) - t.x > labelWidth * 1.5) out.push(t)
  }
  return [...out, last]
}
