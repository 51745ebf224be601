// SPDX-License-Identifier: Apache-2.0
// Times as people read them. The API's are RFC 3339 with up to nine digits and Z.

const units: [number, string][] = [[86_400, 'd'], [3600, 'h'], [60, 'm'], [1, 's']]

// span is a length of time in its two greatest units: "2h 5m"; seconds below a minute.
export function span(ms: number): string {
  let s = Math.max(0, Math.round(ms / 1000))
  const out: string[] = []
  for (const [size, unit] of units) {
    const n = Math.floor(s / size)
    s -= n * size
    if (n > 0) out.push(n + unit)
    else if (out.length) break
    if (out.length === 2) break
  }
  return out.join(' ') || (ms > 0 && ms < 500 ? `${Math.max(1, Math.round(ms))}ms` : '0s')
}

// age is a length of time in its greatest unit: what a narrow column has room for. From two years on that is years.
export function age(ms: number): string {
  const years = Math.floor(ms / (365.25 * 86_400_000))
  if (years > 1) return years + 'y'
  return ms < 1000 ? 'now' : span(ms).split(' ')[0]!
}

// goSpan is a length as Go writes it, without its zeros: 1h0m0s is 1h.
export const goSpan = (s: string) => s.replace(/(?<=[hm])0[ms]/g, '') || s

export const millis = (stamp: string | null | undefined) => (stamp ? Date.parse(stamp) : NaN)

// ago is a span back, without fractions of seconds, which would flicker.
export const ago = (ms: number) => (ms < 2000 ? 'now' : span(ms) + ' ago')

const two = (n: number) => String(n).padStart(2, '0')

// stamp writes a time to the second, in UTC (with Z) or as the browser's clock has it.
export function stamp(at: string | null | undefined, utc: boolean): string {
  const t = millis(at)
  if (Number.isNaN(t)) return ''
  if (utc) return new Date(t).toISOString().slice(0, 19).replace('T', ' ') + 'Z'
  const d = new Date(t)
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`
}

// clockOf is the time of day of a stamp, with thousandths if it has them.
export function clockOf(at: string | number, utc: boolean): string {
  const d = new Date(at)
  const ms = d.getMilliseconds()
  const tail = ms ? '.' + String(ms).padStart(3, '0') : ''
  return utc
    ? d.toISOString().slice(11, 19) + tail
    : `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}${tail}`
}
