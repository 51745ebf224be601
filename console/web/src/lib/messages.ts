// SPDX-License-Identifier: Apache-2.0
// Server-sent events, from the lines of one connection.

// Message has an id if it says where to go on, and no data if that is all that it says.
export interface Message { id: string; event: string; data: string }

export class Messages {
  #now: Message = { id: '', event: '', data: '' }
  #cut = false

  // push takes a line and returns the message that it ends. One that was too long to read is a gap.
  push(line: string | null): Message | null {
    if (line === null) {
      this.#cut = true
      return null
    }
    if (line !== '') {
      const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line)!
      if (name === 'id' || name === 'event' || name === 'data') this.#now[name] = value!
      return null
    }
    const m = this.#cut ? { id: this.#now.id, event: 'gap', data: '{}' } : this.#now
    this.#now = { id: '', event: '', data: '' }
    this.#cut = false
    return m.id || m.event || m.data ? m : null
  }
}
