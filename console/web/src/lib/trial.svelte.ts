// SPDX-License-Identifier: Apache-2.0
// One backtest at a time: begun, watched, cancelled. Who leaves the page cancels it.
import { ask, get, said } from './api'
import type { Job } from './bench'
import type { Incident, Page } from './types'

const pause = 400
const wait = (ms: number) => new Promise((f) => setTimeout(f, ms))

class Trial {
  job = $state.raw<Job | null>(null)
  // text is what it is a trial of.
  text = $state('')
  error = $state('')
  starting = $state(false)
  // made are incidents that there are, of the same rules and time.
  made = $state.raw<Incident[]>([])
  readonly running = $derived(this.starting || this.job?.state === 'waiting' || this.job?.state === 'running')
  #turn = 0

  async start(text: string, since: string) {
    const turn = ++this.#turn
    this.starting = true
    this.error = ''
    this.job = null
    this.text = text
    try {
      let job = (await ask<Job>('backtests', { method: 'POST', body: { rule: text, since, compare: true } })).data
      if (turn !== this.#turn) return void this.#drop(job.id)
      this.starting = false
      this.job = job
      while (job.state === 'waiting' || job.state === 'running') {
        await wait(pause)
        if (turn !== this.#turn) return
        job = await get<Job>('backtests/' + encodeURIComponent(job.id))
        if (turn !== this.#turn) return
        if (job.state === 'done') this.made = await this.#there(job.rules ?? [], since)
        if (turn !== this.#turn) return
        this.job = job
      }
      if (job.state === 'failed') this.error = 'The backtest failed: ' + (job.error || 'the server does not say why') + '.'
    } catch (e) {
      if (turn !== this.#turn) return
      const left = this.job
      this.job = null
      this.error = said(e)
      if (left) void this.#drop(left.id) // nobody would see what comes of it
    } finally {
      if (turn === this.#turn) this.starting = false
    }
  }

  // What there is of the rules is a help and no more: without it there are no links.
  async #there(rules: string[], since: string): Promise<Incident[]> {
    const pages = await Promise.all(rules.slice(0, 20).map((rule) =>
      get<Page<Incident>>('incidents?' + new URLSearchParams({ rule, since, limit: '500' })).catch(() => null)))
    return pages.flatMap((p) => p?.items ?? [])
  }

  async cancel() {
    if (this.starting) this.stop()
    else if (this.job) await this.#drop(this.job.id)
  }

  // stop forgets a trial; one that runs is cancelled.
  stop() {
    this.#turn++
    if (this.job && this.running) void this.#drop(this.job.id)
    this.starting = false
    this.job = null
    this.error = ''
  }

  // Who began the job may be gone before it is known: it is cancelled then, too.
  async #drop(id: string) {
    await ask('backtests/' + encodeURIComponent(id), { method: 'DELETE' }).catch((e) => { if (this.job?.id === id) this.error = said(e) })
  }
}

export const trial = new Trial()
