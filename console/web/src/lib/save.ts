// SPDX-License-Identifier: Apache-2.0
// A file that the page made, or fetched with a proof that a plain link would not have.
export function save(name: string, content: Blob) {
  const url = URL.createObjectURL(content)
  const a = document.createElement('a')
  a.href = url
  a.download = name
  a.click()
  URL.revokeObjectURL(url)
}
