// SPDX-License-Identifier: Apache-2.0
// What the server says of a rule file while it is written.
import { ask, Problem, said } from './api'
import { most, type Check } from './bench'

export class Checker {
  check = $state.raw<Check | null>(null)
  error = $state('')
  busy = $state(false)

  // forget drops what was said of another text.
  forget() {
    this.check = null
    this.error = ''
  }

  // after has a text checked once there is a pause in writing; what it returns calls that off, and the answer to a text that is
  // no longer there with it.
  after(text: string): () => void {
    const end = new AbortController()
    const run = async () => {
      if (text.length > most) {
        this.check = null
        this.error = `A rule file that is checked here has at most ${most.toLocaleString('en')} characters, this one has ${text.length.toLocaleString('en')}: make several of it.`
        return
      }
      this.busy = true
      try {
        this.check = (await ask<Check>('rules/check', { method: 'POST', body: { rule: text }, signal: end.signal })).data
        this.error = ''
      } catch (e) {
        if (end.signal.aborted) return
        this.check = null
        this.error = said(e)
        if (e instanceof Problem && (e.status === 503 || e.status === 0)) timer = setTimeout(run, 3000)
      } finally {
        if (!end.signal.aborted) this.busy = false
      }
    }
    let timer = setTimeout(run, 350)
    return () => { clearTimeout(timer); end.abort() }
  }
}
