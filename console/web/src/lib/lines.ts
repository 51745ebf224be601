// SPDX-License-Identifier: Apache-2.0
// The lines of a stream.

// Lines cuts chunks of text into lines; what has no end yet waits. A line longer than max is given up, and said.
export class Lines {
  #rest = ''
  #skip = false
  constructor(readonly max = 4 << 20) {}

  // push returns the lines that are whole; null stands for one that was too long.
  push(chunk: string): (string | null)[] {
    const parts = (this.#rest + chunk).split('\n')
    this.#rest = parts.pop()!
    const out: (string | null)[] = []
    for (const line of parts) {
      if (this.#skip) this.#skip = false
      else if (line.length > this.max) out.push(null)
      else out.push(line)
    }
    if (this.#rest.length > this.max) {
      if (!this.#skip) out.push(null)
      this.#skip = true
      this.#rest = ''
    }
    return out
  }
}
