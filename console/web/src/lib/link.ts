// SPDX-License-Identifier: Apache-2.0
// nextOf is the path of the next page from a Link header, as the API module takes it. Unlike the cursor alone it has the
// moment that a span such as 24h led to: the cursor belongs to that.
export function nextOf(link: string | null): string {
  return /<\/api\/v1\/([^>]*)>;\s*rel="?next"?/.exec(link ?? '')?.[1] ?? ''
}
