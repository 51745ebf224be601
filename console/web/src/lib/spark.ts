// SPDX-License-Identifier: Apache-2.0
// When the events of an incident came, as bars: from its first event to its last.
import { millis } from './time'
import type { Incident } from './types'

export const bars = 12

// sparkOf counts the events that a list has of an incident, the earliest of each detection, in equal spans of its time: null if it has less than
// two, or all of one moment.
export function sparkOf(v: Incident): number[] | null {
  const [first, last] = [millis(v.first_event), millis(v.last_event)]
  const seen = new Map((v.detections ?? []).flatMap((d) => (d.evidence ?? []).map((e) => [e.event_id + ' ' + e.time, millis(e.time)] as const)))
  if (seen.size < 2 || !(last > first)) return null
  const out = Array<number>(bars).fill(0)
  for (const at of seen.values()) out[Math.min(bars - 1, Math.max(0, Math.floor(((at - first) / (last - first)) * bars)))]!++
  return out
}

// pathOf draws the bars, each 4 wide with 1 between, up to a height; one with few is seen beside one with many.
export function pathOf(counts: number[], height: number): string {
  const most = Math.max(...counts)
  return counts.map((n, i) => (n ? `M${i * 5} ${height}v${-Math.max(2, Math.round((n / most) * height))}h4v${Math.max(2, Math.round((n / most) * height))}z` : '')).join('')
}
