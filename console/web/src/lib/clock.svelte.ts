// SPDX-License-Identifier: Apache-2.0
// The one clock of the page, and whether times are shown in UTC; both are for looking only.

class Clock {
  now = $state(Date.now())
  utc = $state(localStorage.getItem('times') !== 'local')

  constructor() {
    setInterval(() => { this.now = Date.now() }, 1000)
  }

  turn() {
    this.utc = !this.utc
    localStorage.setItem('times', this.utc ? 'utc' : 'local')
  }
}

export const clock = new Clock()
