// SPDX-License-Identifier: Apache-2.0
// Looking how far the keys of a rule are: a search, so it is done when somebody asks, and what was found stays until they ask again.
import { get, said } from './api'
import { progress, type Answer, type Progress } from './near'
import { ruleAt } from './routes'

export class Look {
  answer = $state.raw<Answer | null>(null)
  progress = $state.raw<Progress | null>(null)
  // at is when it was asked, as the browser's clock has it.
  at = $state('')
  looking = $state(false)
  error = $state('')
  #end = new AbortController()

  constructor(readonly rule: string) {}

  async again(within: string) {
    if (this.looking) return
    this.looking = true
    try {
      const now = new Date()
      const answer = await get<Answer>(ruleAt(this.rule).slice(1) + '/near', this.#end.signal)
      this.answer = answer
      this.progress = progress(answer, within, now.getTime())
      this.at = now.toISOString()
      this.error = ''
    } catch (e) {
      this.error = said(e)
    }
    this.looking = false
  }

  stop() {
    this.#end.abort()
  }
}
