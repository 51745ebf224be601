// SPDX-License-Identifier: Apache-2.0
// Dark or light: what the system says, unless somebody chose here.

type Choice = 'system' | 'dark' | 'light'

class Theme {
  choice = $state<Choice>('system')

  constructor() {
    const kept = localStorage.getItem('theme')
    if (kept === 'dark' || kept === 'light') this.set(kept)
  }

  set(choice: Choice) {
    this.choice = choice
    if (choice === 'system') {
      localStorage.removeItem('theme')
      delete document.documentElement.dataset.theme
    } else {
      localStorage.setItem('theme', choice)
      document.documentElement.dataset.theme = choice
    }
  }

  turn() {
    this.set(this.choice === 'system' ? 'dark' : this.choice === 'dark' ? 'light' : 'system')
  }
}

export const theme = new Theme()
